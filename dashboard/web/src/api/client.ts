import type { components } from "./schema";

type Schemas = components["schemas"];
export type Account = Schemas["AccountView"];
export type Order = Schemas["OrderView"];
export type OrderBody = Pick<
  Schemas["OrderBody"],
  "symbol" | "exchange" | "transactionType" | "orderType" | "quantity" | "product" | "validity"
> & { price?: number; triggerPrice?: number };
export type Position = Schemas["PositionView"];
export type Holding = Schemas["HoldingView"];
export type Margins = Schemas["MarginsView"];
export type Instrument = Schemas["InstrumentView"];
export type Quote = Schemas["QuoteView"];
export type Candle = Schemas["CandleView"];
export type Interval = Schemas["CandleInterval"];
export type Trade = Schemas["TradeView"];
export type OrderEvent = Schemas["OrderEventView"];
export type SignedIn = Schemas["SignedInAnswer"];
export type RiskState = Schemas["RiskStateAnswer"];
export type Control = Schemas["ControlView"];
export type KillBody = Schemas["KillBody"];
export type RiskLimits = Schemas["RiskLimitsView"];
export type Limits = Schemas["RiskLimitsAnswer"];
export type AuditEntry = Schemas["AuditEntryView"];
export type Exit = Schemas["ExitView"];
export type ListedSession = Schemas["ListedSessionView"];
export type Broker = Schemas["Broker"];
export type BrokerView = Schemas["BrokerView"];
export type Environment = Schemas["Environment"];

/** A refusal in the server's words; `status` 0 means that no answer came. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
    readonly field?: string,
  ) {
    super(message);
  }
}

let pageToken = "";
let signedOut: () => void = () => {};
export const setPageToken = (token: string): void => {
  pageToken = token;
};
export const onSignedOut = (told: () => void): void => {
  signedOut = told;
};

export async function call<T>(
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  limitSeconds = 15,
): Promise<T> {
  const said: Record<string, string> = { Accept: "application/json", ...headers };
  if (method !== "GET") said["X-Vyomo-Page"] = pageToken;
  if (body !== undefined) said["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: said,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(limitSeconds * 1000),
    });
  } catch {
    throw new Refusal("NO_ANSWER", "No answer from Vyomo: is it running?", 0);
  }
  const answer = await response.json().catch(() => null);
  if (answer?.success === true) return answer as T;
  const error = answer?.error ?? {
    code: "NO_ANSWER",
    message: `Vyomo answered with status ${response.status}`,
  };
  if (response.status === 401) signedOut();
  throw new Refusal(error.code, error.message, response.status, error.field);
}

/** What is undefined is left out. */
const query = (values: Record<string, string | number | undefined>): string =>
  new URLSearchParams(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  ).toString();

const account = (id: number): string => `/api/brokers/accounts/${id}`;

