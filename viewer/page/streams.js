// The streams that are received; where there may be several, each can be chosen.

const LIVE = "receiving";

const words = (stream) => [
  stream.state === "listening" ? "waiting for a streamer" : stream.state,
  stream.source_size,
  stream.scale && `scale ${stream.scale}`,
  stream.bits && `${stream.bits} bits`,
  stream.engine,
].filter(Boolean).join(" · ");

export class StreamList {
  // `onChoice` hears the number of the stream that is watched from now on.
  constructor(list, onChoice) {
    Object.assign(this, { list, onChoice, items: [], watched: "0" });
    const wanted = new URLSearchParams(location.hash.slice(1)).get("stream");
    if (/^\d{1,2}$/.test(wanted ?? "")) this.watched = String(Number(wanted));
  }

  // What `/api/streams` tells.
  show(streams) {
    if (this.items.length !== streams.length) this.build(streams);
    streams.forEach((stream, i) => this.items[i].show(stream, stream.id === this.watched));
  }

  build(streams) {
    const several = streams.length > 1;
    this.list.classList.toggle("several", several);
    this.items = streams.map(({ id }) => (several ? new Choice(() => this.choose(id)) : new Line()));
    this.list.replaceChildren(...this.items.map(({ item }) => item));
    if (!streams.some(({ id }) => id === this.watched)) this.choose("0");
  }

  choose(id) {
    if (id === this.watched) return;
    this.watched = id;
    history.replaceState(null, "", `#stream=${id}`);
    this.items.forEach((item, i) => item.mark?.(String(i) === id));
    this.onChoice(id);
  }
}

class Line {
  constructor() {
    this.item = document.createElement("li");
  }

  show(stream) {
    this.item.textContent = [stream.peer, words(stream)].filter(Boolean).join(": ");
  }
}

class Choice {
  constructor(onClick) {
    this.item = document.createElement("li");
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.addEventListener("click", onClick);
    this.picture = document.createElement("img");
    this.picture.alt = "";
    this.picture.addEventListener("error", () => { this.picture.hidden = true; });
    this.picture.addEventListener("load", () => { this.picture.hidden = false; });
    this.picture.hidden = true;
    this.name = document.createElement("strong");
    this.about = document.createElement("span");
    this.button.append(this.picture, this.name, this.about);
    this.item.append(this.button);
  }

  show(stream, watched) {
    this.name.textContent = `${stream.id} ${stream.peer ?? ""}`;
    this.about.textContent = words(stream);
    this.button.dataset.state = stream.state;
    this.mark(watched);
    if (stream.state === LIVE && stream.fps > 0) this.picture.src = `/preview.jpg?stream=${stream.id}&${Date.now()}`;
  }

  mark(watched) {
    this.button.setAttribute("aria-pressed", String(watched));
  }
}
