// The restored video: over WHEP (draft-ietf-wish-whep), or as JPEGs where that does not work.

const GATHER_MS = 1000; // candidates of a LAN are there at once
const PATIENCE_MS = 6000; // for the first picture
const AGAIN_MS = 10_000; // until WebRTC is tried once more
const STALLED_MS = 5000; // no picture, although they are shown

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Player {
  // `fallback` is the image of the JPEGs, `stream` the number of the stream; `onWay` hears how the
  // pictures come now.
  constructor(video, fallback, stream, onWay) {
    Object.assign(this, { video, fallback, stream, onWay, connection: null, session: null, plays: false });
    this.expectChange();
    video.addEventListener("playing", () => this.switchTo(true));
    fallback.addEventListener("error", () => { fallback.dataset.failed = "yes"; });
    fallback.addEventListener("load", () => { fallback.dataset.failed = ""; });
    window.addEventListener("pagehide", () => this.leave());
    this.run();
  }

  async run() {
    this.switchTo(false);
    for (;;) {
      try {
        await this.watch();
      } catch (error) {
        console.info("no WebRTC:", error.message);
      }
      this.leave();
      this.switchTo(false);
      await Promise.race([sleep(AGAIN_MS), this.changed]);
      this.expectChange();
    }
  }

  // Another stream, from now on.
  watchStream(stream) {
    this.stream = stream;
    this.change();
  }

  expectChange() {
    this.changed = new Promise((resolve) => { this.change = resolve; });
  }

  // One session, until its end.
  async watch() {
    const connection = new RTCPeerConnection();
    this.connection = connection;
    const over = new Promise((_, reject) => {
      connection.addEventListener("connectionstatechange", () => {
        if (["failed", "disconnected", "closed"].includes(connection.connectionState)) {
          reject(new Error(`connection ${connection.connectionState}`));
        }
      });
    });
    over.catch(() => {});
    connection.addEventListener("track", ({ track, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      this.video.srcObject = new MediaStream([track]);
      this.video.play().catch(() => {});
    });
    connection.addTransceiver("video", { direction: "recvonly" });
    await connection.setLocalDescription();
    await this.gathered(connection);
    const response = await fetch(`/whep?stream=${this.stream}`, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription.sdp,
    });
    if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
    this.session = response.headers.get("Location");
    await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
    await Promise.race([over, this.look(connection), this.changed]);
  }

  // Ends when pictures that are shown do not come this way.
  async look(connection) {
    let last = { frames: 0, at: performance.now(), shown: this.shown };
    let patience = PATIENCE_MS;
    while (connection === this.connection) {
      await sleep(500);
      const frames = this.video.getVideoPlaybackQuality().totalVideoFrames;
      const now = performance.now();
      if (frames > last.frames || this.shown === last.shown || document.hidden) {
        if (frames > last.frames) patience = STALLED_MS;
        last = { frames, at: now, shown: this.shown };
      } else if (now - last.at > patience) {
        throw new Error("no pictures");
      }
    }
  }

  // How many pictures the viewer has shown; from its figures.
  tell(shown) {
    this.shown = shown;
    if (!this.plays && this.fallback.dataset.failed) this.startFallback();
  }

  gathered(connection) {
    if (connection.iceGatheringState === "complete") return Promise.resolve();
    const complete = new Promise((resolve) => {
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") resolve();
      });
    });
    return Promise.race([complete, sleep(GATHER_MS)]);
  }

  leave() {
    const { session, connection } = this;
    this.session = null;
    this.connection = null;
    const close = () => connection?.close();
    if (session) fetch(session, { method: "DELETE", keepalive: true }).then(close, close);
    else close();
  }

  switchTo(plays) {
    const keeps = !plays && !this.plays && this.fallbackStream === this.stream;
    this.plays = plays;
    this.video.hidden = !plays;
    this.fallback.hidden = plays;
    if (plays) this.fallback.removeAttribute("src");
    else if (!keeps) this.startFallback();
    this.onWay(plays ? "WebRTC" : "JPEG");
  }

  startFallback() {
    this.fallbackStream = this.stream;
    this.fallback.dataset.failed = "";
    this.fallback.src = `/restored.mjpeg?stream=${this.stream}&${Date.now()}`;
  }

  // The picture's size, once there is one.
  get size() {
    return this.plays
      ? [this.video.videoWidth, this.video.videoHeight]
      : [this.fallback.naturalWidth, this.fallback.naturalHeight];
  }
}
