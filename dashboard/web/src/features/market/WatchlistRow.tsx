import { ArrowDown, ArrowUp, X } from "lucide-react";
import type { Quote } from "../../api/client";
import { arrow, compact, percent, price, quantity, scaled, signOf } from "../../format/numbers";
import { usePrice } from "../../live/prices";
import { useHealth, useWatch } from "../../live/socket";

interface Props {
  instrument: string;
  quote: Quote | undefined;
  missing: boolean;
  shown: boolean;
  edits: boolean;
  first: boolean;
  last: boolean;
  onShow: (key: string) => void;
  onMove: (key: string, by: number) => void;
  onRemove: (key: string) => void;
}

export function WatchlistRow(props: Props) {
  const { instrument: key, quote } = props;
  useWatch(key);
  const tick = usePrice(key);
  const health = useHealth();
  const [exchange, symbol] = key.split(":");
  const last = tick?.price ?? quote?.lastPrice ?? null;
  const change = last !== null && quote ? scaled(last) - scaled(quote.previousClose) : null;
  const sign = signOf(change);
  const volume = quote || tick ? Math.max(tick?.volume ?? 0, quote?.volume ?? 0) : null;
  const dim = health === "disconnected" ? " dim" : "";
  const why = props.missing ? "No price: not traded now, expired, or not listed any more" : undefined;
  return (
    <tr data-shown={props.shown || undefined}>
      <th scope="row">
        <button
          type="button"
          className="plain pick"
          data-key={key}
          aria-current={props.shown || undefined}
          title={`${symbol} · ${exchange}`}
          onClick={() => props.onShow(key)}
        >
          <span>{symbol}</span> <small className="muted">{exchange}</small>
        </button>
      </th>
      <td className={`n${dim}`} title={why}>
        {price(last)}
      </td>
      <td className={`n change ${sign}${dim}`}>
        {change === null || !quote ? "—" : `${arrow(sign)} ${percent(change, scaled(quote.previousClose))}`}
      </td>
      {props.edits ? (
        <td className="n edits">
          <button
            type="button"
            className="small"
            disabled={props.first}
            aria-label={`Move ${symbol} up`}
            onClick={() => props.onMove(key, -1)}
          >
            <ArrowUp size={14} aria-hidden />
          </button>
          <button
            type="button"
            className="small"
            disabled={props.last}
            aria-label={`Move ${symbol} down`}
            onClick={() => props.onMove(key, 1)}
          >
            <ArrowDown size={14} aria-hidden />
          </button>
          <button
            type="button"
            className="small"
            aria-label={`Remove ${symbol}`}
            onClick={() => props.onRemove(key)}
          >
            <X size={14} aria-hidden />
          </button>
        </td>
      ) : (
        <td className={`n${dim}`} title={volume === null ? why : quantity(volume)}>
          {volume === null ? "—" : compact(volume)}
        </td>
      )}
    </tr>
  );
}
