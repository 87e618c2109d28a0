import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { api, type Candle, type Interval } from "../../api/client";
import { useHealth } from "../../live/socket";
import { Panel } from "../../ui/Panel";
import { CandleTable } from "./CandleTable";
import { INTERVALS, intervals, merged } from "./candles";

const CandleChart = lazy(() => import("./CandleChart"));
const DAY_MS = 24 * 3_600_000;
const KEPT = "vyomo.interval";
const kept = (): Interval => {
  const stored = localStorage.getItem(KEPT);
  return intervals.find((each) => each === stored) ?? "5m";
};

export function ChartPanel({ instrument }: { instrument: string }) {
  const [interval, setInterval] = useState(kept);
  const [asTable, setAsTable] = useState(false);
  const health = useHealth();
  const cache = useQueryClient();
  const queryKey = ["candles", instrument, interval];
  const { data, error, dataUpdatedAt, refetch } = useQuery({
    queryKey,
    queryFn: async (): Promise<readonly Candle[]> => {
      const known = cache.getQueryData<readonly Candle[]>(queryKey);
      const last = known?.at(-1);
      // What was away for long reads anew; else only the end is asked for.
      if (known === undefined || last === undefined || !isRecent(last))
        return api.candles(instrument, interval);
      return merged(known, await api.candles(instrument, interval, last.time));
    },
    refetchInterval: 5000,
  });
  const choose = (next: Interval) => {
    localStorage.setItem(KEPT, next);
    setInterval(next);
  };
  const [, symbol] = instrument.split(":");
  return (
    <Panel
      title={`${symbol} chart`}
      className="chartpanel"
      error={error}
      onRetry={() => void refetch()}
      updatedAt={dataUpdatedAt}
      actions={
        // biome-ignore lint/a11y/useSemanticElements: a fieldset has a legend to show
        <div role="group" aria-label="Interval" className="intervals">
          {intervals.map((each) => (
            <button
              key={each}
              type="button"
              className="chip"
              aria-pressed={each === interval}
              onClick={() => choose(each)}
            >
              {each}
              <span className="unseen">, {INTERVALS[each].words}</span>
            </button>
          ))}
          <button
            type="button"
            className="chip"
            aria-pressed={asTable}
            disabled={!data?.length}
            onClick={() => setAsTable(!asTable)}
          >
            Show as table
          </button>
        </div>
      }
    >
      <div className="chartbox" data-frozen={health === "disconnected" || undefined}>
        {data === undefined && !error && <p className="empty">Reading the candles…</p>}
        {data?.length === 0 && <p className="empty">No candles of {INTERVALS[interval].words} yet.</p>}
        {data && data.length > 0 && asTable && <CandleTable candles={data} interval={interval} />}
        {data && data.length > 0 && !asTable && (
          <Suspense fallback={<p className="empty">Opening the chart…</p>}>
            <CandleChart
              key={interval}
              instrument={instrument}
              interval={interval}
              candles={data}
              onOver={() => void refetch()}
            />
          </Suspense>
        )}
      </div>
      <p className="attribution muted">
        {health === "disconnected" && data && (
          <span className="warn">Disconnected: the chart stands still. </span>
        )}
        Times are IST. Up is hollow, down is filled. Chart by{" "}
        <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
          TradingView Lightweight Charts™
        </a>
        , © TradingView, Inc.
      </p>
    </Panel>
  );
}

/** A day away is at most 1,440 candles, which one answer holds. */
const isRecent = (last: Candle): boolean => Date.now() - Date.parse(last.time) < DAY_MS;
