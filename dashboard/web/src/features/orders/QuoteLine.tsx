import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type Instrument } from "../../api/client";
import { arrow, percent, price, quantity, scaled, signOf } from "../../format/numbers";
import { usePrice } from "../../live/prices";
import { useWatch } from "../../live/socket";

/** Last price, and five levels of depth, of what is about to be ordered. */
export function QuoteLine({ instrument }: { instrument: Instrument }) {
  const key = instrument.instrument;
  useWatch(key);
  const tick = usePrice(key);
  const [now, setNow] = useState(Date.now);
  const { data: quote, error } = useQuery({
    queryKey: ["quote", key],
    queryFn: () => api.quote(key),
    refetchInterval: 1000,
  });
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  if (error) return <p className="quote warn">No quote: {error.message}</p>;
  const last = tick?.price ?? quote?.lastPrice ?? null;
  if (last === null || !quote) return <p className="quote muted">Reading the quote…</p>;
  const change = scaled(last) - scaled(quote.previousClose);
  const sign = signOf(change);
  const age = Math.round((now - (tick?.at ?? new Date(quote.priceTime).getTime())) / 1000);
  return (
    <div className="quote">
      <p>
        <strong className="last">{price(last)}</strong>{" "}
        <span className={sign}>{`${arrow(sign)} ${percent(change, scaled(quote.previousClose))}`}</span>
        {age > 5 && <span className="warn"> LTP {age} s old</span>}
      </p>
      <table className="depth">
        <caption className="unseen">Market depth</caption>
        <thead>
          <tr>
            <th scope="col" className="n">
              Qty
            </th>
            <th scope="col" className="n">
              Bid
            </th>
            <th scope="col" className="n">
              Ask
            </th>
            <th scope="col" className="n">
              Qty
            </th>
          </tr>
        </thead>
        <tbody>
          {[0, 1, 2, 3, 4].map((level) => {
            const bid = quote.depth.buy[level];
            const ask = quote.depth.sell[level];
            return (
              <tr key={level}>
                <td className="n">{bid ? quantity(bid.quantity) : ""}</td>
                <td className="n up">{bid ? price(bid.price) : ""}</td>
                <td className="n down">{ask ? price(ask.price) : ""}</td>
                <td className="n">{ask ? quantity(ask.quantity) : ""}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
