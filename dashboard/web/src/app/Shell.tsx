import {
  ChartCandlestick,
  Link as LinkIcon,
  PanelLeft,
  ScrollText,
  Settings2,
  ShieldAlert,
} from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import type { SignedIn } from "../api/client";
import { TradingBanner } from "../features/risk/TradingBanner";
import { useAsRegion } from "../ui/announcer";
import { Toasts } from "../ui/Toasts";
import { TopBar } from "./TopBar";

const PAGES = [
  { path: "/broker-management", name: "Broker Integration", icon: LinkIcon },
  { path: "/market", name: "Market", icon: ChartCandlestick },
  { path: "/risk", name: "Risk", icon: ShieldAlert },
  { path: "/audit", name: "Audit", icon: ScrollText },
  { path: "/settings", name: "Settings", icon: Settings2 },
] as const;

export function Shell({ who, children }: { who: SignedIn; children: ReactNode }) {
  const [path] = useLocation();
  const [narrow, setNarrow] = useState(() => localStorage.getItem("vyomo.narrow") === "1");
  const page = PAGES.find((each) => path.startsWith(each.path)) ?? PAGES[0];
  useEffect(() => {
    document.title = `${page.name} · Vyomo`;
  }, [page.name]);
  const toggle = () => {
    localStorage.setItem("vyomo.narrow", narrow ? "0" : "1");
    setNarrow(!narrow);
  };
  return (
    <div className="shell" data-narrow={narrow || undefined}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <nav className="sidebar" aria-label="Pages">
        <div className="brand">
          <span aria-hidden>◆</span> <span className="name">Vyomo</span>
        </div>
        <ul>
          {PAGES.map(({ path: target, name, icon: Icon }) => (
            <li key={target}>
              <Link href={target} aria-current={page.path === target ? "page" : undefined} title={name}>
                <Icon size={18} aria-hidden /> <span className="name">{name}</span>
              </Link>
            </li>
          ))}
        </ul>
        <button
          type="button"
          className="plain"
          onClick={toggle}
          aria-label={narrow ? "Widen the sidebar" : "Narrow the sidebar"}
        >
          <PanelLeft size={18} aria-hidden />
        </button>
      </nav>
      <div className="page">
        <TopBar title={page.name} who={who} />
        <TradingBanner />
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
      <Toasts />
      <div className="unseen" role="status" aria-live="polite" ref={useAsRegion} />
    </div>
  );
}
