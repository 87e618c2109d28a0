import { LogOut, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { api, type SignedIn } from "../api/client";
import { DayProfit } from "../features/positions/DayProfit";
import { StopButton } from "../features/risk/StopButton";
import { useHealth } from "../live/socket";
import { setTheme } from "../theme";
import { modeOf, nameOf, useAccounts, useSelected } from "./selected";

const HEALTH = { live: "Live", connecting: "Connecting…", disconnected: "Disconnected" } as const;

export function TopBar({ title, who }: { title: string; who: SignedIn }) {
  const { data: accounts } = useAccounts();
  const [selected, select] = useSelected();
  const health = useHealth();
  const [light, setLight] = useState(document.documentElement.dataset.theme === "light");
  const turn = () => {
    setTheme(light ? "dark" : "light");
    setLight(!light);
  };
  return (
    <header className="topbar">
      <h1>{title}</h1>
      {selected && (
        <>
          <label className="unseen" htmlFor="account">
            Account
          </label>
          <select id="account" value={selected.id} onChange={(event) => select(Number(event.target.value))}>
            {accounts?.map((each) => (
              <option key={each.id} value={each.id}>
                {nameOf(each)}
              </option>
            ))}
          </select>
          <span className={`chip ${modeOf(selected).toLowerCase()}`}>{modeOf(selected)}</span>
          <DayProfit account={selected} />
        </>
      )}
      <span className="spacer" />
      <span className={`pill ${health}`} role="status">
        <span aria-hidden>●</span> {HEALTH[health]}
      </span>
      <button
        type="button"
        className="plain"
        onClick={turn}
        aria-label={light ? "Dark theme" : "Light theme"}
      >
        {light ? <Moon size={18} aria-hidden /> : <Sun size={18} aria-hidden />}
      </button>
      <button
        type="button"
        className="plain"
        aria-label={`Sign out ${who.userId}`}
        onClick={() => api.signOut().finally(() => location.assign("/sign-in"))}
      >
        <LogOut size={18} aria-hidden />
      </button>
      <StopButton />
    </header>
  );
}
