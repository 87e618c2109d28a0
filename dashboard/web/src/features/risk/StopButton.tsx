import { useQueryClient } from "@tanstack/react-query";
import { OctagonX } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/client";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { notify } from "../../ui/toasts";

/** The kill switch, two actions from everywhere: press, then type STOP. */
export function StopButton() {
  const [asks, setAsks] = useState(false);
  const [word, setWord] = useState("");
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const close = () => {
    setAsks(false);
    setWord("");
  };
  const stop = () => {
    setBusy(true);
    api
      .kill({ scope: "global", state: "HALTED", reason: "stopped from the dashboard" })
      .then(
        () => {
          void queries.invalidateQueries({ queryKey: ["risk"] });
          close();
        },
        (error: Error) => notify({ kind: "refusal", title: "NOT stopped", text: error.message }),
      )
      .finally(() => setBusy(false));
  };
  return (
    <>
      <button type="button" className="stop" onClick={() => setAsks(true)}>
        <OctagonX size={16} aria-hidden /> STOP
      </button>
      {asks && (
        <Dialog title="Stop all trading" onClose={close}>
          <p>
            Cancels every pending order of all your accounts and refuses new ones until you release it. Open
            positions stay as they are.
          </p>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (word === "STOP") stop();
            }}
          >
            <Field label="Type STOP" value={word} onText={setWord} autoComplete="off" autoFocus />
            <div className="row end">
              <button type="button" onClick={close}>
                Keep trading
              </button>
              <button type="submit" className="stop" disabled={word !== "STOP" || busy}>
                Stop all trading
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
