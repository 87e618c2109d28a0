// One polite live region for the whole page: prices never speak, events do, at most one a second.
let region: HTMLElement | null = null;
let last = 0;
const waiting: string[] = [];

export const useAsRegion = (element: HTMLElement | null): void => {
  region = element;
};

export function announce(text: string): void {
  waiting.push(text);
  if (waiting.length === 1) setTimeout(speak, Math.max(0, 1000 - (Date.now() - last)));
}

function speak(): void {
  last = Date.now();
  if (region !== null) region.textContent = waiting.shift() ?? "";
  if (waiting.length > 0) setTimeout(speak, 1000);
}
