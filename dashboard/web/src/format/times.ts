const ZONE = "Asia/Kolkata";
const clock = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE,
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const day = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, day: "2-digit", month: "short" });
const dayKey = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE });

/** 24 hours in India, whatever the browser's zone; with the date when it is another day than `now`. */
export function timeInIndia(iso: string, now: Date = new Date()): string {
  const at = new Date(iso);
  const time = clock.format(at);
  return dayKey.format(at) === dayKey.format(now) ? time : `${day.format(at)} ${time}`;
}

const minute = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE,
  day: "2-digit",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const date = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE,
  day: "2-digit",
  month: "short",
  year: "numeric",
});

/** `27 Nov, 13:35` */
export const minuteInIndia = (iso: string): string => minute.format(new Date(iso));
/** `27 Nov 2026` */
export const dateInIndia = (iso: string): string => date.format(new Date(iso));

/** `3 s ago`, `5 min ago`. */
export function ago(since: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - since) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

/** `5 h 12 min` until then; empty when it is over. */
export function left(iso: string | null, now: number): string {
  if (iso === null) return "";
  const minutes = Math.floor((new Date(iso).getTime() - now) / 60_000);
  if (minutes < 0) return "";
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
