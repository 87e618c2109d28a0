// What happened, bottom right: successes leave by themselves, refusals stay until they are closed.
import { useSyncExternalStore } from "react";

export interface Toast {
  readonly id: number;
  readonly kind: "success" | "refusal";
  readonly title: string;
  readonly text: string;
  readonly group?: string;
  readonly count: number;
}

const MOST = 3;
const SECONDS = 6;
let toasts: readonly Toast[] = [];
let next = 1;
const watchers = new Set<() => void>();

function set(list: readonly Toast[]): void {
  toasts = list;
  for (const watcher of watchers) watcher();
}

export const dismiss = (id: number): void => set(toasts.filter((each) => each.id !== id));

export function notify(toast: Omit<Toast, "id" | "count">): void {
  const same = toast.group ? toasts.find((each) => each.group === toast.group) : undefined;
  const made: Toast = { ...toast, id: next++, count: (same?.count ?? 0) + 1 };
  set([...toasts.filter((each) => each !== same), made].slice(-MOST));
  if (toast.kind === "success") setTimeout(() => dismiss(made.id), SECONDS * 1000);
}

export const useToasts = (): readonly Toast[] =>
  useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => toasts,
  );
