import { useEffect, useRef, useState } from "react";
import { api, type SignedIn } from "../api/client";

const tokenIn = (text: string): string | null => /#token=([\w-]{20,128})/.exec(text)?.[1] ?? null;

/** With the link of `./vyomo link`: opened here, or pasted. The token leaves the address bar at once. */
export function SignIn({ onIn }: { onIn: (who: SignedIn) => void }) {
  const [error, setError] = useState("");
  const [text, setText] = useState("");
  const tried = useRef(false);

  const use = (token: string) => api.signIn(token).then(onIn, (refusal: Error) => setError(refusal.message));

  // biome-ignore lint/correctness/useExhaustiveDependencies: a link works once
  useEffect(() => {
    const token = tokenIn(location.hash);
    if (token === null || tried.current) return;
    tried.current = true;
    history.replaceState(null, "", "/broker-management");
    void use(token);
  }, []);

  return (
    <main className="centre">
      <h1>Sign in to Vyomo</h1>
      <p>
        In the project's folder, run <code>./vyomo link</code> and open the link it prints. It works once, for
        a quarter of an hour.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const token = tokenIn(text);
          if (token === null) setError("That is not a sign-in link: it ends with #token=…");
          else void use(token);
        }}
      >
        <label htmlFor="link">Or paste the link here</label>
        <input id="link" autoComplete="off" value={text} onChange={(event) => setText(event.target.value)} />
        <button type="submit" className="primary">
          Sign in
        </button>
      </form>
      {error && (
        <p className="notice" role="alert">
          {error}
        </p>
      )}
    </main>
  );
}
