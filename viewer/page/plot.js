// A figure over the last minute, as inline SVG.

import { form } from "./forms.js";

const HISTORY = 60; // seconds

export class Plot {
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

  clear() {
    this.values = [];
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
