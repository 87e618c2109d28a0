import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Pencil, Plus } from "lucide-react";
import { type KeyboardEvent, type RefObject, useLayoutEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import { announce } from "../../ui/announcer";
import { Panel } from "../../ui/Panel";
import { notify } from "../../ui/toasts";
import { SymbolSearch } from "../orders/SymbolSearch";
import { ListDialog } from "./ListDialog";
import { WatchlistRow } from "./WatchlistRow";
import {
  change,
  FIRST_INSTRUMENTS,
  MOST_INSTRUMENTS,
  MOST_LISTS,
  useWatchlists,
  type Watchlist,
  withAdded,
  withChosen,
  withMoved,
  withRemoved,
} from "./watchlists";

interface Props {
  list: Watchlist;
  shown: string | null;
  symbol: RefObject<HTMLInputElement | null>;
  onShow: (instrument: string | null) => void;
}

export function WatchlistPanel({ list, shown, symbol, onShow }: Props) {
  const all = useWatchlists();
  const [edits, setEdits] = useState(false);
  const [dialog, setDialog] = useState<"new" | "change" | null>(null);
  const rows = useRef<HTMLTableSectionElement>(null);
  const focused = useRef<string | null>(null);
  const keys = list.instruments;
  const { data, error, dataUpdatedAt, refetch } = useQuery({
    queryKey: ["quotes", ...keys],
    queryFn: () => api.quotes(keys),
    enabled: keys.length > 0,
    placeholderData: keepPreviousData,
    // Ticks bring the prices; this is for what ticks do not tell.
    refetchInterval: 10_000,
  });
  const quotes = new Map(data?.quotes.map((each) => [each.instrument, each]));

  // A row that was moved is another place in the document, and the focus would be lost with it.
  useLayoutEffect(() => {
    if (focused.current === null) return;
    buttonOf(rows.current, focused.current)?.focus();
    focused.current = null;
  });

  const add = (added: readonly string[]) => {
    if (keys.length + added.length > MOST_INSTRUMENTS) {
      const text = `A watchlist has at most ${MOST_INSTRUMENTS} instruments`;
      notify({ kind: "refusal", title: "Not added", text });
      return;
    }
    change((known) => withAdded(known, added));
    onShow(added[0] ?? null);
  };
  const remove = (key: string) => {
    const place = keys.indexOf(key);
    const next = keys[place + 1] ?? keys[place - 1] ?? null;
    change((known) => withRemoved(known, key));
    announce(`${key} removed`);
    if (key === shown) onShow(next);
    if (next === null) symbol.current?.focus();
    else focused.current = next;
  };
  const move = (key: string, by: number) => {
    const place = keys.indexOf(key) + by;
    if (place < 0 || place >= keys.length) return;
    focused.current = key;
    change((known) => withMoved(known, key, by));
    announce(`${key} is now ${place + 1} of ${keys.length}`);
  };
  const press = (event: KeyboardEvent<HTMLElement>) => {
    const key = (event.target as HTMLElement).dataset.key;
    if (key === undefined) return;
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by !== 0) {
      event.preventDefault();
      if (event.altKey) move(key, by);
      else buttonOf(rows.current, keys[keys.indexOf(key) + by])?.focus();
    } else if (event.key === "Delete") {
      event.preventDefault();
      remove(key);
    }
  };
  return (
    <Panel
      title="Watchlist"
      className="watchlist"
      updatedAt={keys.length > 0 ? dataUpdatedAt : undefined}
      error={error}
      onRetry={() => void refetch()}
      actions={
        keys.length > 0 && (
          <button type="button" className="small" aria-pressed={edits} onClick={() => setEdits(!edits)}>
            {edits ? "Done" : "Edit"}
            <span className="unseen"> the rows</span>
          </button>
        )
      }
    >
      <div className="lists">
        <select
          aria-label="Shown watchlist"
          value={list.id}
          onChange={(event) => {
            const chosen = change((known) => withChosen(known, Number(event.target.value)));
            onShow(chosen.lists.find((each) => each.id === chosen.chosen)?.instruments[0] ?? null);
          }}
        >
          {all.lists.map((each) => (
            <option key={each.id} value={each.id}>
              {each.name} ({each.instruments.length})
            </option>
          ))}
        </select>
        <button
          type="button"
          aria-label="Rename or delete this watchlist"
          title="Rename or delete"
          onClick={() => setDialog("change")}
        >
          <Pencil size={15} aria-hidden />
        </button>
        <button
          type="button"
          aria-label="New watchlist"
          title={all.lists.length < MOST_LISTS ? "New watchlist" : `At most ${MOST_LISTS} watchlists`}
          disabled={all.lists.length >= MOST_LISTS}
          onClick={() => setDialog("new")}
        >
          <Plus size={15} aria-hidden />
        </button>
      </div>
      {dialog !== null && (
        <ListDialog list={dialog === "change" ? list : null} onClose={() => setDialog(null)} />
      )}
      <SymbolSearch
        label="Add a symbol"
        value={null}
        input={symbol}
        onChoose={(found) => add([found.instrument])}
      />
      {keys.length === 0 ? (
        <div className="empty">
          <p>Nothing is watched here yet. Search a symbol above, or</p>
          <button type="button" className="primary" onClick={() => add(FIRST_INSTRUMENTS)}>
            Start with NIFTY, BANKNIFTY and three shares
          </button>
        </div>
      ) : (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard */}
          <section className="scroll" tabIndex={0} aria-label="Watchlist table">
            <table data-edits={edits || undefined}>
              <thead>
                <tr>
                  <th scope="col">Symbol</th>
                  <th scope="col" className="n price">
                    LTP
                  </th>
                  <th scope="col" className="n price change">
                    Change
                  </th>
                  <th scope="col" className="n">
                    {edits ? "Move, remove" : "Volume"}
                  </th>
                </tr>
              </thead>
              <tbody ref={rows} onKeyDown={press}>
                {keys.map((key, place) => (
                  <WatchlistRow
                    key={key}
                    instrument={key}
                    quote={quotes.get(key)}
                    missing={data?.missing.includes(key) ?? false}
                    shown={key === shown}
                    edits={edits}
                    first={place === 0}
                    last={place === keys.length - 1}
                    onShow={onShow}
                    onMove={move}
                    onRemove={remove}
                  />
                ))}
              </tbody>
            </table>
          </section>
          <p className="keys muted">
            <kbd>↑</kbd> <kbd>↓</kbd> walk · <kbd>Alt</kbd> <kbd>↑</kbd> <kbd>↓</kbd> move · <kbd>Del</kbd>{" "}
            removes · <kbd>B</kbd> <kbd>S</kbd> order
          </p>
        </>
      )}
    </Panel>
  );
}

const buttonOf = (rows: HTMLElement | null, key: string | undefined): HTMLElement | null =>
  key === undefined ? null : (rows?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`) ?? null);
