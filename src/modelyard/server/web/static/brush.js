// @ts-check
// <brush-lines>: on each axis a stretch can be chosen; lines and rows of the table that miss it go.

const STEP = 12;

class BrushLines extends HTMLElement {
  connectedCallback() {
    this.svg = /** @type {SVGSVGElement} */ (this.querySelector("svg"));
    this.readout = this.querySelector(".readout");
    this.top = Number(this.svg.dataset.top);
    this.bottom = Number(this.svg.dataset.bottom);
    /** @type {Map<number, [number, number]>} */
    this.chosen = new Map();
    this.lines = [...this.querySelectorAll("path[data-line]")].map((line) => ({
      line, at: (line.getAttribute("data-at") ?? "").split(" ").map((y) => (y === "-" ? NaN : Number(y))),
    }));
    for (const hint of document.querySelectorAll(".with-script")) hint.removeAttribute("hidden");
    for (const stand of this.querySelectorAll(".stand")) this.offer(/** @type {SVGGElement} */ (stand));
    for (const row of document.querySelectorAll("tr[data-line]")) {
      row.addEventListener("pointerenter", () => this.point(row.getAttribute("data-line"), true));
      row.addEventListener("pointerleave", () => this.point(row.getAttribute("data-line"), false));
    }
    this.addEventListener("pointerover", (event) => {
      const line = event.target instanceof Element ? event.target.closest("path[data-line]") : null;
      if (line && this.readout) this.readout.textContent = line.querySelector("title")?.textContent ?? "";
    });
  }

  /** Choosing on one axis, by pointer and by keyboard. @param {SVGGElement} stand */
  offer(stand) {
    const axis = Number(stand.dataset.axis);
    stand.setAttribute("tabindex", "0");
    stand.setAttribute("role", "group");
    let from = NaN;
    stand.addEventListener("pointerdown", (event) => {
      from = this.heightOf(event);
      stand.setPointerCapture(event.pointerId);
      event.preventDefault();
      stand.focus();
    });
    stand.addEventListener("pointermove", (event) => {
      if (Number.isNaN(from)) return;
      const to = this.heightOf(event);
      if (Math.abs(to - from) > 3) this.choose(axis, Math.min(from, to), Math.max(from, to));
    });
    stand.addEventListener("pointerup", (event) => {
      if (Math.abs(this.heightOf(event) - from) <= 3) this.choose(axis, NaN, NaN);
      from = NaN;
    });
    stand.addEventListener("keydown", (event) => {
      const way = { ArrowUp: -STEP, ArrowDown: STEP }[event.key];
      if (event.key === "Escape") this.choose(axis, NaN, NaN);
      if (!way) return;
      event.preventDefault();
      const [low, high] = this.chosen.get(axis) ?? (way < 0 ? [this.top, (this.top + this.bottom) / 2] : [(this.top + this.bottom) / 2, this.bottom]);
      if (!this.chosen.has(axis)) return this.choose(axis, low, high);
      if (event.shiftKey) return this.choose(axis, way < 0 ? low + way : low, way < 0 ? high : high + way);
      this.choose(axis, low + way, high + way);
    });
  }

  /** Where the pointer is in the picture's own units. @param {PointerEvent} event */
  heightOf(event) {
    const box = this.svg.getBoundingClientRect();
    return ((event.clientY - box.top) / box.height) * this.svg.viewBox.baseVal.height;
  }

  /** A stretch of an axis, or none. @param {number} axis @param {number} low @param {number} high */
  choose(axis, low, high) {
    if (low < this.top + STEP) low = this.top - 2;
    if (high > this.bottom - STEP) high = this.bottom + 2;
    const brush = this.querySelector(`.stand[data-axis="${axis}"] .brush`);
    if (high - low > 2) this.chosen.set(axis, [low, high]);
    else this.chosen.delete(axis);
    brush?.setAttribute("y", String(this.chosen.has(axis) ? low : 0));
    brush?.setAttribute("height", String(this.chosen.has(axis) ? high - low : 0));
    this.show();
  }

  /** Lines that cross every stretch stay. */
  show() {
    let shown = 0;
    for (const { line, at } of this.lines) {
      const stays = [...this.chosen].every(([axis, [low, high]]) => at[axis] >= low && at[axis] <= high);
      line.classList.toggle("out", !stays);
      const row = /** @type {HTMLElement | null} */ (document.querySelector(`tr[data-line="${line.getAttribute("data-line")}"]`));
      if (row) row.hidden = !stays;
      if (stays) shown += 1;
    }
    if (!(this.readout instanceof HTMLElement)) return;
    const { all, some } = this.readout.dataset;
    this.readout.textContent = this.chosen.size ? `${some} ${shown} / ${this.lines.length}` : all ?? "";
  }

  /** Lift the line of a row. @param {string | null} number @param {boolean} yes */
  point(number, yes) {
    this.querySelector(`path[data-line="${number}"]`)?.classList.toggle("lifted", yes);
  }
}

customElements.define("brush-lines", BrushLines);
