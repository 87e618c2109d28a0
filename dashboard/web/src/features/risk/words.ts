// What restrains trading, in words: the same on the banner and on the page.
import type { Account, Control } from "../../api/client";
import { BROKER_NAMES, nameOf } from "../../app/selected";

export const STATES = { ACTIVE: "Trading", REDUCING: "Only reducing", HALTED: "Halted" } as const;
export const CAUSES = {
  SWITCH: "a switch",
  DAILY_LOSS: "the day's loss limit",
  BREAKER: "a circuit breaker",
  DRIFT: "positions that nothing explains",
} as const;
export type TradingStateName = keyof typeof STATES;
const BY_STRICTNESS: readonly TradingStateName[] = ["HALTED", "REDUCING", "ACTIVE"];

/** The one state of several accounts; null where they differ. */
export const commonState = (states: readonly TradingStateName[]): TradingStateName | null =>
  BY_STRICTNESS.find((each) => states.length > 0 && states.every((state) => state === each)) ?? null;

export const accountName = (id: number, accounts: readonly Account[] | undefined): string => {
  const account = accounts?.find((each) => each.id === id);
  return account ? nameOf(account) : `Account ${id}`;
};

/** Whom a switch is about. */
export function placeOf(control: Control, accounts: readonly Account[] | undefined): string {
  if (control.scope === "global") return "All accounts";
  if (control.scope === "account") return accountName(Number(control.id), accounts);
  return `All of ${BROKER_NAMES[control.id as keyof typeof BROKER_NAMES] ?? control.id}`;
}

/** Who or what threw it. */
export const causeOf = (control: Control): string =>
  control.everyone ? "the operator of this installation" : CAUSES[control.cause];
