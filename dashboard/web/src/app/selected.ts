// Which account is looked at: in the address, so that a link and a reload restore the view.
import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "wouter";
import { type Account, api, type BrokerView } from "../api/client";

/** What the account's broker takes; it does not change while the page is open. */
export const useOffered = (account: Account): BrokerView | undefined =>
  useQuery({
    queryKey: ["capabilities"],
    queryFn: api.capabilities,
    staleTime: Number.POSITIVE_INFINITY,
  }).data?.find((each) => each.broker === account.broker);
export const useAccounts = () => useQuery({ queryKey: ["accounts"], queryFn: api.accounts });

export function useSelected(): [Account | null, (id: number) => void] {
  const { data: accounts } = useAccounts();
  const [search, setSearch] = useSearchParams();
  const wanted = Number(search.get("account"));
  const active = accounts?.filter((each) => each.isActive) ?? [];
  const selected = accounts?.find((each) => each.id === wanted) ?? active[0] ?? accounts?.[0] ?? null;
  const select = (id: number) =>
    setSearch((known) => {
      const next = new URLSearchParams(known);
      next.set("account", String(id));
      return next;
    });
  return [selected, select];
}

export const BROKER_NAMES = { zerodha: "Zerodha", angel: "Angel One", paper: "Paper" } as const;

/** Real money or not: said in words everywhere, never by colour alone. */
export const modeOf = (account: Account): "LIVE" | "PAPER" | "SANDBOX" =>
  account.broker === "paper" ? "PAPER" : account.environment === "sandbox" ? "SANDBOX" : "LIVE";

export const nameOf = (account: Account): string => `${BROKER_NAMES[account.broker]} ${account.clientId}`;

/** Whether the broker lets us in; paper always does. */
export const isSignedIn = (account: Account): boolean =>
  account.session === null || account.session.state === "ACTIVE" || account.session.state === "EXPIRING";
