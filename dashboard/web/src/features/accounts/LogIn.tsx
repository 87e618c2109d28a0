import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Account, api, Refusal } from "../../api/client";
import { nameOf } from "../../app/selected";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { notify } from "../../ui/toasts";

/** The worker of a broker starts with its first account, which takes seconds. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 8; ; tries--) {
    try {
      return await ask();
    } catch (error) {
      if (tries === 0 || !(error instanceof Refusal) || error.status !== 503) throw error;
      await new Promise((wake) => setTimeout(wake, 1500));
    }
  }
}

/** Zerodha by its own page, Angel One with PIN and code, or with what is stored. What is typed is forgotten when the dialog closes. */
export function LogIn({ account, onClose }: { account: Account; onClose: () => void }) {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");

  const attempt = (work: Promise<unknown>, after: () => void) => {
    setBusy(true);
    setError("");
    work
      .then(after, (refusal: Error) => {
        setPassword("");
        setTotp("");
        setError(refusal.message);
      })
      .finally(() => setBusy(false));
  };
  const toBroker = () =>
    attempt(
      patiently(() => api.loginPage(account.id)).then((page) => location.assign(page.loginUrl)),
      () => {},
    );
  const withCode = () =>
    attempt(api.logIn(account.id, { ...(password && { password }), ...(totp && { totp }) }), () => {
      void queries.invalidateQueries({ queryKey: ["accounts"] });
      notify({ kind: "success", title: "Signed in", text: nameOf(account) });
      onClose();
    });
  return (
    <Dialog title={`Log in to ${nameOf(account)}`} onClose={onClose}>
      {account.broker === "zerodha" ? (
        <>
          <p>You go to Zerodha's login page and come back here. The session lasts until 06:00 IST.</p>
          <div className="row end">
            <button type="button" onClick={onClose}>
              Not now
            </button>
            <button type="button" className="primary" disabled={busy} onClick={toBroker}>
              Go to Zerodha
            </button>
          </div>
        </>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            withCode();
          }}
        >
          <p>Leave both empty to use the PIN and the TOTP secret that are stored.</p>
          <Field
            label="PIN"
            type="password"
            inputMode="numeric"
            autoComplete="off"
            value={password}
            onText={setPassword}
          />
          <Field
            label="Code of your authenticator"
            inputMode="numeric"
            autoComplete="one-time-code"
            value={totp}
            onText={setTotp}
          />
          <div className="row end">
            <button type="button" onClick={onClose}>
              Not now
            </button>
            <button type="submit" className="primary" disabled={busy}>
              Log in
            </button>
          </div>
        </form>
      )}
      {error && (
        <p className="notice" role="alert">
          {error}
        </p>
      )}
    </Dialog>
  );
}
