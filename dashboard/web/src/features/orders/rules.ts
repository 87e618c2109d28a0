// What the form can know before the server says it: the instrument's own rules. The server checks them all again.
import type { BrokerView, Instrument, OrderBody } from "../../api/client";
import { scaled, typed } from "../../format/numbers";

export type OrderType = OrderBody["orderType"];
export type Product = OrderBody["product"];
export type FieldName = "symbol" | "quantity" | "price" | "triggerPrice";
export type Wrong = Partial<Record<FieldName, string>>;

export const takesPrice = (type: OrderType): boolean => type === "LIMIT" || type === "SL";
export const takesTrigger = (type: OrderType): boolean => type === "SL" || type === "SL-M";

const isCash = (instrument: Instrument): boolean =>
  instrument.exchange === "NSE" || instrument.exchange === "BSE";
export const productsOf = (instrument: Instrument | null): readonly Product[] =>
  instrument === null ? ["CNC", "MIS", "NRML"] : isCash(instrument) ? ["CNC", "MIS"] : ["NRML", "MIS"];
export const typesOf = (instrument: Instrument | null): readonly OrderType[] =>
  instrument?.kind === "OPTION" ? ["MARKET", "LIMIT", "SL"] : ["MARKET", "LIMIT", "SL", "SL-M"];

export interface Typed {
  instrument: Instrument | null;
  orderType: OrderType;
  quantity: string;
  price: string;
  triggerPrice: string;
  /** What the broker takes, once that is known. */
  offered?: BrokerView | undefined;
}

/** Every field that is wrong, with what would be right. */
export function wrongIn(form: Typed): Wrong {
  const wrong: Wrong = {};
  const { instrument, offered } = form;
  if (instrument === null) wrong.symbol = "Choose an instrument from the list";
  else if (offered && !offered.exchanges.includes(instrument.exchange))
    wrong.symbol = `Not on this account: its broker takes ${offered.exchanges.join(", ")}`;
  const quantity = typed(form.quantity);
  const lot = instrument?.lotSize ?? 1;
  if (quantity === null || quantity <= 0 || !Number.isInteger(quantity))
    wrong.quantity = "A whole number above 0";
  else if (quantity % lot !== 0)
    wrong.quantity = `A multiple of the lot ${lot}: ${lot * Math.max(1, Math.round(quantity / lot))}`;
  else if (instrument?.freezeQuantity && quantity > instrument.freezeQuantity) {
    wrong.quantity = `At most ${instrument.freezeQuantity} in one order (freeze quantity)`;
  }
  if (takesPrice(form.orderType)) {
    const problem = priceProblem(form.price, instrument);
    if (problem) wrong.price = problem;
  }
  if (takesTrigger(form.orderType)) {
    const problem = priceProblem(form.triggerPrice, instrument);
    if (problem) wrong.triggerPrice = problem;
  }
  return wrong;
}

function priceProblem(text: string, instrument: Instrument | null): string | null {
  const value = typed(text);
  if (value === null || value <= 0) return "A price above 0";
  if (instrument === null) return null;
  const tick = scaled(instrument.tickSize);
  if (scaled(value) % tick !== 0) return `A multiple of the tick ${instrument.tickSize}`;
  if (instrument.lowerBand !== null && value < instrument.lowerBand)
    return `At least ${instrument.lowerBand} today`;
  if (instrument.upperBand !== null && value > instrument.upperBand)
    return `At most ${instrument.upperBand} today`;
  return null;
}

/** A price one step further, for the arrow keys. */
export function stepped(text: string, instrument: Instrument | null, steps: number): string {
  const tick = scaled(instrument?.tickSize ?? 0.05);
  const from = scaled(typed(text) ?? instrument?.referencePrice ?? 0);
  const next = Math.max(tick, Math.round(from / tick) * tick + steps * tick);
  return String(next / 10_000);
}
