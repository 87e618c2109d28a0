import { expect, test } from "vitest";
import {
  compact,
  decimal,
  percent,
  price,
  quantity,
  rupees,
  scaled,
  signed,
  typed,
  unrealised,
} from "./numbers";
import { ago, left, timeInIndia } from "./times";

test.each([
  [1245678.5, "₹12,45,678.50"],
  [12345678.9, "₹1,23,45,678.90"],
  [-39, "−₹39.00"],
  [0, "₹0.00"],
  [-0.001, "₹0.00"],
])("%s rupees read %s", (value, text) => expect(rupees(scaled(value))).toBe(text));

test("an unknown is never nought", () => {
  expect(rupees(null)).toBe("—");
  expect(decimal(null)).toBe("—");
  expect(percent(scaled(5), 0)).toBe("—");
});

test("profit always has its sign, nought has none", () => {
  expect(signed(scaled(1484))).toBe("+1,484.00");
  expect(signed(scaled(-39))).toBe("−39.00");
  expect(signed(0)).toBe("0.00");
  expect(percent(scaled(-5), scaled(200))).toBe("−2.50 %");
});

test("prices keep four decimals where they have them", () => {
  expect(price(140.95)).toBe("140.95");
  expect(price(83.1225)).toBe("83.1225");
  expect(price(null)).toBe("—");
  expect(quantity(150000)).toBe("1,50,000");
});

test.each([
  [99_999, "99,999"],
  [100_000, "1.00 L"],
  [9_999_999, "99.99 L"],
  [12_345_678, "1.23 Cr"],
])("%d is %s where there is little room", (count, text) => expect(compact(count)).toBe(text));

test.each([
  ["1,50,000", 150000],
  ["250.5", 250.5],
  ["₹ 10", 10],
  ["", null],
  ["-5", null],
  ["1e5", null],
  ["1.23456", null],
])("typed %j means %s", (text, value) => expect(typed(text)).toBe(value));

test("profit is exact for a thousand prices", () => {
  for (let paise = 1; paise <= 1000; paise++) {
    const last = 100 + paise / 100;
    expect(unrealised(last, 100.05, 7, 1)).toBe((paise - 5) * 100 * 7);
    expect(unrealised(last, 100.05, -7, 1)).toBe(-(paise - 5) * 100 * 7);
  }
});

test("times are India's", () => {
  const now = new Date("2026-02-12T10:00:00Z");
  expect(timeInIndia("2026-02-12T08:05:58.811Z", now)).toBe("13:35:58");
  expect(timeInIndia("2026-02-11T08:05:58Z", now)).toBe("11 Feb 13:35:58");
  expect(ago(now.getTime() - 5000, now.getTime())).toBe("5 s ago");
  expect(left("2026-02-12T15:12:00Z", now.getTime())).toBe("5 h 12 min");
  expect(left("2026-02-12T09:00:00Z", now.getTime())).toBe("");
});
