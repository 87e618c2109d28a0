import { expect, test } from "vitest";
import type { RiskLimits } from "../../api/client";
import { bodyOf, hintOf } from "./limits";

const NONE: RiskLimits = {
  maxOrderQuantity: null,
  maxOrderValue: null,
  maxOpenOrders: null,
  maxPositionQuantity: null,
  maxExposure: null,
  priceBandPercent: null,
  ordersPerSecond: null,
  duplicateWindowSeconds: null,
  dailyLossLimit: null,
  reduceOnly: null,
};

test("what was not typed stays as it was, an empty text takes a limit away", () => {
  const set = { ...NONE, maxOpenOrders: 5, maxOrderValue: 500_000 };
  expect(bodyOf(set, { maxOpenOrders: "", priceBandPercent: "2.5" }, true)).toEqual({
    body: { ...set, maxOpenOrders: null, priceBandPercent: 2.5, reduceOnly: true },
  });
  expect(bodyOf({ ...NONE, reduceOnly: true }, {}, false)).toEqual({ body: NONE });
});

test("what cannot be a limit is told at its field and nothing is sent", () => {
  expect(bodyOf(NONE, { maxOpenOrders: "2.5", maxExposure: "-1", maxOrderValue: "lots" }, false)).toEqual({
    wrong: {
      maxOpenOrders: "A whole number",
      maxExposure: "A number above 0, or nothing",
      maxOrderValue: "A number above 0, or nothing",
    },
  });
});

test("where nothing is set the limit above is shown", () => {
  expect(hintOf("maxOpenOrders", { ...NONE, maxOpenOrders: 5 }, NONE)).toBe("orders");
  expect(hintOf("maxOpenOrders", NONE, { ...NONE, maxOpenOrders: 20 })).toBe("orders · by default 20");
  expect(hintOf("maxOpenOrders", NONE, NONE)).toBe("orders · no limit");
});
