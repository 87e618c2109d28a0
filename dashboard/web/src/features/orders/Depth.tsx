import type { Quote } from "../../api/client";
import { price, quantity } from "../../format/numbers";

const LEVELS = [0, 1, 2, 3, 4];

/** Five levels a side, best first; `full` with the orders behind each level, and sums. */
export function Depth({ depth, full = false }: { depth: Quote["depth"]; full?: boolean }) {
  const sum = (side: "buy" | "sell") => depth[side].reduce((total, each) => total + each.quantity, 0);
  return (
    <table className={full ? "depth full" : "depth"}>
      <caption className="unseen">Market depth</caption>
      <thead>
        <tr>
          {full && <Heading name="Orders" />}
          <Heading name="Qty" />
          <Heading name="Bid" />
          <Heading name="Ask" />
          <Heading name="Qty" />
          {full && <Heading name="Orders" />}
        </tr>
      </thead>
      <tbody>
        {LEVELS.map((level) => {
          const bid = depth.buy[level];
          const ask = depth.sell[level];
          return (
            <tr key={level}>
              {full && <td className="n muted">{bid?.orders}</td>}
              <td className="n">{bid ? quantity(bid.quantity) : ""}</td>
              <td className="n up">{bid ? price(bid.price) : ""}</td>
              <td className="n down">{ask ? price(ask.price) : ""}</td>
              <td className="n">{ask ? quantity(ask.quantity) : ""}</td>
              {full && <td className="n muted">{ask?.orders}</td>}
            </tr>
          );
        })}
      </tbody>
      {full && (
        <tfoot>
          <tr>
            <th scope="row">Total</th>
            <td className="n">{quantity(sum("buy"))}</td>
            <td />
            <td />
            <td className="n">{quantity(sum("sell"))}</td>
            <td />
          </tr>
        </tfoot>
      )}
    </table>
  );
}

function Heading({ name }: { name: string }) {
  return (
    <th scope="col" className="n">
      {name}
    </th>
  );
}
