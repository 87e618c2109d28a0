// Limits as they are typed: a text for each, empty for none.
import type { RiskLimits } from "../../api/client";
import { typed } from "../../format/numbers";

export type LimitName = Exclude<keyof RiskLimits, "reduceOnly">;
export type Texts = Partial<Record<LimitName, string>>;

interface Shown {
  label: string;
  unit: string;
  whole: boolean;
}

export const LIMITS: Record<LimitName, Shown> = {
  maxOrderQuantity: { label: "Largest order", unit: "units, on MCX lots", whole: true },
  maxOrderValue: { label: "Largest order value", unit: "₹", whole: false },
  maxOpenOrders: { label: "Open orders", unit: "orders", whole: true },
  maxPositionQuantity: {
    label: "Largest position in one instrument",
    unit: "units, on MCX lots",
    whole: true,
  },
  maxExposure: { label: "Exposure", unit: "₹, long and short added up", whole: false },
  priceBandPercent: { label: "Price away from the last one", unit: "%", whole: false },
  ordersPerSecond: { label: "Orders a second", unit: "of one account", whole: true },
  duplicateWindowSeconds: { label: "Refuse an equal order within", unit: "seconds", whole: false },
  dailyLossLimit: { label: "Loss of the day", unit: "₹, then positions may only be reduced", whole: false },
};
const GROUPED = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 4 });
export const NAMES = Object.keys(LIMITS) as LimitName[];

export const textOf = (value: number | null): string => (value === null ? "" : String(value));

/** The unit, and where nothing is set here what applies. */
export function hintOf(name: LimitName, set: RiskLimits, effective: RiskLimits): string {
  const { unit } = LIMITS[name];
  if (set[name] !== null) return unit;
  const value = effective[name];
  return value === null ? `${unit} · no limit` : `${unit} · by default ${GROUPED.format(value)}`;
}

/** The level as a whole, with what was typed in place of what was set; or what is wrong with it. */
export function bodyOf(
  set: RiskLimits,
  texts: Texts,
  reduceOnly: boolean,
): { body: RiskLimits } | { wrong: Texts } {
  const wrong: Texts = {};
  const body: RiskLimits = { ...set, reduceOnly: reduceOnly || null };
  for (const name of NAMES) {
    const text = texts[name];
    if (text === undefined) continue;
    const value = text.trim() === "" ? null : typed(text);
    if (text.trim() !== "" && (value === null || value <= 0)) wrong[name] = "A number above 0, or nothing";
    else if (value !== null && LIMITS[name].whole && !Number.isInteger(value)) wrong[name] = "A whole number";
    else body[name] = value;
  }
  return Object.keys(wrong).length > 0 ? { wrong } : { body };
}
