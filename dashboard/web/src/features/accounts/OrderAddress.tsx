import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Account, api, Refusal } from "../../api/client";
import { nameOf } from "../../app/selected";
import { Dialog } from "../../ui/Dialog";
import { Choice, Field } from "../../ui/Field";
import { notify } from "../../ui/toasts";

type Way = "straight" | "address" | "relay";
const WAYS: Record<Way, string> = {
  straight: "Straight",
  address: "An address",
  relay: "A relay",
};
const EMPTY = { sourceAddress: "", relay: "", relayUser: "", relayPassword: "" };

/** In a word, for the card; nothing where orders go straight. */
export const wayOf = (account: Account): string | null =>
  account.egress?.sourceAddress ?? account.egress?.relay ?? null;

/** Which address the broker sees the account's orders come from. The relay's password is typed anew each time: nobody can read it back. */
export function OrderAddress({ account, onClose }: { account: Account; onClose: () => void }) {
  const queries = useQueryClient();
  const known = account.egress;
  const [way, setWay] = useState<Way>(known?.relay ? "relay" : known?.sourceAddress ? "address" : "straight");
  const [texts, setTexts] = useState({
    ...EMPTY,
    sourceAddress: known?.sourceAddress ?? "",
    relay: known?.relay ?? "",
    relayUser: known?.relayUser ?? "",
  });
  const [wrong, setWrong] = useState<{ field?: string | undefined; message: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const field = (name: keyof typeof EMPTY) => ({
    name,
    value: texts[name],
    autoComplete: "off",
    error: wrong?.field === name ? wrong.message : undefined,
    onText: (text: string) => setTexts((before) => ({ ...before, [name]: text.trim() })),
  });
  const save = () => {
    const { sourceAddress, relay, relayUser, relayPassword } = texts;
    const body =
      way === "address"
        ? { sourceAddress }
        : { relay, ...(relayUser && { relayUser }), ...(relayPassword && { relayPassword }) };
    setBusy(true);
    setWrong(null);
    const done = way === "straight" ? api.clearEgress(account.id) : api.setEgress(account.id, body);
    done
      .then(
        () => {
          void queries.invalidateQueries({ queryKey: ["accounts"] });
          notify({ kind: "success", title: "Order address set", text: nameOf(account) });
          onClose();
        },
        (error: Error) =>
          setWrong({ field: error instanceof Refusal ? error.field : undefined, message: error.message }),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={`Order address of ${nameOf(account)}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <p>
          Brokers take orders of programs from the address that you registered with them. Only orders take
          this way; everything is encrypted to the broker all along.
        </p>
        <Choice
          label="Orders leave"
          value={way}
          options={(Object.keys(WAYS) as Way[]).map((value) => ({ value, label: WAYS[value] }))}
          onChoose={setWay}
        />
        {way === "address" && <Field label="Address" placeholder="203.0.113.5" {...field("sourceAddress")} />}
        {way === "relay" && (
          <>
            <Field label="Relay" placeholder="socks5://relay.example.net:1080" {...field("relay")} />
            <div className="row">
              <Field label="User" {...field("relayUser")} />
              <Field label="Password" type="password" {...field("relayPassword")} />
            </div>
          </>
        )}
        {wrong && !(wrong.field && wrong.field in EMPTY) && (
          <p className="notice" role="alert">
            {wrong.message}
          </p>
        )}
        <div className="row end">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={busy}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
