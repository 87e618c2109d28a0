import { expect, test } from "vitest";
import {
  chosenOf,
  MOST_INSTRUMENTS,
  parsed,
  withAdded,
  withMoved,
  withName,
  withNewList,
  withoutList,
  withRemoved,
} from "./watchlists";

const of = (...instruments: string[]) =>
  parsed(JSON.stringify({ lists: [{ id: 1, name: "Day", instruments }], chosen: 1 }));
const keys = (all: ReturnType<typeof of>) => chosenOf(all).instruments;

test.each([null, "", "{", "[]", "7", '{"lists":[]}', '{"lists":7}', '"x"'])(
  "what is stored as %j is a first, empty list",
  (text) => {
    expect(parsed(text).lists).toHaveLength(1);
    expect(keys(parsed(text))).toEqual([]);
  },
);

test("what can be read of a spoilt store is kept", () => {
  const text = JSON.stringify({
    lists: [null, { id: 9, name: "Options ", instruments: ["NFO:A", "NFO:A", 5, "no"] }],
    chosen: 9,
  });
  expect(chosenOf(parsed(text))).toEqual({ id: 2, name: "Options", instruments: ["NFO:A"] });
});

test("instruments are added once, and up to a number", () => {
  expect(keys(withAdded(of("NSE:A", "NSE:B"), ["NSE:A", "NSE:C"]))).toEqual(["NSE:A", "NSE:B", "NSE:C"]);
  const many = Array.from({ length: 60 }, (_, place) => `NSE:S${place}`);
  expect(keys(withAdded(of(), many))).toHaveLength(MOST_INSTRUMENTS);
  expect(keys(withRemoved(of("NSE:A", "NSE:B"), "NSE:A"))).toEqual(["NSE:B"]);
});

test("an instrument moves, but not past the ends", () => {
  const all = of("NSE:A", "NSE:B", "NSE:C");
  expect(keys(withMoved(all, "NSE:A", 1))).toEqual(["NSE:B", "NSE:A", "NSE:C"]);
  expect(keys(withMoved(all, "NSE:C", -1))).toEqual(["NSE:A", "NSE:C", "NSE:B"]);
  expect(keys(withMoved(all, "NSE:A", -1))).toEqual(keys(all));
  expect(keys(withMoved(all, "NSE:C", 1))).toEqual(keys(all));
  expect(keys(withMoved(all, "NSE:X", 1))).toEqual(keys(all));
});

test("lists come, are named and go; one always remains", () => {
  const two = withNewList(of("NSE:A"), "  Options  ");
  expect(chosenOf(two)).toEqual({ id: 2, name: "Options", instruments: [] });
  expect(withNewList(two, "   ")).toBe(two);
  expect(chosenOf(withName(two, "Futures")).name).toBe("Futures");
  expect(chosenOf(withName(two, "")).name).toBe("Options");
  expect(chosenOf(withoutList(two)).name).toBe("Day");
  expect(withoutList(of("NSE:A")).lists).toHaveLength(1);
  expect(keys(withoutList(of("NSE:A")))).toEqual([]);
});
