import type { Order } from "../../api/client";

/** The word for what is known, and in the title what is behind it. */
export function Status({ order }: { order: Order }) {
  const filled =
    order.filledQuantity > 0 && order.status !== "COMPLETE"
      ? ` ${order.filledQuantity}/${order.quantity}`
      : "";
  const unknown = order.state === "UNCONFIRMED";
  const word = unknown
    ? "UNKNOWN"
    : order.pendingAction === "CANCEL"
      ? "CANCELLING"
      : order.pendingAction === "MODIFY"
        ? "MODIFYING"
        : order.status;
  const more =
    order.state === "NEW"
      ? "waiting for broker"
      : unknown
        ? "we asked the broker and got no answer"
        : order.state.toLowerCase().replaceAll("_", " ");
  return (
    <span
      className={`badge ${unknown ? "unknown" : order.status.toLowerCase()}`}
      title={order.reason ?? more}
    >
      {word}
      {filled}
    </span>
  );
}
