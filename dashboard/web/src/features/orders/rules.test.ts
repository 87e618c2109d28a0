import { expect, test } from "vitest";
import type { BrokerView, Instrument } from "../../api/client";
import { productsOf, stepped, typesOf, wrongIn } from "./rules";

const RELIANCE = {
  exchange: "NSE",
  symbol: "RELIANCE",
  kind: "EQUITY",
  lotSize: 1,
  tickSize: 0.05,
  lowerBand: 1200,
  upperBand: 1500,
  freezeQuantity: null,
  referencePrice: 1346.8,
} as unknown as Instrument;
const FUTURE = {
  ...RELIANCE,
  exchange: "NFO",
  kind: "FUTURE",
  lotSize: 65,
  freezeQuantity: 1800,
} as Instrument;
const form = {
  instrument: RELIANCE,
  orderType: "MARKET",
  quantity: "10",
  price: "",
  triggerPrice: "",
} as const;

test("a market order needs no price, a limit order does", () => {
  expect(wrongIn(form)).toEqual({});
  expect(wrongIn({ ...form, orderType: "LIMIT" })).toEqual({ price: "A price above 0" });
  expect(Object.keys(wrongIn({ ...form, orderType: "SL" }))).toEqual(["price", "triggerPrice"]);
  expect(Object.keys(wrongIn({ ...form, orderType: "SL-M" }))).toEqual(["triggerPrice"]);
});

test.each([
  ["0", "A whole number above 0"],
  ["1.5", "A whole number above 0"],
  ["", "A whole number above 0"],
  ["-3", "A whole number above 0"],
])("quantity %j is refused", (quantity, problem) =>
  expect(wrongIn({ ...form, quantity }).quantity).toBe(problem),
);

test("lots, freeze quantity, ticks and bands are the instrument's own", () => {
  expect(wrongIn({ ...form, instrument: FUTURE, quantity: "100" }).quantity).toBe(
    "A multiple of the lot 65: 130",
  );
  expect(wrongIn({ ...form, instrument: FUTURE, quantity: "1820" }).quantity).toBe(
    "At most 1800 in one order (freeze quantity)",
  );
  const limit = { ...form, orderType: "LIMIT" } as const;
  expect(wrongIn({ ...limit, price: "1346.82" }).price).toBe("A multiple of the tick 0.05");
  expect(wrongIn({ ...limit, price: "1100" }).price).toBe("At least 1200 today");
  expect(wrongIn({ ...limit, price: "1346.85" })).toEqual({});
  expect(wrongIn({ ...form, instrument: null }).symbol).toBeDefined();
  const offered = { exchanges: ["NFO"] } as unknown as BrokerView;
  expect(wrongIn({ ...form, offered }).symbol).toBe("Not on this account: its broker takes NFO");
  expect(wrongIn({ ...form, offered, instrument: FUTURE, quantity: "65" })).toEqual({});
});

test("products and types follow the instrument", () => {
  expect(productsOf(RELIANCE)).toEqual(["CNC", "MIS"]);
  expect(productsOf(FUTURE)).toEqual(["NRML", "MIS"]);
  expect(typesOf({ ...FUTURE, kind: "OPTION" } as Instrument)).not.toContain("SL-M");
});

test("arrow keys step by ticks", () => {
  expect(stepped("1346.8", RELIANCE, 1)).toBe("1346.85");
  expect(stepped("1346.8", RELIANCE, -10)).toBe("1346.3");
  expect(stepped("", RELIANCE, 1)).toBe("1346.85");
  expect(stepped("0.05", RELIANCE, -1)).toBe("0.05");
});
