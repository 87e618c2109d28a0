import { useQueryClient } from "@tanstack/react-query";
import { Check, Plus } from "lucide-react";
import { useEffect, useState } from "react";
import { type Account, api } from "../../api/client";
import { BROKER_NAMES, isSignedIn, modeOf, nameOf } from "../../app/selected";
import { rupees, scaled } from "../../format/numbers";
import { left, timeInIndia } from "../../format/times";
import { notify } from "../../ui/toasts";
import { LogIn } from "./LogIn";
import { OrderAddress, wayOf } from "./OrderAddress";

interface Props {
  accounts: Account[];
  selected: Account | null;
  onSelect: (id: number) => void;
  onAdd: () => void;
}

export function AccountCards({ accounts, selected, onSelect, onAdd }: Props) {
  return (
    <section className="cards" aria-label="Broker accounts">
      {accounts.map((each) => (
        <Card
          key={each.id}
          account={each}
          isSelected={each.id === selected?.id}
          onSelect={() => onSelect(each.id)}
        />
      ))}
      <button type="button" className="card add" onClick={onAdd}>
        <Plus size={20} aria-hidden /> Add account
      </button>
    </section>
  );
}

function Card(props: { account: Account; isSelected: boolean; onSelect: () => void }) {
  const { account } = props;
  const queries = useQueryClient();
  const [logsIn, setLogsIn] = useState(false);
  const [setsWay, setSetsWay] = useState(false);
  const way = wayOf(account);
  const turn = () =>
    api.switchAccount(account.id, !account.isActive).then(
      () => queries.invalidateQueries({ queryKey: ["accounts"] }),
      (error: Error) => notify({ kind: "refusal", title: "Not changed", text: error.message }),
    );
  const margin = account.unlimited
    ? "Unlimited"
    : rupees(account.marginAvailable === null ? null : scaled(account.marginAvailable));
  return (
    <article className={`card ${account.broker}`} data-off={!account.isActive || undefined}>
      <header>
        <strong>{BROKER_NAMES[account.broker]}</strong>
        <span className="mode">{modeOf(account)}</span>
        <span className="spacer" />
        {account.isActive && (
          <span className="tick" title="Active">
            <Check size={16} aria-hidden />
            <span className="unseen">Active</span>
          </span>
        )}
      </header>
      <p className="client">{account.clientId}</p>
      <p className="money">
        <small>Available margin</small>
        <strong>{margin}</strong>
      </p>
      <SessionLine account={account} />
      {way && <p className="session">Orders by {way}</p>}
      <footer>
        <button type="button" aria-pressed={props.isSelected} onClick={props.onSelect}>
          {props.isSelected ? "Selected" : "Select"}
          <span className="unseen"> {nameOf(account)}</span>
        </button>
        {account.isActive && !isSignedIn(account) && (
          <button type="button" onClick={() => setLogsIn(true)}>
            Log in<span className="unseen"> to {nameOf(account)}</span>
          </button>
        )}
        {account.broker !== "paper" && (
          <button type="button" onClick={() => setSetsWay(true)}>
            Address<span className="unseen"> of the orders of {nameOf(account)}</span>
          </button>
        )}
        <button type="button" onClick={() => void turn()}>
          {account.isActive ? "Deactivate" : "Activate"}
          <span className="unseen"> {nameOf(account)}</span>
        </button>
      </footer>
      {logsIn && <LogIn account={account} onClose={() => setLogsIn(false)} />}
      {setsWay && <OrderAddress account={account} onClose={() => setSetsWay(false)} />}
    </article>
  );
}

function SessionLine({ account }: { account: Account }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  const session = account.session;
  if (!account.isActive) return <p className="session">Switched off</p>;
  if (session === null) return <p className="session">Always signed in</p>;
  switch (session.state) {
    case "ACTIVE":
    case "EXPIRING":
      return (
        <p className="session">
          {session.state === "EXPIRING" ? "Session ends in " : "Signed in, "}
          {left(session.validUntil, now)} {session.state === "ACTIVE" ? "left" : ""}
        </p>
      );
    case "EXPIRED":
      return (
        <p className="session">
          Session expired{session.validUntil ? ` ${timeInIndia(session.validUntil)}` : ""} · {session.reason}
        </p>
      );
    default:
      return <p className="session">Not signed in yet</p>;
  }
}
