import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Account, api, type Order } from "../../api/client";
import { price, quantity } from "../../format/numbers";
import { timeInIndia } from "../../format/times";
import { useHealth } from "../../live/socket";
import { Panel } from "../../ui/Panel";
import { CancelDialog } from "./CancelDialog";
import { ModifyDialog } from "./ModifyDialog";
import { OrderDrawer } from "./OrderDrawer";
import { Status } from "./Status";

const FILTERS = ["All", "Pending", "Complete", "Cancelled", "Rejected"] as const;
type Open = { order: Order; as: "cancel" | "modify" | "history" } | null;

export function OrderBook({ account }: { account: Account }) {
  const { data, error, dataUpdatedAt, refetch } = useQuery({
    queryKey: ["orders", account.id],
    queryFn: () => api.orders(account.id),
  });
  const [filter, setFilter] = useState<(typeof FILTERS)[number]>("All");
  const [text, setText] = useState("");
  const [open, setOpen] = useState<Open>(null);
  const shown = (data ?? []).filter(
    (each) =>
      (filter === "All" || each.status === filter.toUpperCase()) &&
      each.symbol.includes(text.trim().toUpperCase()),
  );
  const current = open ? (data?.find((each) => each.orderId === open.order.orderId) ?? open.order) : null;
  const close = () => setOpen(null);
  return (
    <Panel title="Orders" updatedAt={dataUpdatedAt} error={error} onRetry={() => void refetch()}>
      <div className="filters">
        {FILTERS.map((each) => (
          <button
            key={each}
            type="button"
            className="chip"
            aria-pressed={filter === each}
            onClick={() => setFilter(each)}
          >
            {each}
          </button>
        ))}
        <label className="unseen" htmlFor="filter">
          Filter by symbol
        </label>
        <input
          id="filter"
          placeholder="Symbol"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <span className="muted">{data ? `${shown.length} of ${data.length}` : ""}</span>
      </div>
      {!data && !error && <p className="empty">Reading orders…</p>}
      {data?.length === 0 && <p className="empty">No orders yet</p>}
      {shown.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
        <section className="scroll orders" tabIndex={0} aria-label="Orders table">
          <table>
            <thead>
              <tr>
                {["Order", "Symbol", "Side", "Qty", "Price", "Type", "Status", "Time"].map((name) => (
                  <th key={name} scope="col" className={name === "Qty" || name === "Price" ? "n" : undefined}>
                    {name}
                  </th>
                ))}
                <th scope="col">
                  <span className="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((order) => (
                <Row key={order.orderId} order={order} onOpen={(as) => setOpen({ order, as })} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {open?.as === "cancel" && current && <CancelDialog order={current} account={account} onClose={close} />}
      {open?.as === "modify" && current && <ModifyDialog order={current} onClose={close} />}
      {open?.as === "history" && current && <OrderDrawer order={current} onClose={close} />}
    </Panel>
  );
}

function Row({ order, onOpen }: { order: Order; onOpen: (as: "cancel" | "modify" | "history") => void }) {
  const health = useHealth();
  const pending = order.status === "PENDING";
  const at = order.status === "COMPLETE" ? order.averagePrice : order.price || order.triggerPrice;
  return (
    <tr>
      <td>
        <button type="button" className="link" title={order.orderId} onClick={() => onOpen("history")}>
          …{order.orderId.slice(-6)}
          <span className="unseen"> history of {order.symbol}</span>
        </button>
      </td>
      <th scope="row">
        {order.symbol} <small className="muted">{order.exchange}</small>
      </th>
      <td>
        <span className={`badge ${order.transactionType.toLowerCase()}`}>{order.transactionType}</span>
      </td>
      <td className="n">
        {quantity(order.filledQuantity)}/{quantity(order.quantity)}
      </td>
      <td className="n">{at ? price(at) : "MKT"}</td>
      <td>
        {order.orderType} <small className="muted">{order.product}</small>
      </td>
      <td>
        <Status order={order} />
        {order.status === "REJECTED" && <small className="reason">{order.reason}</small>}
      </td>
      <td>{timeInIndia(order.orderTime)}</td>
      <td>
        {pending && order.pendingAction === null && (
          <span className="row">
            <button
              type="button"
              className="small"
              disabled={health !== "live"}
              onClick={() => onOpen("modify")}
            >
              Modify<span className="unseen"> {order.symbol}</span>
            </button>
            <button type="button" className="small" onClick={() => onOpen("cancel")}>
              Cancel<span className="unseen"> {order.symbol}</span>
            </button>
          </span>
        )}
      </td>
    </tr>
  );
}
