import { useInfiniteQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { type AuditEntry, api } from "../../api/client";
import { nameOf, useAccounts } from "../../app/selected";
import { price, quantity } from "../../format/numbers";
import { timeInIndia } from "../../format/times";
import { Panel } from "../../ui/Panel";
import { type Asked, EVERYTHING, KINDS, parametersOf } from "./asked";

/** Everything that was recorded, newest first. What is shown can be taken along as it is. */
export default function Audit() {
  const { data: accounts } = useAccounts();
  const [asked, setAsked] = useState<Asked>(EVERYTHING);
  const parameters = useDeferredValue(parametersOf(asked));
  const key = new URLSearchParams(parameters).toString();
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetching } = useInfiniteQuery({
    queryKey: ["audit", key],
    queryFn: ({ pageParam }) => api.audit(parameters, pageParam),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
  });
  const entries = data?.pages.flatMap((page) => page.entries) ?? [];
  const field = (name: keyof Asked) => ({
    value: asked[name],
    onChange: (event: { target: { value: string } }) =>
      setAsked((before) => ({ ...before, [name]: event.target.value })),
  });
  const names = new Map(accounts?.map((each) => [each.id, nameOf(each)]));
  return (
    <Panel
      title="Audit trail"
      error={error}
      onRetry={() => void refetch()}
      actions={
        <>
          <button type="button" onClick={() => void refetch()} disabled={isFetching}>
            Read again
          </button>
          <a className="button" href={`/api/audit/events.csv?${key}`} download>
            Export CSV
          </a>
        </>
      }
    >
      <form className="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
        <select aria-label="Account" {...field("accountId")}>
          <option value="">All accounts</option>
          {accounts?.map((each) => (
            <option key={each.id} value={each.id}>
              {nameOf(each)}
            </option>
          ))}
        </select>
        <select aria-label="Kind" {...field("type")}>
          {Object.entries(KINDS).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
        <input aria-label="Symbol" placeholder="Symbol" {...field("symbol")} />
        <input aria-label="Order" placeholder="Order id" {...field("orderId")} />
        <input aria-label="Who" placeholder="Key or service" {...field("actor")} />
        <label>
          From <input type="date" {...field("from")} />
        </label>
        <label>
          to <input type="date" {...field("to")} />
        </label>
        <button type="button" disabled={key === ""} onClick={() => setAsked(EVERYTHING)}>
          Clear
        </button>
      </form>
      {!data && !error && <p className="empty">Reading the record…</p>}
      {data && entries.length === 0 && <p className="empty">Nothing was recorded that fits</p>}
      {entries.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling area must be reachable by keyboard
        <section className="scroll audit" tabIndex={0} aria-label="Audit table">
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">What</th>
                <th scope="col">Account</th>
                <th scope="col">Order</th>
                <th scope="col">State</th>
                <th scope="col">Why, and what was set</th>
                <th scope="col">Who</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((each) => (
                <Line key={each.sequence} entry={each} account={names.get(each.accountId ?? 0)} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {hasNextPage && (
        <div className="row">
          <button type="button" disabled={isFetching} onClick={() => void fetchNextPage()}>
            Older
          </button>
        </div>
      )}
    </Panel>
  );
}

function Line({ entry, account }: { entry: AuditEntry; account: string | undefined }) {
  const order = entry.orderId;
  return (
    <tr>
      <td>
        <time dateTime={entry.recordedAt} title={entry.recordedAt}>
          {timeInIndia(entry.recordedAt)}
        </time>
      </td>
      <td>{entry.type}</td>
      <td>{account ?? entry.accountId ?? ""}</td>
      <td>
        {order && (
          <>
            <span title={order}>…{order.slice(-6)}</span> {entry.transactionType}{" "}
            {quantity(entry.filledQuantity ?? 0)}/{quantity(entry.quantity ?? 0)}{" "}
            <strong>{entry.symbol}</strong>{" "}
            {entry.averagePrice !== null
              ? `at ${price(entry.averagePrice)}`
              : entry.price !== null
                ? `limit ${price(entry.price)}`
                : ""}
          </>
        )}
      </td>
      <td>{entry.state}</td>
      <td className="words">
        {[entry.reasonCode, entry.reason, entry.detail, entry.brokerAnswer].filter(Boolean).join(" · ")}
      </td>
      <td>
        {entry.keyId ?? entry.component}
        {entry.address && <small className="muted"> {entry.address}</small>}
      </td>
    </tr>
  );
}
