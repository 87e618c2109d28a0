import { useEffect, useRef, useState } from "react";
import { useSearchParams } from "wouter";
import type { Broker } from "../../api/client";
import { useAccounts, useSelected } from "../../app/selected";
import { notify } from "../../ui/toasts";
import { Margins } from "../margins/Margins";
import { OrderBook } from "../orders/OrderBook";
import { OrderForm, type Ticket } from "../orders/OrderForm";
import { Holdings } from "../positions/Holdings";
import { Positions } from "../positions/Positions";
import { AccountCards } from "./AccountCards";
import { AddAccount } from "./AddAccount";
import { FirstAccount } from "./FirstAccount";

export function BrokerManagement() {
  const { data: accounts, error, refetch } = useAccounts();
  const [selected, select] = useSelected();
  const [added, setAdded] = useState<Broker | null>(null);
  const [ticket, setTicket] = useState<Ticket>({});
  const form = useRef<HTMLDivElement>(null);

  const open = (next: Ticket) => {
    setTicket({ ...next });
    form.current?.scrollIntoView({ block: "nearest" });
  };
  useReturnFromBroker(select);
  useAskedTicket(open);
  if (error && !accounts) {
    return (
      <p className="notice" role="alert">
        Your accounts could not be read: {error.message}{" "}
        <button type="button" onClick={() => void refetch()}>
          Retry
        </button>
      </p>
    );
  }
  if (!accounts) return <p className="empty">Reading your accounts…</p>;
  return (
    <>
      {accounts.length === 0 ? (
        <FirstAccount onAdded={select} onOther={setAdded} />
      ) : (
        <AccountCards
          accounts={accounts}
          selected={selected}
          onSelect={select}
          onAdd={() => setAdded("paper")}
        />
      )}
      {added && (
        <AddAccount
          first={added}
          onClose={() => setAdded(null)}
          onAdded={(id) => {
            setAdded(null);
            select(id);
          }}
        />
      )}
      {selected && (
        <>
          <Margins account={selected} onPlace={() => open({})} />
          <div className="columns">
            <div ref={form} className="left">
              <OrderForm key={selected.id} account={selected} ticket={ticket} />
            </div>
            <div className="right">
              <Positions account={selected} onTicket={open} />
              <OrderBook account={selected} />
              <Holdings account={selected} />
            </div>
          </div>
        </>
      )}
    </>
  );
}

/** Another page asks for an order with `instrument` and `side` in the address; they leave it at once, so that a reload asks no more. */
function useAskedTicket(open: (ticket: Ticket) => void): void {
  const [search, setSearch] = useSearchParams();
  const instrument = search.get("instrument");
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each asking
  useEffect(() => {
    if (instrument === null) return;
    open({ instrument, side: search.get("side") === "SELL" ? "SELL" : "BUY" });
    setSearch(
      (known) => {
        const next = new URLSearchParams(known);
        next.delete("instrument");
        next.delete("side");
        return next;
      },
      { replace: true },
    );
  }, [instrument]);
}

/** A browser that comes back from a broker's login brings `connected` or `error`; both leave the address at once. */
function useReturnFromBroker(select: (id: number) => void): void {
  const [search, setSearch] = useSearchParams();
  const connected = search.get("connected");
  const error = search.get("error");
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each return
  useEffect(() => {
    if (connected === null && error === null) return;
    if (connected !== null) {
      notify({ kind: "success", title: "Signed in", text: "The account can trade" });
      select(Number(connected));
    }
    if (error !== null) {
      notify({ kind: "refusal", title: "Not signed in", text: search.get("message") ?? error });
    }
    setSearch(
      (known) => {
        const next = new URLSearchParams(known);
        for (const name of ["connected", "error", "message"]) next.delete(name);
        if (connected !== null) next.set("account", connected);
        return next;
      },
      { replace: true },
    );
  }, [connected, error]);
}
