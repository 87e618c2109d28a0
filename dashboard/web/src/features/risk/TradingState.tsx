import { useState } from "react";
import type { Control } from "../../api/client";
import { BROKER_NAMES, nameOf, useAccounts } from "../../app/selected";
import { timeInIndia } from "../../format/times";
import { Panel } from "../../ui/Panel";
import { SwitchDialog, type Switched } from "./SwitchDialog";
import { useRisk } from "./TradingBanner";

const WORDS = { ACTIVE: "Trading", REDUCING: "Only reducing", HALTED: "Halted" } as const;
const CAUSES = {
  SWITCH: "a switch",
  DAILY_LOSS: "the day's loss limit",
  BREAKER: "a circuit breaker",
  DRIFT: "positions that nothing explains",
} as const;

/** What each account may do now, what holds it back, and the switches for one, for a broker's, for all. */
export function TradingState() {
  const { data, error, refetch, dataUpdatedAt } = useRisk();
  const { data: accounts } = useAccounts();
  const [asks, setAsks] = useState<Switched | null>(null);
  const known = (id: number) => accounts?.find((each) => each.id === id);
  const brokers = [...new Set(data?.accounts.map((each) => each.broker))];
  const places: Switched[] = [
    { scope: "global", name: "All accounts" },
    ...(brokers.length > 1
      ? brokers.map((id): Switched => ({ scope: "broker", id, name: `All of ${BROKER_NAMES[id]}` }))
      : []),
  ];
  const titleOf = (control: Control) =>
    control.scope === "global"
      ? "All accounts"
      : control.scope === "broker"
        ? `All of ${BROKER_NAMES[control.id as keyof typeof BROKER_NAMES] ?? control.id}`
        : ((account) => (account ? nameOf(account) : `Account ${control.id}`))(known(Number(control.id)));
  return (
    <Panel title="Trading" error={error} onRetry={() => void refetch()} updatedAt={dataUpdatedAt}>
      <div className="scrolls">
        <table>
          <thead>
            <tr>
              <th scope="col">Account</th>
              <th scope="col">State</th>
              <th scope="col">
                <span className="unseen">Switch</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {places.map((place) => (
              <tr key={place.name}>
                <th scope="row">{place.name}</th>
                <td />
                <td>
                  <Buttons of={place} onAsk={setAsks} />
                </td>
              </tr>
            ))}
            {data?.accounts.map((each) => {
              const account = known(each.accountId);
              const name = account ? nameOf(account) : `Account ${each.accountId}`;
              const place: Switched = { scope: "account", id: each.accountId, name };
              return (
                <tr key={each.accountId}>
                  <th scope="row">{name}</th>
                  <td>
                    <span className="badge" data-trading={each.state}>
                      {WORDS[each.state]}
                    </span>
                  </td>
                  <td>
                    <Buttons of={place} onAsk={setAsks} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {data?.controls.length === 0 && <p className="muted">Nothing holds trading back.</p>}
      <ul className="list" aria-label="What holds trading back">
        {data?.controls.map((each) => (
          <li key={`${each.scope}:${each.id}:${each.cause}`}>
            <span>
              <strong>
                {titleOf(each)}: {WORDS[each.state]}
              </strong>{" "}
              by {each.everyone ? "the operator of this installation" : CAUSES[each.cause]}: {each.reason}
              <small className="muted">
                {" "}
                since {timeInIndia(each.changedAt)}, by {each.actor}
                {each.until ? `, ends by itself at ${timeInIndia(each.until)}` : ""}
              </small>
            </span>
            {each.cause === "SWITCH" && !each.everyone && !each.until && (
              <button
                type="button"
                onClick={() =>
                  setAsks({
                    scope: each.scope,
                    ...(each.id !== null && { id: each.scope === "account" ? Number(each.id) : each.id }),
                    name: titleOf(each),
                    state: "ACTIVE",
                  })
                }
              >
                Release<span className="unseen"> {titleOf(each)}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      {asks && <SwitchDialog of={asks} onClose={() => setAsks(null)} />}
    </Panel>
  );
}

function Buttons({ of, onAsk }: { of: Switched; onAsk: (asked: Switched) => void }) {
  return (
    <div className="acts">
      <button type="button" onClick={() => onAsk({ ...of, state: "REDUCING" })}>
        Only reduce<span className="unseen"> {of.name}</span>
      </button>
      <button type="button" className="halts" onClick={() => onAsk({ ...of, state: "HALTED" })}>
        Halt<span className="unseen"> {of.name}</span>
      </button>
    </div>
  );
}
