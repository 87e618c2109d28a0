import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { timeInIndia } from "../../format/times";
import { paletteOf, setPalette, setTheme, themeOf } from "../../theme";
import { Choice } from "../../ui/Field";
import { Panel } from "../../ui/Panel";

const THEMES = { Dark: "dark", Light: "light", System: "system" } as const;
const PALETTES = { Standard: "standard", "Colour-blind": "cb" } as const;
const keysOf = <T extends object>(table: T) => Object.keys(table) as (keyof T & string)[];
const keyOf = <T extends Record<string, string>>(table: T, value: string): keyof T & string =>
  keysOf(table).find((key) => table[key] === value) ?? (keysOf(table)[0] as keyof T & string);

export function Settings() {
  const queries = useQueryClient();
  const [theme, chooseTheme] = useState(() => keyOf(THEMES, themeOf()));
  const [palette, choosePalette] = useState(() => keyOf(PALETTES, paletteOf()));
  const { data: sessions, error, refetch } = useQuery({ queryKey: ["sessions"], queryFn: api.sessions });
  const end = (id: string) =>
    api.endSession(id).finally(() => queries.invalidateQueries({ queryKey: ["sessions"] }));
  return (
    <>
      <Panel title="Appearance">
        <Choice
          label="Theme"
          value={theme}
          options={keysOf(THEMES).map((value) => ({ value }))}
          onChoose={(next) => {
            chooseTheme(next);
            setTheme(THEMES[next]);
          }}
        />
        <Choice
          label="Profit and loss colours"
          value={palette}
          options={keysOf(PALETTES).map((value) => ({ value }))}
          onChoose={(next) => {
            choosePalette(next);
            setPalette(PALETTES[next]);
          }}
        />
      </Panel>
      <Panel title="Signed-in browsers" error={error} onRetry={() => void refetch()}>
        <ul className="list">
          {sessions?.map((each) => (
            <li key={each.sessionId}>
              <span>
                {each.userAgent ?? "Unknown browser"}
                <small className="muted">
                  {" "}
                  {each.address ?? ""} since {timeInIndia(each.createdAt)}, last seen{" "}
                  {timeInIndia(each.lastSeenAt)}
                </small>
              </span>
              <button type="button" onClick={() => void end(each.sessionId)}>
                Sign out
              </button>
            </li>
          ))}
        </ul>
      </Panel>
      <Panel title="About">
        <p>
          Charts are drawn by TradingView Lightweight Charts™, © TradingView, Inc.{" "}
          <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
            https://www.tradingview.com/
          </a>
          , under the Apache License 2.0.
        </p>
      </Panel>
      <Panel title="API keys">
        <p>
          Programs use keys: <code>./vyomo key</code> prints yours,{" "}
          <code>./vyomo key new NAME --scope read</code> makes another, <code>./vyomo key revoke ID</code>{" "}
          ends one.
        </p>
      </Panel>
    </>
  );
}
