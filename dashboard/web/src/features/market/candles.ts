// Candles as they are shown. The server draws them; between two readings ticks move the last one.
import type { Candle, Interval } from "../../api/client";
import { arrow, percent, price, quantity, scaled, signOf } from "../../format/numbers";
import { dateInIndia, minuteInIndia } from "../../format/times";

export const INTERVALS: Readonly<Record<Interval, { minutes: number | null; words: string }>> = {
  "1m": { minutes: 1, words: "1 minute" },
  "3m": { minutes: 3, words: "3 minutes" },
  "5m": { minutes: 5, words: "5 minutes" },
  "15m": { minutes: 15, words: "15 minutes" },
  "30m": { minutes: 30, words: "30 minutes" },
  "1h": { minutes: 60, words: "1 hour" },
  "1d": { minutes: null, words: "1 day" },
};
export const intervals = Object.keys(INTERVALS) as Interval[];
const IN_INDIA_SECONDS = 19_800;

/** The known candles with a newer reading of their end, which begins at the last known one. */
export function merged(known: readonly Candle[], newer: readonly Candle[]): readonly Candle[] {
  const first = newer[0];
  if (first === undefined) return known;
  return [...known.filter((each) => each.time < first.time), ...newer];
}

/** The last candle moved by a tick; null once it is over, for the next one is the server's to begin: it knows the session. */
export function grown(last: Candle, tick: { price: number; at: number }, interval: Interval): Candle | null {
  const { minutes } = INTERVALS[interval];
  if (minutes !== null && tick.at >= Date.parse(last.time) + minutes * 60_000) return null;
  return {
    ...last,
    high: Math.max(last.high, tick.price),
    low: Math.min(last.low, tick.price),
    close: tick.price,
  };
}

/** Seconds for the chart, which shows them as UTC: moved so that its axis reads Indian time. */
export const chartSeconds = (iso: string): number => Date.parse(iso) / 1000 + IN_INDIA_SECONDS;

export const timeOf = (candle: Candle, interval: Interval): string =>
  interval === "1d" ? dateInIndia(candle.time) : minuteInIndia(candle.time);

export const changeOf = (candle: Candle): string => {
  const change = scaled(candle.close) - scaled(candle.open);
  return `${arrow(signOf(change))} ${percent(change, scaled(candle.open))}`.trim();
};

/** A candle as it is read aloud. */
export const wordsOf = (candle: Candle, interval: Interval): string =>
  `${timeOf(candle, interval)}: open ${price(candle.open)}, high ${price(candle.high)}, low ${price(candle.low)}, ` +
  `close ${price(candle.close)}, volume ${quantity(candle.volume)}`;
