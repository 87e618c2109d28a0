import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Broker, type Refusal } from "../../api/client";
import { typed } from "../../format/numbers";
import { Dialog } from "../../ui/Dialog";
import { Choice, Field } from "../../ui/Field";

type Field_ = "clientId" | "apiKey" | "apiSecret" | "password" | "totpSecret" | "initialCapital";
const FIELDS: Record<Broker, readonly Field_[]> = {
  paper: ["clientId", "initialCapital"],
  zerodha: ["clientId", "apiKey", "apiSecret"],
  angel: ["clientId", "apiKey", "password", "totpSecret"],
};
const LABELS: Record<Field_, string> = {
  clientId: "Client id",
  apiKey: "API key",
  apiSecret: "API secret",
  password: "PIN",
  totpSecret: "TOTP secret",
  initialCapital: "Starting balance ₹",
};
const SECRET = new Set<Field_>(["apiKey", "apiSecret", "password", "totpSecret"]);
const ENVIRONMENTS = { Live: "live", Sandbox: "sandbox" } as const;

const startOf = (broker: Broker): Partial<Record<Field_, string>> =>
  broker === "paper" ? { clientId: "PAPER1", initialCapital: "10,00,000" } : {};

interface Props {
  /** The broker that stands there at first. */
  first: Broker;
  onClose: () => void;
  onAdded: (id: number) => void;
}

export function AddAccount({ first, onClose, onAdded }: Props) {
  const queries = useQueryClient();
  const [broker, setBroker] = useState(first);
  const [environment, setEnvironment] = useState<keyof typeof ENVIRONMENTS>("Live");
  const [values, setValues] = useState(startOf(first));
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);

  const fields = FIELDS[broker].filter(
    (each) => environment === "Live" || broker === "paper" || !SECRET.has(each),
  );
  const choose = (next: Broker) => {
    setBroker(next);
    setRefusal(null);
    setValues(startOf(next));
  };
  const add = () => {
    const body: Record<string, unknown> = { broker };
    for (const each of fields) {
      const text = values[each]?.trim() ?? "";
      if (each === "initialCapital") body[each] = typed(text) ?? text;
      else if (text) body[each] = text;
    }
    if (broker !== "paper") body.environment = ENVIRONMENTS[environment];
    setBusy(true);
    setRefusal(null);
    api
      .addAccount(body)
      .then(
        async (answer) => {
          await queries.invalidateQueries({ queryKey: ["accounts"] });
          onAdded(answer.account.id);
        },
        (error: unknown) => {
          // What is secret is typed again: it is not kept in the page.
          setValues((known) =>
            Object.fromEntries(Object.entries(known).filter(([name]) => !SECRET.has(name as Field_))),
          );
          setRefusal(error as Refusal);
        },
      )
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title="Add account" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add();
        }}
      >
        <Choice
          label="Broker"
          value={broker}
          options={[{ value: "paper" }, { value: "zerodha" }, { value: "angel" }]}
          onChoose={choose}
        />
        {broker !== "paper" && (
          <>
            <Choice
              label="Environment"
              value={environment}
              options={[{ value: "Live" }, { value: "Sandbox" }]}
              onChoose={setEnvironment}
            />
            <p className="muted">
              {environment === "Sandbox"
                ? "The broker's protocol, spoken by the paper exchange: login and orders as for real, without a broker account."
                : broker === "zerodha"
                  ? "From developers.kite.trade. Its redirect URL must be this page's address with /api/brokers/zerodha/callback."
                  : "From smartapi.angelone.in. PIN and TOTP secret are sealed here; only the worker that signs in opens them. MARKET orders go as limit orders near the last price; no IOC, no MCX."}
            </p>
          </>
        )}
        {fields.map((each) => (
          <Field
            key={`${broker}:${each}`}
            label={LABELS[each]}
            type={SECRET.has(each) ? "password" : "text"}
            autoComplete="off"
            required
            value={values[each] ?? ""}
            error={refusal?.field === each ? refusal.message : undefined}
            onText={(text) => setValues((known) => ({ ...known, [each]: text }))}
          />
        ))}
        {refusal && !fields.includes(refusal.field as Field_) && (
          <p className="notice" role="alert">
            {refusal.message}
          </p>
        )}
        <div className="row end">
          <button type="button" onClick={onClose}>
            Not now
          </button>
          <button type="submit" className="primary" disabled={busy}>
            Add account
          </button>
        </div>
      </form>
    </Dialog>
  );
}
