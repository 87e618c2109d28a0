// Watchlists: this browser's own, so they are kept in its storage. Functions take the whole and give it back changed.
import { useSyncExternalStore } from "react";

export interface Watchlist {
  readonly id: number;
  readonly name: string;
  /** `EXCHANGE:SYMBOL` each. */
  readonly instruments: readonly string[];
}
export interface Watchlists {
  readonly lists: readonly Watchlist[];
  readonly chosen: number;
}

export const MOST_LISTS = 10;
export const MOST_INSTRUMENTS = 50;
export const LONGEST_NAME = 24;
export const FIRST_INSTRUMENTS = ["NSE:NIFTY", "NSE:BANKNIFTY", "NSE:RELIANCE", "NSE:HDFCBANK", "NSE:INFY"];
const KEY = "vyomo.watchlists";
const FIRST: Watchlists = { lists: [{ id: 1, name: "Watchlist", instruments: [] }], chosen: 1 };
const INSTRUMENT = /^[A-Z]+:.{1,64}$/;

export const chosenOf = (all: Watchlists): Watchlist =>
  all.lists.find((each) => each.id === all.chosen) ?? (all.lists[0] as Watchlist);

/** What is stored may be from another version, or spoilt: what can be read of it is kept. */
export function parsed(text: string | null): Watchlists {
  let stored: { lists?: unknown; chosen?: unknown } | null;
  try {
    stored = JSON.parse(text ?? "null");
  } catch {
    return FIRST;
  }
  const rows = Array.isArray(stored?.lists) ? (stored.lists as Partial<Watchlist>[]) : [];
  const lists = rows.slice(0, MOST_LISTS).map((row, place) => ({
    id: place + 1,
    name: cleanName(String(row?.name ?? "")) || `Watchlist ${place + 1}`,
    instruments: unique(Array.isArray(row?.instruments) ? row.instruments : []),
  }));
  if (lists.length === 0) return FIRST;
  const place = rows.findIndex((row) => row?.id === stored?.chosen);
  return { lists, chosen: lists[place]?.id ?? 1 };
}

const unique = (keys: readonly unknown[]): string[] =>
  [...new Set(keys)]
    .filter((key): key is string => typeof key === "string" && INSTRUMENT.test(key))
    .slice(0, MOST_INSTRUMENTS);

export const cleanName = (text: string): string => text.trim().slice(0, LONGEST_NAME);

const withInstruments = (all: Watchlists, change: (known: readonly string[]) => readonly string[]) => {
  const list = chosenOf(all);
  const changed = { ...list, instruments: change(list.instruments) };
  return { ...all, lists: all.lists.map((each) => (each === list ? changed : each)) };
};

/** At the end; what is there already stays where it is. */
export const withAdded = (all: Watchlists, keys: readonly string[]): Watchlists =>
  withInstruments(all, (known) => unique([...known, ...keys]));

export const withRemoved = (all: Watchlists, key: string): Watchlists =>
  withInstruments(all, (known) => known.filter((each) => each !== key));

/** `by` places down, or up when negative; never past the ends. */
export const withMoved = (all: Watchlists, key: string, by: number): Watchlists =>
  withInstruments(all, (known) => {
    const from = known.indexOf(key);
    const to = from + by;
    if (from < 0 || to < 0 || to >= known.length) return known;
    const rest = known.filter((each) => each !== key);
    return [...rest.slice(0, to), key, ...rest.slice(to)];
  });

export const withChosen = (all: Watchlists, id: number): Watchlists => ({ ...all, chosen: id });

export function withNewList(all: Watchlists, name: string): Watchlists {
  if (all.lists.length >= MOST_LISTS || cleanName(name) === "") return all;
  const id = Math.max(...all.lists.map((each) => each.id)) + 1;
  return { lists: [...all.lists, { id, name: cleanName(name), instruments: [] }], chosen: id };
}

export function withName(all: Watchlists, name: string): Watchlists {
  const list = chosenOf(all);
  const cleaned = cleanName(name) || list.name;
  return {
    ...all,
    lists: all.lists.map((each) => (each === list ? { ...list, name: cleaned } : each)),
  };
}

/** Without the chosen one; the last list of all is only emptied. */
export function withoutList(all: Watchlists): Watchlists {
  const list = chosenOf(all);
  if (all.lists.length === 1) return withInstruments(all, () => []);
  const lists = all.lists.filter((each) => each !== list);
  return { lists, chosen: (lists[0] as Watchlist).id };
}

let current: Watchlists | null = null;
const watchers = new Set<() => void>();
const now = (): Watchlists => {
  current ??= parsed(localStorage.getItem(KEY));
  return current;
};
const tell = () => {
  for (const watcher of watchers) watcher();
};

// Another tab changed them.
addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  current = null;
  tell();
});

export function change(make: (all: Watchlists) => Watchlists): Watchlists {
  current = make(now());
  localStorage.setItem(KEY, JSON.stringify(current));
  tell();
  return current;
}

export const useWatchlists = (): Watchlists =>
  useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, now);
