import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { api, type Quote } from "../../api/client";
import { arrow, percent, price, quantity, scaled, signed, signOf } from "../../format/numbers";
import { timeInIndia } from "../../format/times";
import { usePrice } from "../../live/prices";
import { useHealth, useWatch } from "../../live/socket";
import { Panel } from "../../ui/Panel";
import { Depth } from "../orders/Depth";

const OLD_SECONDS = 5;
const CLOSED_SECONDS = 60;
/** An answer that is new and tells an old price: nothing is traded now. */
const isClosed = (quote: Quote, readAt: number): boolean =>
  (readAt - Date.parse(quote.priceTime)) / 1000 > CLOSED_SECONDS;

/** The price, the day around it, five levels of depth, and the way to an order. */
export function QuotePanel({
  instrument: key,
  onOrder,
}: {
  instrument: string;
  onOrder: (side: "BUY" | "SELL") => void;
}) {
  useWatch(key);
  const tick = usePrice(key);
  const health = useHealth();
  const {
    data: quote,
    error,
    dataUpdatedAt,
    refetch,
  } = useQuery({
    queryKey: ["quote", key],
    queryFn: () => api.quote(key),
    refetchInterval: 1000,
  });
  const { data: listed } = useQuery({ queryKey: ["instrument", key], queryFn: () => api.instrument(key) });
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const [exchange, symbol] = key.split(":");
  const last = tick?.price ?? quote?.lastPrice ?? null;
  const change = last !== null && quote ? scaled(last) - scaled(quote.previousClose) : null;
  const sign = signOf(change);
  const age = Math.round((now - Math.max(tick?.at ?? 0, dataUpdatedAt)) / 1000);
  const closed = quote ? isClosed(quote, dataUpdatedAt) : false;
  const state =
    health === "disconnected"
      ? "Disconnected: prices stand still"
      : !quote
        ? null
        : closed
          ? `Closed · last price ${timeInIndia(quote.priceTime)}`
          : age > OLD_SECONDS
            ? `LTP ${age} s old`
            : null;
  const dim = health === "disconnected" || (age > OLD_SECONDS && !closed) ? " dim" : "";
  return (
    <Panel
      title={`${symbol} quote`}
      className="marketquote"
      error={quote ? null : error}
      onRetry={() => void refetch()}
    >
      <div className="headline">
        <div className={`price${dim}`}>
          <span>
            <strong>{symbol}</strong> <small className="muted">{exchange}</small>{" "}
            <span className="muted">{listed?.name}</span>
          </span>
          <strong className="last">{price(last)}</strong>
          {change !== null && quote && (
            <span className={sign}>
              {`${arrow(sign)} ${signed(change)} (${percent(change, scaled(quote.previousClose))})`}
            </span>
          )}
          {state !== null && (
            <span className={closed && health !== "disconnected" ? "muted" : "warn"}>{state}</span>
          )}
        </div>
        <span className="orders">
          <button type="button" className="order buy" title="B" onClick={() => onOrder("BUY")}>
            Buy<span className="unseen"> {symbol}</span>
          </button>
          <button type="button" className="order sell" title="S" onClick={() => onOrder("SELL")}>
            Sell<span className="unseen"> {symbol}</span>
          </button>
        </span>
      </div>
      {quote === null && <p className="empty">No price: not traded now, expired, or not listed any more.</p>}
      {quote === undefined && !error && <p className="empty">Reading the quote…</p>}
      {quote && (
        <div className={`details${dim}`}>
          <dl>
            <Fact name="Open">{price(quote.open)}</Fact>
            <Fact name="High">{price(Math.max(quote.high, last ?? 0))}</Fact>
            <Fact name="Low">{price(Math.min(quote.low, last ?? quote.low))}</Fact>
            <Fact name="Prev. close">{price(quote.previousClose)}</Fact>
            <Fact name="Volume">{quantity(Math.max(tick?.volume ?? 0, quote.volume))}</Fact>
            <Fact name="Tick">{listed ? price(listed.tickSize) : "—"}</Fact>
            <Fact name="Lower band">{price(listed?.lowerBand ?? null)}</Fact>
            <Fact name="Upper band">{price(listed?.upperBand ?? null)}</Fact>
            <Fact name="Lot">{listed ? quantity(listed.lotSize) : "—"}</Fact>
          </dl>
          <Depth depth={quote.depth} full />
        </div>
      )}
    </Panel>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
