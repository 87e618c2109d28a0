import { useQuery } from "@tanstack/react-query";
import { type Account, api } from "../../api/client";
import { rupees, scaled } from "../../format/numbers";
import { timeInIndia } from "../../format/times";

/** Three cards: what is available, what is used, and the two things one does next. */
export function Margins({ account, onPlace }: { account: Account; onPlace: () => void }) {
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ["margins", account.id],
    queryFn: () => api.margins(account.id),
  });
  const available = data?.unlimited
    ? "Unlimited"
    : rupees(data?.available == null ? null : scaled(data.available));
  return (
    <section className="margins" aria-label="Margins">
      <div className="margin available">
        <h3>Available margin</h3>
        <strong>{available}</strong>
        <small className="muted">
          {error ? error.message : data ? `as of ${timeInIndia(data.updatedAt)}` : "reading…"}
        </small>
      </div>
      <div className="margin used">
        <h3>Used margin</h3>
        <strong>{rupees(data ? scaled(data.used) : null)}</strong>
        <small className="muted">blocked for positions and pending orders</small>
      </div>
      <div className="margin actions">
        <h3>Actions</h3>
        <div className="row">
          <button type="button" onClick={() => void refetch()} disabled={isFetching}>
            Refresh
          </button>
          <button type="button" className="primary" onClick={onPlace}>
            Place order
          </button>
        </div>
      </div>
    </section>
  );
}
