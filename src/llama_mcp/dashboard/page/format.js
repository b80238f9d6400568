// Numbers, sizes and times in the language of the page.

export const MIB = 2 ** 20;
export const UNKNOWN = "–";
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

export function language() {
  return globalThis.document?.documentElement.lang || undefined;
}

export function isKnown(value) {
  return typeof value === "number" && Number.isFinite(value);
}

export function number(value, digits = 3) {
  if (!isKnown(value)) return UNKNOWN;
  return new Intl.NumberFormat(language(), { maximumSignificantDigits: digits }).format(value);
}

export function whole(value) {
  if (!isKnown(value)) return UNKNOWN;
  return new Intl.NumberFormat(language(), { maximumFractionDigits: 0 }).format(value);
}

export function percent(share) {
  if (!isKnown(share)) return UNKNOWN;
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 0 }).format(share);
}

export function bytes(value) {
  if (!isKnown(value)) return UNKNOWN;
  const step = value < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(value) / 10));
  return `${number(value / 1024 ** step)} ${SIZES[step]}`;
}

export function duration(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  if (seconds < 90) return `${whole(seconds)} s`;
  if (seconds < 5400) return `${whole(seconds / 60)} min`;
  if (seconds < 172800) return `${whole(seconds / 3600)} h`;
  return `${whole(seconds / 86400)} days`;
}

export function ago(at, now = Date.now()) {
  const seconds = (now - at) / 1000;
  return seconds < 10 ? "just now" : `${duration(seconds)} ago`;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString(language(), { hour: "2-digit", minute: "2-digit" });
}

export function moment(at) {
  return new Date(at).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
}

export function counted(count, one, many = `${one}s`) {
  return `${whole(count)} ${count === 1 ? one : many}`;
}
