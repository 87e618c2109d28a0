import type { Account, Position } from "../../api/client";
import { arrow, percent, price, quantity, scaled, signed, signOf } from "../../format/numbers";
import { usePrice } from "../../live/prices";
import { useHealth, useWatch } from "../../live/socket";
import { Panel } from "../../ui/Panel";
import type { Ticket } from "../orders/OrderForm";
import { priceKey, profitOf, usePositions, useTotal } from "./DayProfit";

export function Positions({ account, onTicket }: { account: Account; onTicket: (ticket: Ticket) => void }) {
  const { data, error, dataUpdatedAt, refetch } = usePositions(account.id);
  const shown = data?.filter((each) => each.quantity !== 0 || each.realised !== 0) ?? [];
  return (
    <Panel title="Positions" updatedAt={dataUpdatedAt} error={error} onRetry={() => void refetch()}>
      {data && shown.length === 0 && <p className="empty">No open positions</p>}
      {!data && !error && <p className="empty">Reading positions…</p>}
      {shown.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
        <section className="scroll" tabIndex={0} aria-label="Positions table">
          <table>
            <thead>
              <tr>
                <th scope="col">Symbol</th>
                <th scope="col">Product</th>
                <th scope="col" className="n">
                  Qty
                </th>
                <th scope="col" className="n">
                  Average
                </th>
                <th scope="col" className="n">
                  LTP
                </th>
                <th scope="col" className="n">
                  P&L ₹
                </th>
                <th scope="col" className="n">
                  %
                </th>
                <th scope="col">
                  <span className="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((each) => (
                <Row key={`${priceKey(each)}:${each.product}`} position={each} onTicket={onTicket} />
              ))}
            </tbody>
            <Total positions={shown} />
          </table>
        </section>
      )}
    </Panel>
  );
}

function Row({ position, onTicket }: { position: Position; onTicket: (ticket: Ticket) => void }) {
  const key = priceKey(position);
  useWatch(key);
  const tick = usePrice(key);
  const health = useHealth();
  const last = tick?.price ?? position.currentPrice;
  const profit = profitOf(position, last);
  const sign = signOf(profit);
  const dim = health === "live" ? "" : " dim";
  const exit = () =>
    onTicket({
      instrument: key,
      side: position.quantity > 0 ? "SELL" : "BUY",
      quantity: Math.abs(position.quantity),
      product: position.product,
    });
  return (
    <tr>
      <th scope="row">
        {position.symbol} <small className="muted">{position.exchange}</small>
      </th>
      <td>{position.product}</td>
      <td className="n">{quantity(position.quantity)}</td>
      <td className="n">{price(position.averagePrice)}</td>
      <td className={`n${dim}`}>{price(last)}</td>
      <td className={`n ${sign}${dim}`}>{`${arrow(sign)} ${signed(profit)}`}</td>
      <td className={`n ${sign}${dim}`}>
        {percent(profit, scaled(position.averagePrice) * position.quantity * position.multiplier)}
      </td>
      <td>
        {position.quantity !== 0 && (
          <button type="button" className="small" onClick={exit}>
            Exit<span className="unseen"> {position.symbol}</span>
          </button>
        )}
      </td>
    </tr>
  );
}

function Total({ positions }: { positions: Position[] }) {
  const total = useTotal(positions);
  const sign = signOf(total);
  return (
    <tfoot>
      <tr>
        <th scope="row" colSpan={5}>
          Total, live estimate before charges
        </th>
        <td className={`n ${sign}`}>{`${arrow(sign)} ${signed(total)}`}</td>
        <td colSpan={2} />
      </tr>
    </tfoot>
  );
}
