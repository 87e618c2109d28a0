// One intent, one key, one order: whatever is pressed how often, and whatever answer gets lost.
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { api, type Order, type OrderBody, Refusal } from "../../api/client";
import { withOrder } from "../../live/socket";

export type Outcome =
  | { is: "sent"; order: Order }
  | { is: "refused"; refusal: Refusal }
  | { is: "later"; refusal: Refusal }
  | { is: "unknown" };

/** A second press this soon after the answer belongs to the first: nobody has read the answer yet. */
const HASTE_MS = 700;
/** Nothing was accepted, and asking again may be: too many at once, or the record or the bus is away. */
const MAY_BE_REPEATED = new Set([429, 503]);

export function usePlacing(account: number) {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const locked = useRef(false);
  const intent = useRef<{ form: string; key: string } | null>(null);

  /** The answer; null when another press of the same moment is on its way already. */
  async function place(body: OrderBody): Promise<Outcome | null> {
    if (locked.current) return null;
    locked.current = true;
    setOutcome(null);
    setBusy(true);
    const form = JSON.stringify(body);
    // A changed form is a new intent; the same form after no answer asks for the same order again.
    if (intent.current?.form !== form) intent.current = { form, key: crypto.randomUUID() };
    let result: Outcome;
    try {
      const { order } = await api.place(account, body, intent.current.key);
      intent.current = null;
      queries.setQueryData<Order[]>(["orders", account], (known) => withOrder(known, order));
      result = { is: "sent", order };
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal("NO_ANSWER", String(error), 0);
      const isRepeatable = MAY_BE_REPEATED.has(refusal.status);
      const isFinal = refusal.status >= 400 && refusal.status < 500 && !isRepeatable;
      if (isFinal) intent.current = null;
      result = isFinal
        ? { is: "refused", refusal }
        : isRepeatable
          ? { is: "later", refusal }
          : { is: "unknown" };
    }
    setOutcome(result);
    setTimeout(
      () => {
        locked.current = false;
        setBusy(false);
      },
      result.is === "sent" ? HASTE_MS : 0,
    );
    return result;
  }

  const forget = () => setOutcome(null);
  return { place, busy, outcome, forget };
}
