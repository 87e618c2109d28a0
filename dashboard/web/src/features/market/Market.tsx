import { useEffect, useRef } from "react";
import { useLocation, useSearchParams } from "wouter";
import { useSelected } from "../../app/selected";
import { isTyping } from "../orders/shortcuts";
import { ChartPanel } from "./ChartPanel";
import { QuotePanel } from "./QuotePanel";
import { WatchlistPanel } from "./WatchlistPanel";
import { chosenOf, useWatchlists } from "./watchlists";
import "../../styles/market.css";

/** Watchlists beside the quote, depth and candles of one instrument, which is named in the address. */
export default function Market() {
  const [search, setSearch] = useSearchParams();
  const [, go] = useLocation();
  const [account] = useSelected();
  const list = chosenOf(useWatchlists());
  const symbol = useRef<HTMLInputElement>(null);
  const shown = search.get("instrument") ?? list.instruments[0] ?? null;

  const show = (instrument: string | null) =>
    setSearch(
      (known) => {
        const next = new URLSearchParams(known);
        if (instrument === null) next.delete("instrument");
        else next.set("instrument", instrument);
        return next;
      },
      { replace: true },
    );
  const order = (side: "BUY" | "SELL") => {
    if (shown === null) return;
    const asked = new URLSearchParams({ instrument: shown, side });
    if (account) asked.set("account", String(account.id));
    go(`/broker-management?${asked}`);
  };
  useKeys(order, () => symbol.current?.focus());
  return (
    <div className="market">
      <WatchlistPanel list={list} shown={shown} symbol={symbol} onShow={show} />
      {shown === null ? (
        <section className="panel" aria-label="Chart">
          <p className="empty">Add an instrument to the watchlist: its quote, depth and chart appear here.</p>
        </section>
      ) : (
        <div className="right">
          <QuotePanel key={`quote ${shown}`} instrument={shown} onOrder={order} />
          <ChartPanel key={shown} instrument={shown} />
        </div>
      )}
    </div>
  );
}

/** `B` and `S` order what is shown, `/` goes to the search. */
function useKeys(order: (side: "BUY" | "SELL") => void, search: () => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]") !== null) return;
      const key = event.key.toLowerCase();
      if (key !== "b" && key !== "s" && key !== "/") return;
      event.preventDefault();
      if (key === "/") search();
      else order(key === "b" ? "BUY" : "SELL");
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}
