// The page's colours for a canvas, which no style sheet reaches.
export interface Colours {
  panel: string;
  text: string;
  line: string;
  up: string;
  down: string;
  upVolume: string;
  downVolume: string;
  font: string;
}

const VOLUME_ALPHA = "66";

export function coloursOf(): Colours {
  const styles = getComputedStyle(document.documentElement);
  const of = (name: string) => styles.getPropertyValue(name).trim();
  return {
    panel: of("--panel"),
    text: of("--muted"),
    line: of("--line"),
    up: of("--up"),
    down: of("--down"),
    upVolume: of("--up") + VOLUME_ALPHA,
    downVolume: of("--down") + VOLUME_ALPHA,
    font: of("--font"),
  };
}

/** Told when theme or palette change. */
export function onColours(told: () => void): () => void {
  const observer = new MutationObserver(told);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme", "data-pnl"] });
  return () => observer.disconnect();
}
