// The one place that knows the chart library; a chunk of its own, fetched when a chart is first shown.
import {
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type UTCTimestamp,
} from "lightweight-charts";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { Candle, Interval } from "../../api/client";
import { compact, price, quantity, scaled, signOf } from "../../format/numbers";
import { usePrice } from "../../live/prices";
import { announce } from "../../ui/announcer";
import { changeOf, chartSeconds, grown, INTERVALS, timeOf, wordsOf } from "./candles";
import { type Colours, coloursOf, onColours } from "./colours";

interface Props {
  instrument: string;
  interval: Interval;
  candles: readonly Candle[];
  /** The last candle is over: the server has the next one. */
  onOver: () => void;
}
interface Drawn {
  chart: IChartApi;
  prices: ISeriesApi<"Candlestick">;
  volumes: ISeriesApi<"Histogram">;
}

const SHOWN_FIRST = 120;
const ASK_EACH_MS = 1000;
const at = (candle: Candle) => chartSeconds(candle.time) as UTCTimestamp;
const bar = ({ open, high, low, close, ...rest }: Candle) => ({
  time: chartSeconds(rest.time) as UTCTimestamp,
  open,
  high,
  low,
  close,
});
const column = (candle: Candle, colours: Colours) => ({
  time: at(candle),
  value: candle.volume,
  color: candle.close < candle.open ? colours.downVolume : colours.upVolume,
});

export default function CandleChart({ instrument, interval, candles, onOver }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const askedAt = useRef(0);
  const [pointed, setPointed] = useState<number | null>(null);
  // Walked to by keys: it stays at its candle when newer ones push it aside. The mouse points at a place instead.
  const walked = useRef<number | null>(null);
  const tick = usePrice(instrument);
  const server = candles.at(-1) as Candle;
  const moved = tick ? grown(server, tick, interval) : server;
  const last = moved ?? server;

  // biome-ignore lint/correctness/useExhaustiveDependencies: made once; the panel gives another interval another chart
  useEffect(() => {
    const made = make(box.current as HTMLDivElement, interval);
    drawn.current = made;
    made.chart.subscribeCrosshairMove((event) => {
      if (event.sourceEvent !== undefined) walked.current = null;
      if (walked.current === null) setPointed((event.time as number | undefined) ?? null);
    });
    made.prices.setData(candles.map(bar));
    made.chart.timeScale().setVisibleLogicalRange({
      from: candles.length - SHOWN_FIRST,
      to: candles.length + 3,
    });
    return () => {
      drawn.current = null;
      made.chart.remove();
    };
  }, []);
  useEffect(() => {
    const draw = () => {
      if (drawn.current === null) return;
      const colours = coloursOf();
      paint(drawn.current, colours);
      drawn.current.prices.setData(candles.map(bar));
      drawn.current.volumes.setData(candles.map((each) => column(each, colours)));
      const stays = candles.find((each) => at(each) === walked.current);
      if (stays) drawn.current.chart.setCrosshairPosition(stays.close, at(stays), drawn.current.prices);
    };
    draw();
    return onColours(draw);
  }, [candles]);
  useEffect(() => {
    const colours = coloursOf();
    drawn.current?.prices.update(bar(last));
    // Its own colour is that of a hollow candle's inside, which nobody sees.
    drawn.current?.prices.applyOptions({
      priceLineColor: last.close < last.open ? colours.down : colours.up,
    });
  }, [last]);
  useEffect(() => {
    if (moved !== null || Date.now() - askedAt.current < ASK_EACH_MS) return;
    askedAt.current = Date.now();
    onOver();
  });

  const place = candles.findIndex((each) => at(each) === pointed);
  const told = place < 0 || place === candles.length - 1 ? last : (candles[place] as Candle);
  const walk = (event: KeyboardEvent) => {
    const { chart, prices } = drawn.current as Drawn;
    const from = place < 0 ? candles.length : place;
    const steps: Record<string, number> = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      Home: 0,
      End: candles.length - 1,
    };
    const target = steps[event.key];
    if (target !== undefined) {
      event.preventDefault();
      const next = candles[Math.max(0, Math.min(target, candles.length - 1))] as Candle;
      walked.current = at(next);
      chart.setCrosshairPosition(next.close, at(next), prices);
      setPointed(at(next));
      reveal(chart, candles.indexOf(next));
      announce(wordsOf(next, interval));
    } else if (event.key === "Escape") {
      walked.current = null;
      chart.clearCrosshairPosition();
      setPointed(null);
    } else if (event.key === "+" || event.key === "=" || event.key === "-") {
      event.preventDefault();
      zoom(chart, event.key === "-" ? 1.25 : 0.8);
    }
  };
  return (
    <>
      <Legend candle={told} interval={interval} />
      <section
        className="chart"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: its keys walk the candles
        tabIndex={0}
        aria-label={`Candles of ${INTERVALS[interval].words}. Left and right arrows walk them, plus and minus zoom.`}
        onKeyDown={walk}
      >
        <div ref={box} aria-hidden />
      </section>
    </>
  );
}

