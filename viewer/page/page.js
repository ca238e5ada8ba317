// The viewer's page: two moving pictures, and the live figures once a second.

const INTERVAL_MS = 1000;
const HISTORY = 60; // seconds
const LIVE_STATES = new Set(["receiving", "playing"]);
const CLOCKS_DIFFER_MS = 60_000;

const byId = (id) => document.getElementById(id);
const middle = (value) => (value && typeof value === "object" ? value.p50 : value);

const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

const bitrate = (bps) => (bps >= 1e6 ? `${number(bps / 1e6, 2)} Mbit/s` : `${number(bps / 1e3)} kbit/s`);
const milliseconds = (ms) => `${number(ms, ms < 10 ? 1 : 0)} ms`;
const latency = (ms) => (ms < 0 || ms > CLOCKS_DIFFER_MS ? "clocks differ" : milliseconds(ms));
const engine = (name) => (name === "plain" ? "plain upscaling" : `restored by ${name}`);

const FORMS = {
  bits_per_s: bitrate,
  fps: (value) => `${number(value, 1)} /s`,
  latency_ms: latency,
  decode_ms: milliseconds,
  restore_ms: milliseconds,
  qp: (value) => number(value, 1),
  engine,
};

const form = (name, value) => {
  if (value === undefined || value === null) return "–";
  if (FORMS[name]) return FORMS[name](value);
  return typeof value === "number" ? number(value) : String(value).replace("x", " × ");
};

class Plot {
  static SVG = "http://www.w3.org/2000/svg";

  constructor(figure) {
    this.name = figure.dataset.plot;
    this.output = figure.querySelector("output");
    this.values = [];
    const svg = document.createElementNS(Plot.SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${HISTORY - 1} 100`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    [this.grid, this.area, this.line] = ["grid", "area", "line"].map((kind) => {
      const path = document.createElementNS(Plot.SVG, "path");
      path.setAttribute("class", kind);
      svg.append(path);
      return path;
    });
    this.grid.setAttribute("d", `M0 50H${HISTORY - 1}`);
    figure.append(svg);
  }

  add(value) {
    const usable = typeof value === "number" && value >= 0;
    this.values.push(usable ? value : null);
    if (this.values.length > HISTORY) this.values.shift();
    this.output.textContent = form(this.name, value);
    const known = this.values.filter((v) => v !== null);
    const top = Math.max(...known, 1e-9) * 1.15;
    const start = HISTORY - this.values.length;
    let line = "";
    let area = "";
    let open = null;
    this.values.forEach((v, i) => {
      if (v === null) {
        if (open !== null) area += `V100H${open}Z`;
        open = null;
        return;
      }
      const point = `${start + i} ${(100 - (v / top) * 96).toFixed(1)}`;
      line += `${open === null ? "M" : "L"}${point}`;
      area += `${open === null ? "M" : "L"}${point}`;
      if (open === null) open = start + i;
    });
    if (open !== null) area += `V100H${open}Z`;
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
  }
}

const plots = [...document.querySelectorAll("[data-plot]")].map((figure) => new Plot(figure));

const restart = (image, path) => {
  image.src = `${path}?${Date.now()}`;
};

const showPictures = () => {
  for (const name of ["restored", "preview"]) {
    const image = byId(name);
    image.addEventListener("load", () => { image.dataset.failed = ""; });
    image.addEventListener("error", () => { image.dataset.failed = "yes"; });
    restart(image, `/${name}.mjpeg`);
  }
};

const showState = (text, kind) => {
  const state = byId("state");
  if (state.textContent !== text) state.textContent = text;
  state.dataset.state = kind;
};

// What to say on the screen itself: before the first picture, and when the picture stands still.
const showNotice = ({ state, frames_shown: shown }) => {
  const notice = byId("notice");
  notice.hidden = shown > 0 && LIVE_STATES.has(state);
  notice.textContent = shown > 0 ? "No signal: this is the last picture" : "Waiting for a streamer";
};

const show = (figures) => {
  const live = LIVE_STATES.has(figures.state);
  showState(figures.state ?? "starting", live ? "live" : "waiting");
  showNotice(figures);
  byId("snapshot").toggleAttribute("inert", !figures.frames_shown);
  for (const element of document.querySelectorAll("[data-figure]")) {
    const name = element.dataset.figure;
    const known = figures[name] !== undefined;
    element.textContent = element.tagName === "SPAN" && !known ? "" : form(name, middle(figures[name]));
  }
  byId("travels").textContent = figures.scale
    ? `1/${figures.scale} of each side, ${figures.bits} bits`
    : "";
  for (const plot of plots) plot.add(middle(figures[plot.name]));
};

const restartBroken = () => {
  for (const name of ["restored", "preview"]) {
    const image = byId(name);
    if (image.dataset.failed) restart(image, `/${name}.mjpeg`);
  }
};

const poll = async () => {
  try {
    const response = await fetch("/figures.json", { cache: "no-store" });
    if (!response.ok) throw new Error(response.statusText);
    show(await response.json());
    restartBroken();
  } catch {
    showState("viewer not reachable", "trouble");
    for (const name of ["restored", "preview"]) byId(name).dataset.failed = "yes";
  }
};

showPictures();
poll();
setInterval(poll, INTERVAL_MS);
