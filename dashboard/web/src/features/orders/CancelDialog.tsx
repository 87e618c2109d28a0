import { useState } from "react";
import { type Account, api, type Order } from "../../api/client";
import { nameOf } from "../../app/selected";
import { price } from "../../format/numbers";
import { useHealth } from "../../live/socket";
import { Dialog } from "../../ui/Dialog";
import { Choice, Field } from "../../ui/Field";
import { notify } from "../../ui/toasts";

const REASONS = [
  "Price moved",
  "Wrong quantity or price",
  "Wrong symbol or side",
  "Plan changed",
  "Other",
] as const;

export function CancelDialog({
  order,
  account,
  onClose,
}: {
  order: Order;
  account: Account;
  onClose: () => void;
}) {
  const [reason, setReason] = useState<(typeof REASONS)[number] | "">("");
  const [other, setOther] = useState("");
  const [busy, setBusy] = useState(false);
  const health = useHealth();
  const said = reason === "Other" ? other.trim() : reason;
  const isOver = order.status !== "PENDING";
  const cancel = () => {
    setBusy(true);
    api.cancel(order.accountId, order.orderId, said).then(
      (answer) => {
        notify({ kind: "success", title: `${order.symbol}: ${answer.message}`, text: order.orderId });
        onClose();
      },
      (error: Error) => {
        setBusy(false);
        notify({ kind: "refusal", title: "Not cancelled", text: error.message });
      },
    );
  };
  return (
    <Dialog title="Cancel order" onClose={onClose}>
      <p>
        {order.transactionType} {order.quantity} {order.symbol}{" "}
        {order.price ? `at ${price(order.price)}` : ""}, {order.filledQuantity} filled, {nameOf(account)}
      </p>
      {isOver ? (
        <p className="notice" role="alert">
          {order.status === "COMPLETE"
            ? `Too late: filled ${order.filledQuantity} @ ${price(order.averagePrice)}`
            : `The order is ${order.status.toLowerCase()}`}
        </p>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (said) cancel();
          }}
        >
          {/* First in the order of focus, so that a hasty Enter keeps the order. */}
          <button type="button" onClick={onClose}>
            Keep order
          </button>
          <Choice
            label="Reason"
            value={reason}
            options={REASONS.map((value) => ({ value }))}
            onChoose={setReason}
          />
          {reason === "Other" && <Field label="Which" value={other} maxLength={200} onText={setOther} />}
          {health !== "live" && <p className="warn">Not connected: the order may have changed since.</p>}
          <div className="row end">
            <button type="submit" className="danger" disabled={!said || busy}>
              Cancel order
            </button>
          </div>
        </form>
      )}
      {isOver && (
        <button type="button" onClick={onClose}>
          Close
        </button>
      )}
    </Dialog>
  );
}
