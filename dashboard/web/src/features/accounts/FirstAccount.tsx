import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, type Broker } from "../../api/client";

/** An empty system explains itself: one press to an account that trades on paper. */
export function FirstAccount({
  onAdded,
  onOther,
}: {
  onAdded: (id: number) => void;
  onOther: (broker: Broker) => void;
}) {
  const queries = useQueryClient();
  const [error, setError] = useState("");
  const addPaper = () =>
    api.addAccount({ broker: "paper", clientId: "PAPER1", initialCapital: 1_000_000 }).then(
      async (answer) => {
        await queries.invalidateQueries({ queryKey: ["accounts"] });
        onAdded(answer.account.id);
      },
      (refusal: Error) => setError(refusal.message),
    );
  return (
    <section className="first" aria-label="First account">
      <h2>Connect your first account</h2>
      <p>
        A paper account trades on a simulated market with moving prices, margins and charges. No broker, no
        money: try everything there first.
      </p>
      <div className="row">
        <button type="button" className="primary" onClick={() => void addPaper()}>
          Start on paper with ₹10,00,000
        </button>
        <button type="button" onClick={() => onOther("zerodha")}>
          Connect Zerodha
        </button>
        <button type="button" onClick={() => onOther("angel")}>
          Connect Angel One
        </button>
      </div>
      {error && (
        <p className="notice" role="alert">
          {error}
        </p>
      )}
    </section>
  );
}