export const api = {
  signIn: (token: string) => call<SignedIn>("POST", "/api/auth/link", { token }),
  session: () => call<SignedIn>("GET", "/api/auth/session"),
  signOut: () => call("POST", "/api/auth/logout"),
  sessions: () =>
    call<{ sessions: ListedSession[] }>("GET", "/api/auth/sessions").then((answer) => answer.sessions),
  endSession: (id: string) => call("DELETE", `/api/auth/sessions/${id}`),
  accounts: () =>
    call<{ accounts: Account[] }>("GET", "/api/brokers/accounts?limit=500").then((answer) => answer.accounts),
  capabilities: () =>
    call<{ brokers: BrokerView[] }>("GET", "/api/brokers/capabilities").then((answer) => answer.brokers),
  addAccount: (body: object) => call<{ account: Account }>("POST", "/api/brokers/accounts", body),
  switchAccount: (id: number, isActive: boolean) =>
    call<{ account: Account }>("PATCH", account(id), { isActive }),
  setEgress: (id: number, body: object) => call<{ account: Account }>("PUT", `${account(id)}/egress`, body),
  clearEgress: (id: number) => call<{ account: Account }>("DELETE", `${account(id)}/egress`),
  loginPage: (id: number) => call<{ loginUrl: string }>("GET", `${account(id)}/login`),
  logIn: (id: number, body: object) => call("POST", `${account(id)}/login`, body),
  orders: (id: number) =>
    call<{ orders: Order[] }>("GET", `${account(id)}/orders?limit=200`).then((answer) => answer.orders),
  place: (id: number, body: OrderBody, key: string) =>
    call<{ order: Order }>("POST", `${account(id)}/orders`, body, { "Idempotency-Key": key }, 10),
  modify: (id: number, orderId: string, body: object) =>
    call<{ order: Order }>("PATCH", `${account(id)}/orders/${orderId}`, body),
  cancel: (id: number, orderId: string, reason: string) =>
    call<{ message: string }>("DELETE", `${account(id)}/orders/${orderId}`, { reason }),
  orderEvents: (id: number, orderId: string) =>
    call<{ events: OrderEvent[] }>("GET", `${account(id)}/orders/${orderId}/events`).then(
      (answer) => answer.events,
    ),
  positions: (id: number) =>
    call<{ positions: Position[] }>("GET", `${account(id)}/positions`).then((answer) => answer.positions),
  holdings: (id: number) =>
    call<{ holdings: Holding[] }>("GET", `${account(id)}/holdings`).then((answer) => answer.holdings),
  margins: (id: number) =>
    call<{ margins: Margins }>("GET", `${account(id)}/margins`).then((answer) => answer.margins),
  /** With an account, what it can trade. */
  instruments: (text: string, accountId?: number) =>
    call<{ instruments: Instrument[] }>(
      "GET",
      `/api/instruments?${query({ q: text, accountId, limit: 12 })}`,
    ).then((answer) => answer.instruments),
  quote: (instrument: string) =>
    call<{ quotes: Quote[] }>("GET", `/api/quotes?${query({ i: instrument })}`).then(
      (answer) => answer.quotes[0] ?? null,
    ),
  quotes: (instruments: readonly string[]) =>
    call<{ quotes: Quote[]; missing: string[] }>(
      "GET",
      `/api/quotes?${new URLSearchParams(instruments.map((each) => ["i", each]))}`,
    ),
  /** The instrument `EXCHANGE:SYMBOL`; null if it is listed no more. */
  instrument: (key: string, accountId?: number) => {
    const [exchange = "", symbol = ""] = key.split(":");
    return call<{ instruments: Instrument[] }>(
      "GET",
      `/api/instruments?${query({ q: symbol, exchange, accountId, limit: 1 })}`,
    ).then((answer) => answer.instruments.find((each) => each.instrument === key) ?? null);
  },
  /** Oldest first; without `from` the last 300. */
  candles: (key: string, interval: Interval, from?: string) => {
    const [exchange = "", symbol = ""] = key.split(":");
    const parameters = query({ interval, ...(from !== undefined && { from }) });
    return call<{ candles: Candle[] }>(
      "GET",
      `/api/instruments/${exchange}/${encodeURIComponent(symbol)}/candles?${parameters}`,
    ).then((answer) => answer.candles);
  },
  /** A page, newest first; `cursor` of the one before it goes on. */
  audit: (asked: Record<string, string>, cursor: string) =>
    call<{ entries: AuditEntry[]; nextCursor?: string }>(
      "GET",
      `/api/audit/events?${query({ ...asked, limit: 100, ...(cursor && { cursor }) })}`,
    ),
  risk: () => call<RiskState>("GET", "/api/risk/state"),
  kill: (body: KillBody) => call<RiskState>("POST", "/api/risk/kill", body),
  /** Of one account, or of all. */
  limits: (accountId?: number) => call<Limits>("GET", `/api/risk/limits?${query({ accountId })}`),
  setLimits: (body: RiskLimits, accountId?: number) =>
    call<Limits>("PUT", `/api/risk/limits?${query({ accountId })}`, body),
  exitAll: (key: string, accountId?: number) =>
    call<{ complete: boolean; exits: Exit[] }>("POST", "/api/risk/exit-all", {
      key,
      ...(accountId !== undefined && { accountId }),
    }),
};
