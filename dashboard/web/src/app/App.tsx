import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { Redirect, Route, Switch } from "wouter";
import { api, onSignedOut, Refusal, type SignedIn, setPageToken } from "../api/client";
import { BrokerManagement } from "../features/accounts/BrokerManagement";
import { Settings } from "../features/accounts/Settings";
import { connect } from "../live/socket";
import { Shell } from "./Shell";
import { SignIn } from "./SignIn";

const Market = lazy(() => import("../features/market/Market"));
const Audit = lazy(() => import("../features/audit/Audit"));
const Risk = lazy(() => import("../features/risk/Risk"));

type State = { is: "asking" } | { is: "out" } | { is: "away"; why: string } | { is: "in"; who: SignedIn };

/** Nothing is shown before the server said who asks. */
export function App() {
  const [state, setState] = useState<State>({ is: "asking" });
  const queries = useQueryClient();

  const enter = (who: SignedIn) => {
    setPageToken(who.pageToken);
    setState({ is: "in", who });
  };
  const ask = () =>
    api.session().then(enter, (error: unknown) => {
      const refused = error instanceof Refusal && error.status === 401;
      setState(refused ? { is: "out" } : { is: "away", why: (error as Error).message });
    });

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once
  useEffect(() => {
    onSignedOut(() => {
      queries.clear();
      setState({ is: "out" });
    });
    // Whoever comes with a link is not signed in yet, and need not be told so by an error.
    if (location.hash.startsWith("#token=")) setState({ is: "out" });
    else void ask();
  }, []);
  const isIn = state.is === "in";
  useEffect(() => (isIn ? connect(queries) : undefined), [isIn, queries]);

  if (state.is === "asking") return <p className="centre muted">Asking Vyomo who you are…</p>;
  if (state.is === "away") {
    return (
      <main className="centre">
        <h1>Vyomo does not answer</h1>
        <p>{state.why}</p>
        <button type="button" onClick={ask}>
          Try again
        </button>
      </main>
    );
  }
  if (state.is === "out") return <SignIn onIn={enter} />;
  return (
    <Shell who={state.who}>
      <Suspense fallback={<p className="empty">Opening the page…</p>}>
        <Switch>
          <Route path="/broker-management" component={BrokerManagement} />
          <Route path="/market" component={Market} />
          <Route path="/risk" component={Risk} />
          <Route path="/audit" component={Audit} />
          <Route path="/settings" component={Settings} />
          <Route>
            <Redirect to="/broker-management" />
          </Route>
        </Switch>
      </Suspense>
    </Shell>
  );
}
