import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Exit } from "../../api/client";
import { nameOf, useAccounts } from "../../app/selected";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Panel } from "../../ui/Panel";

/** Closes positions at the market: another act than halting, asked for by itself. */
export function ExitAll() {
  const [asks, setAsks] = useState(false);
  return (
    <Panel title="Exit all positions">
      <p>
        Places a MARKET order against every open position. Delivered shares stay. Halting cancels orders and
        leaves positions alone; this does the opposite, and needs trading not to be halted.
      </p>
      <div className="row">
        <button type="button" className="stop" onClick={() => setAsks(true)}>
          Exit all positions…
        </button>
      </div>
      {asks && <ExitDialog onClose={() => setAsks(false)} />}
    </Panel>
  );
}

function ExitDialog({ onClose }: { onClose: () => void }) {
  const queries = useQueryClient();
  const { data: accounts } = useAccounts();
  const [level, setLevel] = useState("");
  const [word, setWord] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const [exits, setExits] = useState<Exit[] | null>(null);
  // The same key for a repeat: what was placed is never placed again.
  const [key] = useState(() => `page-${crypto.randomUUID()}`);
  const send = () => {
    setBusy(true);
    setWrong("");
    api
      .exitAll(key, level === "" ? undefined : Number(level))
      .then(
        (answer) => {
          setExits(answer.exits);
          if (!answer.complete)
            setWrong(
              "Not all positions are being closed; see below. Pressing again repeats what is missing.",
            );
          void queries.invalidateQueries({ queryKey: ["orders"] });
        },
        (error: Error) => setWrong(`${error.message}. Pressing again asks for the same exits, never twice.`),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title="Exit all positions" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (word === "EXIT") send();
        }}
      >
        <label className="field">
          Positions of
          <select value={level} disabled={exits !== null} onChange={(event) => setLevel(event.target.value)}>
            <option value="">All accounts</option>
            {accounts?.map((each) => (
              <option key={each.id} value={each.id}>
                {nameOf(each)}
              </option>
            ))}
          </select>
        </label>
        <Field label="Type EXIT" value={word} onText={setWord} autoComplete="off" autoFocus />
        {wrong && (
          <p className="notice" role="alert">
            {wrong}
          </p>
        )}
        {exits && (
          <ul className="list" aria-label="Exits">
            {exits.length === 0 && <li>There is no open position to close.</li>}
            {exits.map((each) => (
              <li key={`${each.accountId}:${each.exchange}:${each.symbol}:${each.product}`}>
                {each.symbol} {each.product}, {each.quantity}:{" "}
                {each.error ? each.error.message : `order ${each.order?.orderId ?? ""} placed`}
              </li>
            ))}
          </ul>
        )}
        <div className="row end">
          <button type="button" onClick={onClose}>
            {exits ? "Close" : "Keep positions"}
          </button>
          <button type="submit" className="stop" disabled={word !== "EXIT" || busy}>
            Exit all
          </button>
        </div>
      </form>
    </Dialog>
  );
}
