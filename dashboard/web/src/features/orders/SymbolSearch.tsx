import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, type Ref, useDeferredValue, useEffect, useId, useState } from "react";
import { api, type Instrument } from "../../api/client";

interface Props {
  label?: string;
  /** Whose instruments are offered. */
  accountId?: number;
  value: Instrument | null;
  error?: string;
  input: Ref<HTMLInputElement>;
  onChoose: (instrument: Instrument) => void;
}

/** A combobox by the book: arrows walk the list, Enter takes, Esc closes. Its text is its own, so typing draws nothing else anew. */
export function SymbolSearch({ label = "Symbol", accountId, value, error, input, onChoose }: Props) {
  const id = useId();
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const [entered, setEntered] = useState(false);
  const asked = useDeferredValue(text.trim());
  const { data, isFetching } = useQuery({
    queryKey: ["instruments", asked, accountId],
    queryFn: () => api.instruments(asked, accountId),
    enabled: open && asked.length > 0,
  });
  const found = asked.length > 0 ? (data ?? []) : [];
  const shown = open ? text : value ? value.symbol : text;

  // Enter pressed faster than the list came takes from the list of what was typed, never from an older one.
  const current = asked === text.trim();
  useEffect(() => {
    if (!entered || !current || data === undefined) return;
    setEntered(false);
    enter();
  });

  const take = (instrument: Instrument) => {
    setText("");
    setOpen(false);
    onChoose(instrument);
  };
  const enter = () => {
    const exact = found.find((each) => each.symbol === text.trim().toUpperCase());
    const chosen = at > 0 ? found[at] : (exact ?? found[0]);
    if (chosen) take(chosen);
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setOpen(true);
      if (found.length > 0) setAt((at + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length);
    } else if (event.key === "Enter" && open) {
      event.preventDefault();
      if (current && data !== undefined) enter();
      else setEntered(text.trim() !== "");
    } else if (event.key === "Escape" && open) {
      event.stopPropagation();
      setOpen(false);
    }
  };
  return (
    <div className="field symbol">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        ref={input}
        role="combobox"
        aria-expanded={open && found.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open && found[at] ? `${id}-${at}` : undefined}
        aria-invalid={error ? true : undefined}
        aria-describedby={`${id}-more`}
        autoComplete="off"
        spellCheck={false}
        placeholder="RELIANCE, NIFTY…"
        value={shown}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
          setEntered(false);
          setOpen(true);
        }}
        onFocus={(event) => event.target.select()}
        onBlur={() => {
          setOpen(false);
          setEntered(false);
        }}
        onKeyDown={press}
      />
      <div
        className="options"
        id={`${id}-list`}
        role="listbox"
        aria-label="Instruments"
        hidden={!open || found.length === 0}
      >
        {found.map((each, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: the input keeps the focus
          <div
            key={each.instrument}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === at}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(each)}
          >
            <strong>{each.symbol}</strong> <small>{each.exchange}</small>
            <span className="muted">{each.name}</span>
          </div>
        ))}
      </div>
      <small id={`${id}-more`} className={error ? "wrong" : "muted"}>
        {error ??
          (open && asked && !isFetching && found.length === 0
            ? "Nothing found"
            : value
              ? `${value.exchange} · ${value.name} · lot ${value.lotSize} · tick ${value.tickSize}`
              : "Type to search")}
      </small>
    </div>
  );
}
