import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { useAccounts } from "../../app/selected";
import { timeInIndia } from "../../format/times";
import { notify } from "../../ui/toasts";
import { causeOf, placeOf } from "./words";

export const useRisk = () => useQuery({ queryKey: ["risk"], queryFn: api.risk });

/** Over every page while somebody's switch holds trading back: who, when, why, and the way out. */
export function TradingBanner() {
  const { data } = useRisk();
  const { data: accounts } = useAccounts();
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const controls = data?.controls.filter((each) => each.state !== "ACTIVE") ?? [];
  if (controls.length === 0) return null;
  const own = controls.find((each) => each.scope === "global" && each.cause === "SWITCH");
  const release = () =>
    api.kill({ scope: "global", state: "ACTIVE", reason }).then(
      () => {
        setReason("");
        void queries.invalidateQueries({ queryKey: ["risk"] });
      },
      (error: Error) => notify({ kind: "refusal", title: "Not released", text: error.message }),
    );
  return (
    <section className="banner" role="alert" aria-label="Trading is held back">
      {controls.map((each) => (
        <p key={`${each.scope}:${each.id}:${each.cause}`}>
          <strong>{each.state === "HALTED" ? "Trading is halted" : "Positions may only be reduced"}</strong> (
          {placeOf(each, accounts)}) since {timeInIndia(each.changedAt)} by {causeOf(each)}: {each.reason}
        </p>
      ))}
      {own && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void release();
          }}
        >
          <label htmlFor="release">Reason to go on</label>
          <input id="release" value={reason} onChange={(event) => setReason(event.target.value)} />
          <button type="submit" disabled={reason.trim() === ""}>
            Release
          </button>
        </form>
      )}
    </section>
  );
}
