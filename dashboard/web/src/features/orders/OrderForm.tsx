import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { type Account, api, type Instrument, type Order, type OrderBody } from "../../api/client";
import { isSignedIn, modeOf, nameOf, useOffered } from "../../app/selected";
import { quantity as shownQuantity, typed } from "../../format/numbers";
import { useHealth } from "../../live/socket";
import { Choice, Field } from "../../ui/Field";
import { Panel } from "../../ui/Panel";
import { notify } from "../../ui/toasts";
import { usePlacing } from "./placing";
import { QuoteLine } from "./QuoteLine";
import {
  type FieldName,
  type OrderType,
  type Product,
  productsOf,
  stepped,
  takesPrice,
  takesTrigger,
  typesOf,
  type Wrong,
  wrongIn,
} from "./rules";
import { Status } from "./Status";
import { SymbolSearch } from "./SymbolSearch";
import { useOrderKeys } from "./shortcuts";

export interface Ticket {
  instrument?: string;
  side?: "BUY" | "SELL";
  quantity?: number;
  product?: Product;
}

export function OrderForm({ account, ticket }: { account: Account; ticket: Ticket }) {
  const [instrument, setInstrument] = useState<Instrument | null>(null);
  const [side, setSide] = useState<"BUY" | "SELL">("BUY");
  const [orderType, setOrderType] = useState<OrderType>("MARKET");
  const [product, setProduct] = useState<Product>("MIS");
  const [validity, setValidity] = useState<"DAY" | "IOC">("DAY");
  const [texts, setTexts] = useState({ quantity: "", price: "", triggerPrice: "" });
  const [wrong, setWrong] = useState<Wrong>({});
  const form = useRef<HTMLFormElement>(null);
  const symbol = useRef<HTMLInputElement>(null);
  const health = useHealth();
  const offered = useOffered(account);
  const takesIoc = instrument?.exchange !== "MCX" && offered?.validities.includes("IOC") !== false;
  const { place, busy, outcome, forget } = usePlacing(account.id);

  const choose = (next: Instrument) => {
    setInstrument(next);
    if (!productsOf(next).includes(product)) setProduct(productsOf(next)[0] as Product);
    if (!typesOf(next).includes(orderType)) setOrderType("LIMIT");
    setWrong({});
    form.current?.querySelector<HTMLInputElement>("input[name=quantity]")?.focus();
  };
  useTicket(ticket, account.id, (found) => {
    choose(found);
    if (ticket.side) setSide(ticket.side);
    if (ticket.product) setProduct(ticket.product);
    if (ticket.quantity) setTexts((known) => ({ ...known, quantity: String(ticket.quantity) }));
    setOrderType("MARKET");
  });
  useOrderKeys(form, symbol, (next) => {
    setSide(next);
    const target =
      instrument === null
        ? symbol.current
        : form.current?.querySelector<HTMLInputElement>("input[name=quantity]");
    target?.focus();
  });

  const set = (name: keyof typeof texts) => (text: string) => {
    setTexts((known) => ({ ...known, [name]: text }));
    setWrong((known) => ({ ...known, [name]: undefined }));
    forget();
  };
  const submit = async () => {
    const found = wrongIn({ instrument, orderType, offered, ...texts });
    setWrong(found);
    const first = Object.keys(found)[0] as FieldName | undefined;
    if (first !== undefined || instrument === null) {
      if (first === "symbol") symbol.current?.focus();
      else form.current?.querySelector<HTMLInputElement>(`input[name=${first}]`)?.focus();
      return;
    }
    const body: OrderBody = {
      symbol: instrument.symbol,
      exchange: instrument.exchange,
      transactionType: side,
      orderType,
      quantity: typed(texts.quantity) as number,
      product,
      validity: takesIoc ? validity : "DAY",
      ...(takesPrice(orderType) && { price: typed(texts.price) as number }),
      ...(takesTrigger(orderType) && { triggerPrice: typed(texts.triggerPrice) as number }),
    };
    const result = await place(body);
    if (result?.is === "sent") {
      notify({ kind: "success", title: `Order ${result.order.orderId}`, text: "waiting for broker" });
      setTexts((known) => ({ ...known, price: "", triggerPrice: "" }));
      symbol.current?.focus();
    } else if (result?.is === "refused" && result.refusal.field) {
      setWrong({ [result.refusal.field]: result.refusal.message });
    }
  };

  const lots = instrument && instrument.lotSize > 1 ? typed(texts.quantity) : null;
  const priceKeys = (name: "price" | "triggerPrice") => (event: KeyboardEvent) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const steps = (event.key === "ArrowUp" ? 1 : -1) * (event.shiftKey ? 10 : 1);
    set(name)(stepped(texts[name], instrument, steps));
  };
  const blocked = !account.isActive
    ? "This account is switched off"
    : !isSignedIn(account)
      ? `Log in to ${nameOf(account)} first: orders cannot be sent`
      : health === "disconnected"
        ? "Not connected: orders cannot be sent"
        : null;
  const words = [
    side,
    texts.quantity || "…",
    instrument?.symbol ?? "…",
    "·",
    product,
    "·",
    nameOf(account),
    "·",
    modeOf(account),
  ];
  return (
    <Panel title="Place order" className={`orderform ${side.toLowerCase()} ${modeOf(account).toLowerCase()}`}>
      <form
        ref={form}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Choice
          label="Side"
          value={side}
          options={[{ value: "BUY" }, { value: "SELL" }]}
          onChoose={setSide}
        />
        <SymbolSearch
          accountId={account.id}
          value={instrument}
          error={wrong.symbol}
          input={symbol}
          onChoose={choose}
        />
        {instrument && <QuoteLine instrument={instrument} />}
        <Choice
          label="Order type"
          value={orderType}
          options={typesOf(instrument).map((value) => ({ value }))}
          onChoose={setOrderType}
        />
        <Field
          label="Quantity"
          name="quantity"
          inputMode="numeric"
          autoComplete="off"
          value={texts.quantity}
          error={wrong.quantity}
          hint={
            lots && instrument
              ? `${shownQuantity(lots / instrument.lotSize)} lots of ${instrument.lotSize}`
              : undefined
          }
          onText={set("quantity")}
        />
        <div className="row">
          <Field
            label="Price"
            name="price"
            inputMode="decimal"
            autoComplete="off"
            disabled={!takesPrice(orderType)}
            value={takesPrice(orderType) ? texts.price : ""}
            error={wrong.price}
            onText={set("price")}
            onKeyDown={priceKeys("price")}
          />
          <Field
            label="Trigger price"
            name="triggerPrice"
            inputMode="decimal"
            autoComplete="off"
            disabled={!takesTrigger(orderType)}
            value={takesTrigger(orderType) ? texts.triggerPrice : ""}
            error={wrong.triggerPrice}
            onText={set("triggerPrice")}
            onKeyDown={priceKeys("triggerPrice")}
          />
        </div>
        <div className="row">
          <Choice
            label="Product"
            value={product}
            options={productsOf(instrument).map((value) => ({ value }))}
            onChoose={setProduct}
          />
          <Choice
            label="Validity"
            value={takesIoc ? validity : "DAY"}
            options={[{ value: "DAY" }, { value: "IOC", disabled: !takesIoc }]}
            onChoose={setValidity}
          />
        </div>
        {outcome?.is === "refused" && (
          <p className="notice" role="alert">
            {outcome.refusal.message} <small className="muted">{outcome.refusal.code}</small>
          </p>
        )}
        {outcome?.is === "later" && (
          <p className="notice" role="alert">
            Not confirmed: {outcome.refusal.message}. Pressing the button again asks for this same order,
            never for a second one. <small className="muted">{outcome.refusal.code}</small>
          </p>
        )}
        {outcome?.is === "unknown" && (
          <p className="notice" role="alert">
            No answer: do not send it another way. Pressing the button again asks for this same order, never
            for a second one.
          </p>
        )}
        {outcome?.is === "sent" && <Sent order={outcome.order} />}
        {blocked && <p className="warn">{blocked}</p>}
        <button type="submit" className={`submit ${side.toLowerCase()}`} disabled={busy || blocked !== null}>
          {busy ? (outcome?.is === "sent" ? "Sent" : "Sending…") : words.join(" ")}
        </button>
      </form>
    </Panel>
  );
}

/** The order as it now is, not as it was when it was sent. */
function Sent({ order: sent }: { order: Order }) {
  const { data } = useQuery({
    queryKey: ["orders", sent.accountId],
    queryFn: () => api.orders(sent.accountId),
  });
  const order = data?.find((each) => each.orderId === sent.orderId) ?? sent;
  return (
    <p className="sent">
      <strong>{order.orderId}</strong>{" "}
      {order.state === "NEW" ? "waiting for broker" : <Status order={order} />}{" "}
      <button
        type="button"
        className="small"
        onClick={() => void navigator.clipboard.writeText(order.orderId)}
      >
        Copy<span className="unseen"> the order id</span>
      </button>
    </p>
  );
}

/** Fills the form from a row of the positions, once for each press. */
function useTicket(ticket: Ticket, accountId: number, fill: (instrument: Instrument) => void): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each ticket
  useEffect(() => {
    if (!ticket.instrument) return;
    const [, symbol] = ticket.instrument.split(":");
    void api.instruments(symbol ?? "", accountId).then((found) => {
      const same = found.find((each) => each.instrument === ticket.instrument);
      if (same) fill(same);
    });
  }, [ticket]);
}
