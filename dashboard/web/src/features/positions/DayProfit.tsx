import { useQuery } from "@tanstack/react-query";
import { type Account, api, type Position } from "../../api/client";
import { arrow, scaled, signed, signOf, unrealised } from "../../format/numbers";
import { lastPrice, useEverySecond } from "../../live/prices";

export const usePositions = (account: number) =>
  useQuery({ queryKey: ["positions", account], queryFn: () => api.positions(account) });

export const priceKey = (position: { exchange: string; symbol: string }): string =>
  `${position.exchange}:${position.symbol}`;

/** Live estimate in units: last price × quantity, and what the day has realised. */
export function profitOf(position: Position, last: number): number {
  return (
    scaled(position.realised) +
    unrealised(last, position.averagePrice, position.quantity, position.multiplier)
  );
}

/** Live estimate in units of all that is given, told anew at most once a second. */
export function useTotal(positions: readonly Position[]): number {
  useEverySecond();
  return positions.reduce(
    (sum, each) => sum + profitOf(each, lastPrice(priceKey(each))?.price ?? each.currentPrice),
    0,
  );
}

const NONE: readonly Position[] = [];

export function DayProfit({ account }: { account: Account }) {
  const { data: positions } = usePositions(account.id);
  const total = useTotal(positions ?? NONE);
  if (!positions) return null;
  const sign = signOf(total);
  return (
    <span className="dayprofit" title="Today's profit and loss, live estimate, before charges">
      Today <strong className={sign}>{`${arrow(sign)} ${signed(total)}`}</strong>
    </span>
  );
}
