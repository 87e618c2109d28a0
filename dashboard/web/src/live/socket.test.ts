import { expect, test } from "vitest";
import type { Order } from "../api/client";
import { withOrder } from "./socket";

const order = (orderId: string, version: number): Order => ({ orderId, version }) as Order;

test("a newer version replaces, an older one changes nothing, a new order comes first", () => {
  const known = [order("A", 2), order("B", 1)];
  expect(withOrder(known, order("B", 3))).toEqual([order("A", 2), order("B", 3)]);
  expect(withOrder(known, order("A", 2))).toBe(known);
  expect(withOrder(known, order("A", 1))).toBe(known);
  expect(withOrder(known, order("C", 1))).toEqual([order("C", 1), ...known]);
  expect(withOrder(undefined, order("C", 1))).toBeUndefined();
});
