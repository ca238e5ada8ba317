// How figures read.

const CLOCKS_DIFFER_MS = 60_000;

export const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

// What was observed over the last minute is shown by its median.
export const middle = (value) => (value && typeof value === "object" ? value.p50 : value);

const bitrate = (bps) => (bps >= 1e6 ? `${number(bps / 1e6, 2)} Mbit/s` : `${number(bps / 1e3)} kbit/s`);
const milliseconds = (ms) => `${number(ms, ms < 10 ? 1 : 0)} ms`;
const latency = (ms) => (ms < 0 || ms > CLOCKS_DIFFER_MS ? "clocks differ" : milliseconds(ms));
const engine = (name) => (name === "plain" ? "plain upscaling" : `restored by ${name}`);

const FORMS = {
  bits_per_s: bitrate,
  fps: (value) => `${number(value, 1)} /s`,
  latency_ms: latency,
  sender_ms: milliseconds,
  path_ms: milliseconds,
  jitter_buffer_ms: milliseconds,
  wait_ms: milliseconds,
  decode_ms: milliseconds,
  restore_ms: milliseconds,
  sink_ms: milliseconds,
  jitter_ms: milliseconds,
  qp: (value) => number(value, 1),
  engine,
};

export const form = (name, value) => {
  if (value === undefined || value === null) return "–";
  if (FORMS[name]) return FORMS[name](value);
  return typeof value === "number" ? number(value) : String(value).replace("x", " × ");
};

export const share = (part, whole) => (whole > 0 ? ` (${number((100 * part) / whole, 1)}%)` : "");
