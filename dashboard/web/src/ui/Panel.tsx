import { Component, type ReactNode, useEffect, useState } from "react";
import { ago } from "../format/times";
import { useHealth } from "../live/socket";

interface Props {
  title: string;
  updatedAt?: number;
  actions?: ReactNode;
  error?: Error | null;
  onRetry?: () => void;
  className?: string;
  children: ReactNode;
}

class Boundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  render() {
    if (!this.state.failed) return this.props.children;
    return (
      <p className="notice" role="alert">
        This panel failed.{" "}
        <button type="button" onClick={() => this.setState({ failed: false })}>
          Show it again
        </button>
      </p>
    );
  }
}

/** A box with its own error boundary, age and retry: one that fails never takes its neighbours along. */
export function Panel(props: Props) {
  const [now, setNow] = useState(Date.now);
  const health = useHealth();
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const age = props.updatedAt ? ago(props.updatedAt, now) : null;
  return (
    <section className={`panel ${props.className ?? ""}`} aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {age !== null && (
          <span className={health === "live" ? "muted" : "warn"}>
            {health === "live" ? `updated ${age}` : `may be out of date, read ${age}`}
          </span>
        )}
        <span className="spacer" />
        {props.actions}
      </header>
      {props.error && (
        <p className="notice" role="alert">
          {props.error.message}{" "}
          {props.onRetry && (
            <button type="button" onClick={props.onRetry}>
              Retry
            </button>
          )}
        </p>
      )}
      <Boundary>{props.children}</Boundary>
    </section>
  );
}
