import { useState } from "react";
import { api, type Order } from "../../api/client";
import { typed } from "../../format/numbers";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { notify } from "../../ui/toasts";
import { takesPrice, takesTrigger } from "./rules";

export function ModifyDialog({ order, onClose }: { order: Order; onClose: () => void }) {
  const [quantity, setQuantity] = useState(String(order.quantity));
  const [price, setPrice] = useState(String(order.price));
  const [trigger, setTrigger] = useState(String(order.triggerPrice ?? ""));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const modify = () => {
    const changes: Record<string, number | null> = {};
    if (quantity !== String(order.quantity)) changes.quantity = typed(quantity);
    if (takesPrice(order.orderType) && price !== String(order.price)) changes.price = typed(price);
    if (takesTrigger(order.orderType) && trigger !== String(order.triggerPrice))
      changes.triggerPrice = typed(trigger);
    if (Object.values(changes).includes(null)) {
      setError("Numbers only, such as 1,346.80");
      return;
    }
    setBusy(true);
    api.modify(order.accountId, order.orderId, changes).then(
      () => {
        notify({ kind: "success", title: "Modification requested", text: order.orderId });
        onClose();
      },
      (refusal: Error) => {
        setBusy(false);
        setError(refusal.message);
      },
    );
  };
  return (
    <Dialog title={`Modify ${order.transactionType} ${order.symbol}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          modify();
        }}
      >
        <Field label="Quantity" inputMode="numeric" value={quantity} onText={setQuantity} />
        {takesPrice(order.orderType) && (
          <Field label="Price" inputMode="decimal" value={price} onText={setPrice} />
        )}
        {takesTrigger(order.orderType) && (
          <Field label="Trigger price" inputMode="decimal" value={trigger} onText={setTrigger} />
        )}
        {error && (
          <p className="notice" role="alert">
            {error}
          </p>
        )}
        <div className="row end">
          <button type="button" onClick={onClose}>
            Leave as it is
          </button>
          <button type="submit" className="primary" disabled={busy}>
            Modify order
          </button>
        </div>
      </form>
    </Dialog>
  );
}
