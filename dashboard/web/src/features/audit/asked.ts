// What is asked of the audit trail, as it stands in the fields and as it goes to the server.

export interface Asked {
  accountId: string;
  orderId: string;
  symbol: string;
  type: string;
  actor: string;
  /** Days in India, both with everything of them. */
  from: string;
  to: string;
}
export const EVERYTHING: Asked = {
  accountId: "",
  orderId: "",
  symbol: "",
  type: "",
  actor: "",
  from: "",
  to: "",
};
export const KINDS = { "": "Everything", order: "Orders", risk: "Limits and switches", account: "Accounts" };

const DAY = 86_400_000;
const startOf = (day: string): number => Date.parse(`${day}T00:00:00+05:30`);

/** The fields that say something, as parameters. */
export function parametersOf(asked: Asked): Record<string, string> {
  const said = Object.entries({ ...asked, from: "", to: "", symbol: asked.symbol.toUpperCase() })
    .map(([name, text]) => [name, text.trim()] as const)
    .filter(([, text]) => text !== "");
  const times: Record<string, string> = {};
  if (asked.from) times.from = new Date(startOf(asked.from)).toISOString();
  if (asked.to) times.to = new Date(startOf(asked.to) + DAY).toISOString();
  return { ...Object.fromEntries(said), ...times };
}
