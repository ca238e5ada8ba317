// The viewer's page: two moving pictures, what can be changed, and the live figures once a second.

import { Divider } from "./divider.js";
import { form, middle, number, share } from "./forms.js";
import { Player } from "./player.js";
import { Plot } from "./plot.js";
import { StreamList } from "./streams.js";

const INTERVAL_MS = 1000;
const LIVE_STATES = new Set(["receiving", "playing"]);

const byId = (id) => document.getElementById(id);
const plots = [...document.querySelectorAll("[data-plot]")].map((figure) => new Plot(figure));
const screen = byId("screen");
const streams = new StreamList(byId("streams"), () => watchAnother());
const player = new Player(
  byId("video"), byId("restored"), streams.watched, (way) => { byId("way").textContent = way; },
);

// The picture within its screen, which keeps the picture's shape.
const box = () => {
  const [width, height] = player.size;
  const scale = Math.min(screen.clientWidth / width, screen.clientHeight / height) || 1;
  const [w, h] = width ? [width * scale, height * scale] : [screen.clientWidth, screen.clientHeight];
  return { left: (screen.clientWidth - w) / 2, top: (screen.clientHeight - h) / 2, width: w, height: h };
};
const divider = new Divider(screen, byId("divider"), byId("under"), box);

// Both show the one stream of latent pictures.
const previews = [byId("preview"), byId("under")];
for (const image of previews) {
  image.addEventListener("load", () => { image.dataset.failed = ""; });
  image.addEventListener("error", () => { image.dataset.failed = "yes"; });
}
const start = (image) => {
  image.src = `/preview.mjpeg?stream=${streams.watched}&${image.id}${Date.now()}`;
};
const restartBroken = () => {
  for (const image of previews) if (image.dataset.failed) start(image);
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
  player.tell(figures.frames_shown ?? 0);
  byId("snapshot").toggleAttribute("inert", !figures.frames_shown);
  byId("snapshot").href = `/snapshot.png?stream=${streams.watched}`;
  for (const element of document.querySelectorAll("[data-figure]")) {
    const name = element.dataset.figure;
    const known = figures[name] !== undefined;
    element.textContent = element.tagName === "SPAN" && !known ? "" : form(name, middle(figures[name]));
  }
  byId("travels").textContent = figures.scale
    ? `1/${figures.scale} of each side, ${figures.bits} bits`
    : "";
  const { packets_lost: lost, packets_received: got } = figures;
  byId("loss").textContent = lost === undefined ? "–" : number(lost) + share(lost, lost + got);
  const { clock_uncertainty_ms: uncertainty } = figures;
  byId("uncertainty").textContent = uncertainty === undefined ? "" : ` ± ${number(uncertainty, 1)}`;
  byId("gone").textContent = `${form("", figures.frames_lost)}, ${form("", figures.frames_dropped)}`;
  for (const plot of plots) plot.add(middle(figures[plot.name]));
};

// Everything on the page is of the stream that is watched.
const ofWatched = (figures) => ({ ...figures, ...figures.streams?.[streams.watched] });
const recordingPath = () => `/api/recording?stream=${streams.watched}`;

const watchAnother = () => {
  player.watchStream(streams.watched);
  for (const image of previews) if (image.src) start(image);
  for (const plot of plots) plot.clear();
  poll();
};

const complain = (text) => { byId("message").textContent = text; };

const getJson = async (path) => {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
};

// What the viewer says to a change; its refusal is shown.
const put = async (path, value) => {
  const response = await fetch(path, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
  });
  complain(response.ok ? "" : await response.text());
  return response.ok ? response.json() : getJson(path);
};

const fidelity = byId("fidelity");
const showFidelity = ({ fidelity: value }) => {
  if (document.activeElement !== fidelity) fidelity.value = value;
  byId("fidelity-now").textContent = number(value, 2);
};
fidelity.addEventListener("input", async () => {
  byId("fidelity-now").textContent = number(Number(fidelity.value), 2);
  try {
    await put("/api/fidelity", { fidelity: Number(fidelity.value) });
  } catch { complain("The viewer does not answer"); }
});

const record = byId("record");
const showRecording = ({ recording, file }) => {
  record.setAttribute("aria-pressed", String(recording));
  record.textContent = recording ? "Stop recording" : "Record";
  record.title = file ?? "";
};
record.addEventListener("click", async () => {
  const on = record.getAttribute("aria-pressed") !== "true";
  try {
    showRecording(await put(recordingPath(), { recording: on }));
  } catch { complain("The viewer does not answer"); }
});

const compare = byId("compare");
compare.addEventListener("click", () => {
  const on = !divider.shown;
  compare.setAttribute("aria-pressed", String(on));
  if (on) start(byId("under"));
  else byId("under").removeAttribute("src");
  divider.show(on);
  if (on) byId("divider").focus();
});

byId("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else screen.requestFullscreen?.().catch(() => complain("This browser has no full screen here"));
});

const poll = async () => {
  try {
    const list = (await getJson("/api/streams")).streams;
    streams.show(list);
    const paths = ["/figures.json", "/api/fidelity", recordingPath()];
    const [figures, now, recording] = await Promise.all(paths.map(getJson));
    show(ofWatched(figures));
    showFidelity(now);
    showRecording(recording);
    restartBroken();
    divider.place();
  } catch {
    showState("viewer not reachable", "trouble");
    byId("restored").dataset.failed = "yes";
    for (const image of previews) if (image.src) image.dataset.failed = "yes";
  }
};

start(byId("preview"));
poll();
setInterval(poll, INTERVAL_MS);