function Legend({ candle, interval }: { candle: Candle; interval: Interval }) {
  const sign = signOf(scaled(candle.close) - scaled(candle.open));
  return (
    <p className="legend">
      <span className="muted">{timeOf(candle, interval)}</span> <span>Open {price(candle.open)}</span>{" "}
      <span>High {price(candle.high)}</span> <span>Low {price(candle.low)}</span>{" "}
      <span>Close {price(candle.close)}</span> <span className={sign}>{changeOf(candle)}</span>{" "}
      <span title={quantity(candle.volume)}>Volume {compact(candle.volume)}</span>
    </p>
  );
}

function make(box: HTMLDivElement, interval: Interval): Drawn {
  const chart = createChart(box, {
    autoSize: true,
    // The library's logo brings a style sheet of its own, which the page's policy forbids: its words stand below the chart.
    layout: { attributionLogo: false },
    crosshair: { mode: CrosshairMode.Normal },
    rightPriceScale: { scaleMargins: { top: 0.06, bottom: 0.24 } },
    timeScale: { timeVisible: interval !== "1d", secondsVisible: false },
    localization: { priceFormatter: price, locale: "en-IN" },
  });
  const prices = chart.addSeries(CandlestickSeries, { priceLineVisible: true });
  const volumes = chart.addSeries(HistogramSeries, {
    priceScaleId: "volume",
    priceFormat: { type: "custom", formatter: compact, minMove: 1 },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  return { chart, prices, volumes };
}

function paint({ chart, prices }: Drawn, colours: Colours): void {
  chart.applyOptions({
    layout: {
      background: { type: ColorType.Solid, color: colours.panel },
      textColor: colours.text,
      fontFamily: colours.font,
    },
    grid: { vertLines: { color: colours.line }, horzLines: { color: colours.line } },
    rightPriceScale: { borderColor: colours.line },
    timeScale: { borderColor: colours.line },
  });
  prices.applyOptions({
    // Hollow and filled: which way it went is seen without colours too.
    upColor: colours.panel,
    downColor: colours.down,
    borderUpColor: colours.up,
    borderDownColor: colours.down,
    wickUpColor: colours.up,
    wickDownColor: colours.down,
  });
}

function zoom(chart: IChartApi, factor: number): void {
  const range = chart.timeScale().getVisibleLogicalRange();
  if (range === null) return;
  chart
    .timeScale()
    .setVisibleLogicalRange({ from: range.to - (range.to - range.from) * factor, to: range.to });
}

/** Scrolls so far that the candle is seen. */
function reveal(chart: IChartApi, place: number): void {
  const range = chart.timeScale().getVisibleLogicalRange();
  if (range === null || (place >= range.from && place <= range.to)) return;
  const by = place < range.from ? place - range.from - 2 : place - range.to + 2;
  chart.timeScale().setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
}
