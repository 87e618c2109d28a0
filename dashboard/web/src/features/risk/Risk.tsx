import { ExitAll } from "./ExitAll";
import { LimitsPanel } from "./LimitsPanel";
import { TradingState } from "./TradingState";

export default function Risk() {
  return (
    <>
      <TradingState />
      <LimitsPanel />
      <ExitAll />
    </>
  );
}
