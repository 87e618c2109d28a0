import type { Candle, Interval } from "../../api/client";
import { price, quantity } from "../../format/numbers";
import { changeOf, timeOf } from "./candles";

const MOST = 100;

/** The chart in words: the newest candles first. */
export function CandleTable({ candles, interval }: { candles: readonly Candle[]; interval: Interval }) {
  const shown = candles.slice(-MOST).reverse();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
    <section className="scroll" tabIndex={0} aria-label="Candles table">
      <table>
        <caption className="unseen">The last {shown.length} candles, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {["Open", "High", "Low", "Close", "Change", "Volume"].map((name) => (
              <th key={name} scope="col" className="n">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((each) => (
            <tr key={each.time}>
              <th scope="row">{timeOf(each, interval)}</th>
              <td className="n">{price(each.open)}</td>
              <td className="n">{price(each.high)}</td>
              <td className="n">{price(each.low)}</td>
              <td className="n">{price(each.close)}</td>
              <td className="n">{changeOf(each)}</td>
              <td className="n">{quantity(each.volume)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
