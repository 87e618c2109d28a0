// Money as whole ten-thousandths of a rupee: no sum is ever made of binary fractions.
export const SCALE = 10_000;
const MINUS = "−";
export const UNKNOWN = "—";

export const scaled = (value: number): number => Math.round(value * SCALE);

const grouping = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 0 });

/** `12,45,678.50`: Indian grouping, `decimals` digits, minus as U+2212. */
export function decimal(units: number | null, decimals = 2): string {
  if (units === null || !Number.isFinite(units)) return UNKNOWN;
  const step = SCALE / 10 ** decimals;
  const rounded = Math.round(Math.abs(units) / step);
  const whole = Math.floor(rounded / 10 ** decimals);
  const rest = String(rounded % 10 ** decimals).padStart(decimals, "0");
  const text = decimals === 0 ? grouping.format(whole) : `${grouping.format(whole)}.${rest}`;
  return units < 0 && rounded !== 0 ? `${MINUS}${text}` : text;
}

/** `₹12,45,678.50` */
export function rupees(units: number | null, decimals = 2): string {
  if (units === null) return UNKNOWN;
  const text = decimal(Math.abs(units), decimals);
  return units < 0 && text !== decimal(0, decimals) ? `${MINUS}₹${text}` : `₹${text}`;
}

/** `+1,484.00`, `−39.00`, and `0.00` without a sign. */
export function signed(units: number | null, decimals = 2): string {
  const text = decimal(units, decimals);
  return units !== null && units > 0 && text !== decimal(0, decimals) ? `+${text}` : text;
}

/** Percent with two decimals, signed; `part` and `of` in the same units. */
export function percent(part: number | null, of: number | null): string {
  if (part === null || of === null || of === 0) return UNKNOWN;
  return `${signed(Math.round((part * 100 * SCALE) / Math.abs(of)))} %`;
}

export const quantity = (count: number): string =>
  count < 0 ? `${MINUS}${grouping.format(-count)}` : grouping.format(count);

/** A count in a narrow place: `18.42 L`, `1.23 Cr`; exact below a lakh. */
export function compact(count: number): string {
  const [unit, name] = count >= 10_000_000 ? [10_000_000, "Cr"] : count >= 100_000 ? [100_000, "L"] : [1, ""];
  return name ? `${(Math.floor((count * 100) / unit) / 100).toFixed(2)} ${name}` : quantity(count);
}

/** A price to its own precision: two decimals, four only where it needs them. */
export function price(value: number | null): string {
  if (value === null) return UNKNOWN;
  const units = scaled(value);
  return decimal(units, units % 100 === 0 ? 2 : 4);
}

/** What a person typed: `1,50,000.5` → 150000.5; null if it is no number. */
export function typed(text: string): number | null {
  const plain = text.replaceAll(",", "").replaceAll("₹", "").trim();
  return /^\d+(\.\d{1,4})?$/.test(plain) ? Number(plain) : null;
}

export type Sign = "up" | "down" | "flat";
export const signOf = (units: number | null): Sign =>
  units === null || units === 0 ? "flat" : units > 0 ? "up" : "down";
export const arrow = (sign: Sign): string => (sign === "up" ? "▲" : sign === "down" ? "▼" : "");

/** Unrealised profit in units: exact as long as it is below 90 crore rupees. */
export function unrealised(last: number, average: number, count: number, multiplier: number): number {
  return (scaled(last) - scaled(average)) * count * multiplier;
}
