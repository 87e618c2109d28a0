import { useQuery } from "@tanstack/react-query";
import { type Account, api } from "../../api/client";
import { price, quantity, scaled, signed, signOf } from "../../format/numbers";
import { Panel } from "../../ui/Panel";

export function Holdings({ account }: { account: Account }) {
  const { data, error, dataUpdatedAt, refetch } = useQuery({
    queryKey: ["holdings", account.id],
    queryFn: () => api.holdings(account.id),
  });
  if (data?.length === 0) return null;
  return (
    <Panel title="Holdings" updatedAt={dataUpdatedAt} error={error} onRetry={() => void refetch()}>
      {data && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
        <section className="scroll" tabIndex={0} aria-label="Holdings table">
          <table>
            <thead>
              <tr>
                <th scope="col">Symbol</th>
                <th scope="col" className="n">
                  Qty
                </th>
                <th scope="col" className="n">
                  Average
                </th>
                <th scope="col" className="n">
                  LTP
                </th>
                <th scope="col" className="n">
                  P&L ₹
                </th>
              </tr>
            </thead>
            <tbody>
              {data.map((each) => (
                <tr key={`${each.exchange}:${each.symbol}`}>
                  <th scope="row">{each.symbol}</th>
                  <td className="n">{quantity(each.quantity)}</td>
                  <td className="n">{price(each.averagePrice)}</td>
                  <td className="n">{price(each.currentPrice)}</td>
                  <td className={`n ${signOf(scaled(each.pnl))}`}>{signed(scaled(each.pnl))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Panel>
  );
}
