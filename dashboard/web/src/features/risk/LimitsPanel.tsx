import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, Refusal } from "../../api/client";
import { nameOf, useAccounts } from "../../app/selected";
import { Field } from "../../ui/Field";
import { Panel } from "../../ui/Panel";
import { notify } from "../../ui/toasts";
import { bodyOf, hintOf, LIMITS, NAMES, type Texts, textOf } from "./limits";

/** Limits of all accounts together, or of one: what is set there, and what applies where nothing is. */
export function LimitsPanel() {
  const { data: accounts } = useAccounts();
  const [level, setLevel] = useState("");
  return (
    <Panel
      title="Limits"
      actions={
        <label className="inline">
          <span className="unseen">Limits of</span>
          <select value={level} onChange={(event) => setLevel(event.target.value)}>
            <option value="">All accounts</option>
            {accounts?.map((each) => (
              <option key={each.id} value={each.id}>
                {nameOf(each)}
              </option>
            ))}
          </select>
        </label>
      }
    >
      <LimitsForm key={level} accountId={level === "" ? undefined : Number(level)} />
    </Panel>
  );
}

function LimitsForm({ accountId }: { accountId: number | undefined }) {
  const queries = useQueryClient();
  const { data, error } = useQuery({
    queryKey: ["risk", "limits", accountId],
    queryFn: () => api.limits(accountId),
  });
  const [texts, setTexts] = useState<Texts>({});
  const [reduces, setReduces] = useState<boolean | null>(null);
  const [wrong, setWrong] = useState<Texts & { other?: string }>({});
  const [busy, setBusy] = useState(false);
  if (error)
    return (
      <p className="notice" role="alert">
        {error.message}
      </p>
    );
  if (!data) return <p className="empty">Reading the limits…</p>;
  const { limits, effective } = data;
  const reduceOnly = reduces ?? limits.reduceOnly === true;
  const isChanged = reduces !== null || Object.keys(texts).length > 0;
  const save = () => {
    const made = bodyOf(limits, texts, reduceOnly);
    if ("wrong" in made) {
      setWrong(made.wrong);
      return;
    }
    setBusy(true);
    setWrong({});
    api
      .setLimits(made.body, accountId)
      .then(
        (answer) => {
          queries.setQueryData(["risk", "limits", accountId], answer);
          void queries.invalidateQueries({ queryKey: ["risk"] });
          setTexts({});
          setReduces(null);
          notify({ kind: "success", title: "Limits saved", text: "They hold from the next order on." });
        },
        (refusal: Error) => {
          const field = refusal instanceof Refusal ? refusal.field : undefined;
          setWrong(field && field in LIMITS ? { [field]: refusal.message } : { other: refusal.message });
        },
      )
      .finally(() => setBusy(false));
  };
  return (
    <form
      className="limits"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      {NAMES.map((name) => (
        <Field
          key={name}
          label={LIMITS[name].label}
          name={name}
          inputMode={LIMITS[name].whole ? "numeric" : "decimal"}
          autoComplete="off"
          value={texts[name] ?? textOf(limits[name])}
          hint={hintOf(name, limits, effective)}
          error={wrong[name]}
          onText={(text) => setTexts((before) => ({ ...before, [name]: text }))}
        />
      ))}
      <label className="check">
        <input type="checkbox" checked={reduceOnly} onChange={(event) => setReduces(event.target.checked)} />
        Only orders that reduce a position
      </label>
      {wrong.other && (
        <p className="notice" role="alert">
          {wrong.other}
        </p>
      )}
      <div className="row end">
        <button
          type="button"
          disabled={!isChanged || busy}
          onClick={() => {
            setTexts({});
            setReduces(null);
            setWrong({});
          }}
        >
          Undo
        </button>
        <button type="submit" className="primary" disabled={!isChanged || busy}>
          Save limits
        </button>
      </div>
    </form>
  );
}
