// The latent picture over the restored one, up to a line that is dragged or moved by keys.

const STEP = 2;
const PAGE_STEP = 10;
const KEYS = {
  ArrowLeft: (at) => at - STEP,
  ArrowDown: (at) => at - STEP,
  ArrowRight: (at) => at + STEP,
  ArrowUp: (at) => at + STEP,
  PageDown: (at) => at - PAGE_STEP,
  PageUp: (at) => at + PAGE_STEP,
  Home: () => 0,
  End: () => 100,
};

export class Divider {
  // `box` gives the rectangle of the picture within `screen`, in its pixels.
  constructor(screen, handle, under, box) {
    Object.assign(this, { screen, handle, under, box, at: 50 });
    handle.addEventListener("keydown", (event) => this.onKey(event));
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) this.moveToPoint(event.clientX);
    });
    new ResizeObserver(() => this.place()).observe(screen);
  }

  get shown() {
    return !this.handle.hidden;
  }

  show(shown) {
    this.handle.hidden = !shown;
    this.under.hidden = !shown;
    this.place();
  }

  onKey(event) {
    const move = KEYS[event.key];
    if (!move) return;
    event.preventDefault();
    this.moveTo(move(this.at));
  }

  moveToPoint(x) {
    const { left, width } = this.box();
    this.moveTo((100 * (x - this.screen.getBoundingClientRect().left - left)) / width);
  }

  moveTo(at) {
    this.at = Math.min(100, Math.max(0, at));
    this.place();
  }

  place() {
    if (!this.shown) return;
    const { left, top, width, height } = this.box();
    const handle = this.handle.style;
    const under = this.under.style;
    handle.left = `${left + (width * this.at) / 100}px`;
    handle.top = `${top}px`;
    handle.height = `${height}px`;
    [under.left, under.top, under.width, under.height] =
      [left, top, width, height].map((value) => `${value}px`);
    under.clipPath = `inset(0 ${100 - this.at}% 0 0)`;
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.at)));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.at)}% as it travels`);
  }
}
