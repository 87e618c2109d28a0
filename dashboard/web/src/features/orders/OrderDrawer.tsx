import { useQuery } from "@tanstack/react-query";
import { api, type Order } from "../../api/client";
import { price } from "../../format/numbers";
import { timeInIndia } from "../../format/times";
import { Dialog } from "../../ui/Dialog";
import { Status } from "./Status";

/** Everything that happened to an order, with who caused it and what the broker said. */
export function OrderDrawer({ order, onClose }: { order: Order; onClose: () => void }) {
  const { data, error } = useQuery({
    queryKey: ["history", order.orderId, order.version],
    queryFn: () => api.orderEvents(order.accountId, order.orderId),
  });
  return (
    <Dialog title={`${order.transactionType} ${order.quantity} ${order.symbol}`} onClose={onClose} wide>
      <p>
        <code>{order.orderId}</code> <Status order={order} />
        {order.brokerOrderId && order.brokerOrderId !== order.orderId && (
          <span className="muted"> broker's id {order.brokerOrderId}</span>
        )}
      </p>
      {order.reason && <p className="notice">{order.reason}</p>}
      {error && (
        <p className="notice" role="alert">
          {error.message}
        </p>
      )}
      <ol className="history">
        {data?.map((event) => (
          <li key={event.sequence}>
            <time dateTime={event.recordedAt}>{timeInIndia(event.recordedAt)}</time>
            <strong>{event.type.replace("order.", "").replaceAll("_", " ")}</strong>
            <span>
              {event.order.state.toLowerCase().replaceAll("_", " ")}
              {event.order.filledQuantity > 0 &&
                `, ${event.order.filledQuantity}/${event.order.quantity} @ ${price(event.order.averagePrice)}`}
              {event.order.reason && `, ${event.order.reason}`}
              {event.by && <small className="muted"> by {event.by.userId ?? event.by.component}</small>}
            </span>
          </li>
        ))}
      </ol>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </Dialog>
  );
}
