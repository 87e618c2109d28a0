import { expect, test } from "vitest";
import type { Account, Control } from "../../api/client";
import { commonState, placeOf } from "./words";

test("accounts have a state in common or none", () => {
  expect(commonState(["HALTED", "HALTED"])).toBe("HALTED");
  expect(commonState(["HALTED", "ACTIVE"])).toBeNull();
  expect(commonState([])).toBeNull();
});

test("a switch says whom it is about by name", () => {
  const accounts = [{ id: 7, broker: "paper", clientId: "DEMO" }] as Account[];
  const about = (scope: string, id: string | null) => placeOf({ scope, id } as Control, accounts);
  expect(about("global", null)).toBe("All accounts");
  expect(about("broker", "angel")).toBe("All of Angel One");
  expect(about("account", "7")).toBe("Paper DEMO");
  expect(about("account", "8")).toBe("Account 8");
});
