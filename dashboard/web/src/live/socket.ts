// One WebSocket for the whole page: reference-counted prices, events into the query cache, and a word on its health.
import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import type { Account, Margins, Order, Position } from "../api/client";
import { announce } from "../ui/announcer";
import { notify } from "../ui/toasts";
import { told } from "./prices";

export type Health = "connecting" | "live" | "disconnected";
interface Message {
  type: string;
  cursor?: number;
  order?: Order;
  position?: Position;
  accountId?: number;
  margins?: Margins;
  state?: string;
  validUntil?: string | null;
  reason?: string | null;
  code?: string;
  message?: string;
  prices?: { instrument: string; lastPrice: number; volume: number }[];
}

const SILENCE_MS = 2500;
const wanted = new Map<string, number>();
let socket: WebSocket | null = null;
let health: Health = "connecting";
let attempts = 0;
let heardAt = 0;
let timer = 0;
let cache: QueryClient | null = null;
const watchers = new Set<() => void>();

function become(next: Health): void {
  if (next === health) return;
  health = next;
  if (next === "disconnected") announce("Disconnected from Vyomo");
  if (next === "live") announce("Connected to Vyomo");
  for (const watcher of watchers) watcher();
}

export const useHealth = (): Health =>
  useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => health,
  );

export function connect(client: QueryClient): () => void {
  cache = client;
  open();
  const beat = setInterval(check, 1000);
  addEventListener("online", open);
  return () => {
    clearInterval(beat);
    clearTimeout(timer);
    removeEventListener("online", open);
    const old = socket;
    socket = null;
    old?.close();
  };
}

function open(): void {
  clearTimeout(timer);
  if (socket !== null && socket.readyState <= WebSocket.OPEN) return;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = new WebSocket(`${scheme}://${location.host}/ws`);
  socket = opened;
  opened.onopen = () => {
    heardAt = Date.now();
    if (wanted.size > 0) say({ type: "subscribe", instruments: [...wanted.keys()] });
  };
  opened.onmessage = (event) => {
    heardAt = Date.now();
    hear(JSON.parse(event.data as string) as Message);
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    become("disconnected");
    // A gateway that starts anew is back within seconds; one that is gone for long is not asked by every page at once.
    const pause = Math.min(500 * 2 ** attempts++, 8000) * (0.7 + 0.6 * Math.random());
    timer = window.setTimeout(open, pause);
  };
}

function check(): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (Date.now() - heardAt > SILENCE_MS) {
    become("disconnected");
    socket.close();
    return;
  }
  say({ type: "ping" });
}

const say = (message: object): void => {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
};

function hear(message: Message): void {
  if (cache === null) return;
  switch (message.type) {
    case "live":
      attempts = 0;
      // Whatever was missed is read before the page says that it is live.
      void Promise.all(
        ["accounts", "orders", "positions", "margins", "risk"].map((name) =>
          cache?.invalidateQueries({ queryKey: [name] }),
        ),
      ).then(() => become("live"));
      return;
    case "price":
      for (const each of message.prices ?? []) told(each.instrument, each.lastPrice, Date.now(), each.volume);
      return;
    case "order":
      if (message.order) heardOrder(message.order);
      return;
    case "position":
      if (message.position) heardPosition(message.position);
      return;
    case "margin":
      cache.setQueryData(["margins", message.accountId], message.margins);
      void cache.invalidateQueries({ queryKey: ["accounts"] });
      return;
    case "session":
      cache.setQueryData<Account[]>(["accounts"], (known) =>
        known?.map((each) =>
          each.id === message.accountId
            ? ({
                ...each,
                session: { state: message.state, validUntil: message.validUntil, reason: message.reason },
              } as Account)
            : each,
        ),
      );
      return;
    case "risk":
      void cache.invalidateQueries({ queryKey: ["risk"] });
      return;
    case "alert":
      notify({ kind: "refusal", title: message.code ?? "Alert", text: message.message ?? "" });
      return;
  }
}

function heardOrder(order: Order): void {
  cache?.setQueryData<Order[]>(["orders", order.accountId], (known) => withOrder(known, order));
  const done = `${order.transactionType} ${order.quantity} ${order.symbol}`;
  if (order.status === "COMPLETE") {
    notify({ kind: "success", title: `Filled: ${done}`, text: `at ${order.averagePrice}`, group: "fills" });
  } else if (order.status === "REJECTED") {
    notify({ kind: "refusal", title: `Rejected: ${done}`, text: order.reason ?? order.reasonCode ?? "" });
  }
  if (order.status !== "PENDING") announce(`${order.symbol} ${order.status.toLowerCase()}`);
}

/** The list with the order as it now is; an older version than the one we have changes nothing. */
export function withOrder(known: Order[] | undefined, order: Order): Order[] | undefined {
  if (known === undefined) return undefined;
  const place = known.findIndex((each) => each.orderId === order.orderId);
  if (place < 0) return [order, ...known];
  const before = known[place];
  if (before !== undefined && before.version >= order.version) return known;
  return known.map((each, index) => (index === place ? order : each));
}

function heardPosition(position: Position): void {
  cache?.setQueryData<Position[]>(["positions", position.accountId], (known) => {
    if (known === undefined) return undefined;
    const same = (each: Position) =>
      each.exchange === position.exchange &&
      each.symbol === position.symbol &&
      each.product === position.product;
    return known.some(same) ? known.map((each) => (same(each) ? position : each)) : [...known, position];
  });
}

/** Watch an instrument's price for as long as the component shows it. */
export function useWatch(instrument: string | null): void {
  useEffect(() => {
    if (instrument === null) return;
    const count = wanted.get(instrument) ?? 0;
    wanted.set(instrument, count + 1);
    if (count === 0) say({ type: "subscribe", instruments: [instrument] });
    return () => {
      const rest = (wanted.get(instrument) ?? 1) - 1;
      if (rest > 0) {
        wanted.set(instrument, rest);
        return;
      }
      wanted.delete(instrument);
      say({ type: "unsubscribe", instruments: [instrument] });
    };
  }, [instrument]);
}
