// The latest price of each instrument, told to the cells that show it, once a frame.
import { useSyncExternalStore } from "react";

export interface Tick {
  readonly price: number;
  readonly at: number;
  /** Traded since the session opened. */
  readonly volume: number;
}

const latest = new Map<string, Tick>();
const listeners = new Map<string, Set<() => void>>();
const dirty = new Set<string>();
let scheduled = false;

function flush(): void {
  scheduled = false;
  const changed = [...dirty];
  dirty.clear();
  for (const key of changed) for (const listener of listeners.get(key) ?? []) listener();
}

export function told(key: string, price: number, at: number, volume: number): void {
  latest.set(key, { price, at, volume });
  dirty.add(key);
  if (scheduled || document.hidden) return;
  scheduled = true;
  requestAnimationFrame(flush);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && dirty.size > 0) flush();
});

export function usePrice(key: string): Tick | undefined {
  return useSyncExternalStore(
    (listener) => {
      const known = listeners.get(key) ?? new Set();
      listeners.set(key, known.add(listener));
      return () => {
        known.delete(listener);
        if (known.size === 0) listeners.delete(key);
      };
    },
    () => latest.get(key),
  );
}

export const lastPrice = (key: string): Tick | undefined => latest.get(key);

/** For sums over many instruments: told at most once a second. */
export function useEverySecond(): number {
  return useSyncExternalStore(
    (listener) => {
      const timer = setInterval(listener, 1000);
      return () => clearInterval(timer);
    },
    () => Math.floor(Date.now() / 1000),
  );
}
