import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, type Instrument } from "../../api/client";
import { arrow, percent, price, scaled, signOf } from "../../format/numbers";
import { usePrice } from "../../live/prices";
import { useWatch } from "../../live/socket";
import { Depth } from "./Depth";

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
      <Depth depth={quote.depth} />
    </div>
  );
}
