import { expect, test } from "vitest";
import { EVERYTHING, parametersOf } from "./asked";

test("empty fields ask for nothing", () => {
  expect(parametersOf(EVERYTHING)).toEqual({});
  expect(parametersOf({ ...EVERYTHING, symbol: " ", accountId: "3" })).toEqual({ accountId: "3" });
});

test("days are India's, with everything of them", () => {
  const asked = { ...EVERYTHING, symbol: "reliance ", from: "2026-11-27", to: "2026-11-27" };
  expect(parametersOf(asked)).toEqual({
    symbol: "RELIANCE",
    from: "2026-11-26T18:30:00.000Z",
    to: "2026-11-27T18:30:00.000Z",
  });
});
