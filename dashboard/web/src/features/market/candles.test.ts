import { expect, test } from "vitest";
import type { Candle } from "../../api/client";
import { changeOf, chartSeconds, grown, merged, timeOf, wordsOf } from "./candles";

const candle = (time: string, close = 101): Candle => ({
  time,
  open: 100,
  high: 102,
  low: 99.5,
  close,
  volume: 150_000,
});
const at = (time: string, price: number) => ({ at: Date.parse(time), price });

test("a newer reading replaces the end and adds what is new", () => {
  const known = [candle("2026-11-27T04:00:00.000Z"), candle("2026-11-27T04:01:00.000Z")];
  const newer = [candle("2026-11-27T04:01:00.000Z", 105), candle("2026-11-27T04:02:00.000Z", 106)];
  expect(merged(known, newer).map((each) => each.close)).toEqual([101, 105, 106]);
  expect(merged(known, [])).toBe(known);
  expect(merged([], newer)).toEqual(newer);
});

test("ticks move the last candle until it is over", () => {
  const last = candle("2026-11-27T04:00:00.000Z");
  expect(grown(last, at("2026-11-27T04:00:30Z", 103), "1m")).toMatchObject({
    high: 103,
    low: 99.5,
    close: 103,
  });
  expect(grown(last, at("2026-11-27T04:00:59.9Z", 98), "1m")).toMatchObject({
    high: 102,
    low: 98,
    close: 98,
  });
  expect(grown(last, at("2026-11-27T04:01:00Z", 98), "1m")).toBeNull();
  expect(grown(last, at("2026-11-27T09:00:00Z", 98), "1d")).toMatchObject({ low: 98 });
});

test("candles are told in words, in India's time", () => {
  const shown = candle("2026-11-27T04:00:00.000Z");
  expect(new Date(chartSeconds(shown.time) * 1000).toISOString()).toBe("2026-11-27T09:30:00.000Z");
  expect(timeOf(shown, "1d")).toBe("27 Nov 2026");
  expect(changeOf(shown)).toBe("▲ +1.00 %");
  expect(changeOf(candle(shown.time, 100))).toBe("0.00 %");
  expect(wordsOf(shown, "1m")).toBe(
    "27 Nov, 09:30: open 100.00, high 102.00, low 99.50, close 101.00, volume 1,50,000",
  );
});
