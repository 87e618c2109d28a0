import { type RefObject, useEffect } from "react";

/** Whether a single key is text now, or meant for a dialog. */
export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.matches("input, select, textarea") || target.closest("dialog") !== null);

/** `B` and `S` choose the side, `/` goes to the symbol, Ctrl or ⌘ with Enter sends from any field. No single key works while typing. */
export function useOrderKeys(
  form: RefObject<HTMLFormElement | null>,
  symbol: RefObject<HTMLInputElement | null>,
  onSide: (side: "BUY" | "SELL") => void,
): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "Enter") {
        if (form.current?.contains(document.activeElement)) {
          event.preventDefault();
          form.current.requestSubmit();
        }
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]") !== null) return;
      const key = event.key.toLowerCase();
      if (key === "b" || key === "s") {
        event.preventDefault();
        onSide(key === "b" ? "BUY" : "SELL");
      } else if (key === "/") {
        event.preventDefault();
        symbol.current?.focus();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}
