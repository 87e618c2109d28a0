import { useState } from "react";
import { BROKER_NAMES, useAccounts } from "../../app/selected";
import { timeInIndia } from "../../format/times";
import { Panel } from "../../ui/Panel";
import { SwitchDialog, type Switched } from "./SwitchDialog";
import { useRisk } from "./TradingBanner";
import { accountName, causeOf, commonState, placeOf, STATES, type TradingStateName } from "./words";

/** What each account may do now, what holds it back, and the switches for one, for a broker's, for all. */
export function TradingState() {
  const { data, error, refetch, dataUpdatedAt } = useRisk();
  const { data: accounts } = useAccounts();
  const [asks, setAsks] = useState<Switched | null>(null);
  const brokers = [...new Set(data?.accounts.map((each) => each.broker))];
  const places: Switched[] = [
    { scope: "global", name: "All accounts" },
    ...(brokers.length > 1
      ? brokers.map((id): Switched => ({ scope: "broker", id, name: `All of ${BROKER_NAMES[id]}` }))
      : []),
  ];
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
                <td>
                  <State
                    of={commonState(
                      (data?.accounts ?? [])
                        .filter((each) => place.scope === "global" || each.broker === place.id)
                        .map((each) => each.state),
                    )}
                  />
                </td>
                <td>
                  <Buttons of={place} onAsk={setAsks} />
                </td>
              </tr>
            ))}
            {data?.accounts.map((each) => {
              const name = accountName(each.accountId, accounts);
              const place: Switched = { scope: "account", id: each.accountId, name };
              return (
                <tr key={each.accountId}>
                  <th scope="row">{name}</th>
                  <td>
                    <State of={each.state} />
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
                {placeOf(each, accounts)}: {STATES[each.state]}
              </strong>{" "}
              by {causeOf(each)}: {each.reason}
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
                    name: placeOf(each, accounts),
                    state: "ACTIVE",
                  })
                }
              >
                Release<span className="unseen"> {placeOf(each, accounts)}</span>
              </button>
            )}
          </li>
        ))}
      </ul>
      {asks && <SwitchDialog of={asks} onClose={() => setAsks(null)} />}
    </Panel>
  );
}

function State({ of }: { of: TradingStateName | null }) {
  if (of === null) return <span className="muted">differs</span>;
  return (
    <span className="badge" data-trading={of}>
      {STATES[of]}
    </span>
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
