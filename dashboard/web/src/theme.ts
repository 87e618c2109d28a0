// Runs before the first paint, so that the page never flashes in the wrong theme.
export type Theme = "dark" | "light" | "system";
export type Palette = "standard" | "cb";

export const themeOf = (): Theme => (localStorage.getItem("vyomo.theme") as Theme | null) ?? "dark";
export const paletteOf = (): Palette =>
  (localStorage.getItem("vyomo.palette") as Palette | null) ?? "standard";

export function applyTheme(): void {
  const theme = themeOf();
  const light =
    theme === "light" || (theme === "system" && matchMedia("(prefers-color-scheme: light)").matches);
  document.documentElement.dataset.theme = light ? "light" : "dark";
  document.documentElement.dataset.pnl = paletteOf();
}

export function setTheme(theme: Theme): void {
  localStorage.setItem("vyomo.theme", theme);
  applyTheme();
}

export function setPalette(palette: Palette): void {
  localStorage.setItem("vyomo.palette", palette);
  applyTheme();
}

applyTheme();
