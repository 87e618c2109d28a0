import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type KillBody } from "../../api/client";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { notify } from "../../ui/toasts";

export interface Switched {
  scope: KillBody["scope"];
  id?: number | string;
  name: string;
  state?: KillBody["state"];
}

const TITLES = { HALTED: "Halt", REDUCING: "Only reduce", ACTIVE: "Release" } as const;
const EFFECTS = {
  HALTED:
    "Every pending order is cancelled and new ones are refused until you release it. Open positions stay as they are.",
  REDUCING: "New orders are taken only where they reduce a position. Orders at the broker stay there.",
  ACTIVE: "New orders are taken again, as far as nothing else holds them back.",
} as const;

/** Says what will happen and asks why; the reason stands in the record. */
export function SwitchDialog({ of, onClose }: { of: Switched; onClose: () => void }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const state = of.state ?? "HALTED";
  const send = () => {
    setBusy(true);
    setWrong("");
    api
      .kill({ scope: of.scope, ...(of.id !== undefined && { id: of.id }), state, reason } as KillBody)
      .then(
        () => {
          void queries.invalidateQueries({ queryKey: ["risk"] });
          notify({ kind: "success", title: `${TITLES[state]}: done`, text: of.name });
          onClose();
        },
        (error: Error) => setWrong(error.message),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={`${TITLES[state]}: ${of.name}`} onClose={onClose}>
      <p>{EFFECTS[state]}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (reason.trim() !== "") send();
        }}
      >
        <Field
          label="Why"
          value={reason}
          error={wrong}
          onText={setReason}
          autoComplete="off"
          autoFocus
          maxLength={256}
        />
        <div className="row end">
          <button type="button" onClick={onClose}>
            Leave it as it is
          </button>
          <button
            type="submit"
            className={state === "ACTIVE" ? "primary" : "stop"}
            disabled={busy || reason.trim() === ""}
          >
            {TITLES[state]}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
