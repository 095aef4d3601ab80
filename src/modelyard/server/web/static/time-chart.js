// @ts-check
// <time-chart>: the server's picture as one that can be pointed at and looked closer into (uPlot).
// It stands in a shadow, so that what refreshes the page changes numbers and leaves it alone.

const SYNC = "time";
const digits = (/** @type {number} */ value, /** @type {number} */ many) => String(Number(value.toPrecision(many)));

/** A value as people read it. @param {number | null | undefined} value @param {string} unit */
function told(value, unit) {
  if (value === null || value === undefined) return "-";
  if (unit === "%") return `${digits(value * 100, 3)} %`;
  if (unit === "s") return value < 0.0009995 ? `${digits(value * 1e6, 3)} µs` : value < 0.9995 ? `${digits(value * 1e3, 3)} ms` : `${digits(value, 3)} s`;
  return value >= 10000 ? `${digits(value / 1000, 3)}k` : digits(value, value >= 100 ? 4 : 3);
}

/** The style of uPlot, for the shadows of all charts. @type {Promise<CSSStyleSheet> | undefined} */
let styles;
const styled = async (/** @type {string} */ address) => new CSSStyleSheet().replace(await (await fetch(address)).text());

class TimeChart extends HTMLElement {
  static observedAttributes = ["data-points"];

  connectedCallback() {
    const plot = /** @type {any} */ (window).uPlot;
    if (!plot || this.shadowRoot) return;
    for (const hint of document.querySelectorAll(".with-script")) hint.removeAttribute("hidden");
    const root = this.attachShadow({ mode: "open" });
    this.place = document.createElement("div");
    root.append(this.place, document.createElement("slot"));
    styles ??= styled(this.dataset.sheet ?? "");
    styles.then((sheet) => { root.adoptedStyleSheets = [sheet]; this.draw(); });
    this.theme = matchMedia("(prefers-color-scheme: dark)");
    this.again = () => this.draw();
    this.theme.addEventListener("change", this.again);
    this.sized = new ResizeObserver(() => this.chart?.setSize({ width: this.clientWidth, height: 176 }));
    this.sized.observe(this);
  }

  disconnectedCallback() {
    this.theme?.removeEventListener("change", this.again);
    this.sized?.disconnect();
    this.chart?.destroy();
  }

  attributeChangedCallback() {
    if (this.chart) this.draw();
  }

  /** The colour that a class has on this page, lighter if a share is given. @param {string} kind @param {number} [share] */
  ink(kind, share) {
    const probe = document.createElement("i");
    probe.className = `ink ${kind}`;
    this.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return share ? colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`) : colour;
  }

  draw() {
    const told_ = JSON.parse(this.dataset.points ?? "{}");
    const unit = this.dataset.unit ?? "1";
    const [quiet, line] = [this.ink("quiet-ink"), this.ink("line-ink")];
    const series = [{}], bands = [], rows = [told_.times];
    for (const one of told_.curves) {
      const colour = this.ink(one.kind);
      rows.push(one.values);
      series.push({ stroke: colour, width: 1.75, fill: one.filled ? this.ink(one.kind, 0.1) : undefined, points: { show: true, size: 5, fill: colour, filter: lonely } });
    }
    for (const one of told_.curves) {
      if (!one.low) continue;
      const edge = { stroke: "transparent", width: 0, points: { show: false } };
      rows.push(one.high, one.low);
      series.push(edge, edge);
      bands.push({ series: [rows.length - 2, rows.length - 1], fill: this.ink(one.kind, 0.16) });
    }
    const axis = { stroke: quiet, font: "11.5px Inter, sans-serif", ticks: { show: false }, grid: { stroke: line, width: 1 } };
    this.chart?.destroy();
    this.chart = new (/** @type {any} */ (window).uPlot)({
      width: this.clientWidth, height: 176, padding: [10, 0, 0, 0], legend: { show: false }, series, bands,
      tzDate: (ts) => new Date(ts * 1000 + new Date(ts * 1000).getTimezoneOffset() * 60000),
      scales: { x: { range: [told_.since, told_.until] }, y: { range: [told_.low, told_.high] } },
      axes: [{ ...axis, grid: { show: false }, size: 24, gap: 6, space: 70, values: (u, marks) => marks.map((t) => moment(t, told_)) },
        { ...axis, size: 52, gap: 8, space: 34, values: (u, marks) => marks.map((v) => (v === 0 && unit !== "%" ? "0" : told(v, unit))) }],
      cursor: { sync: { key: SYNC }, y: false, drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
      hooks: {
        setCursor: [(u) => this.tell(u, unit)],
        setSelect: [(u) => this.zoom(u)],
        draw: [(u) => this.mark(u, told_)],
      },
    }, rows, this.place);
    this.shadowRoot?.querySelector("slot")?.setAttribute("hidden", "");
  }

  /** What is under the pointer, in the legend. @param {any} u @param {string} unit */
  tell(u, unit) {
    for (const place of this.parentElement?.querySelectorAll("[data-line]") ?? []) {
      const row = u.data[Number(place.getAttribute("data-line")) + 1] ?? [];
      const last = row.findLast((/** @type {unknown} */ v) => v !== null);
      place.textContent = told(u.cursor.idx === null || u.cursor.idx === undefined ? last : row[u.cursor.idx], unit);
    }
  }

  /** Go to the stretch that was dragged over. @param {any} u */
  zoom(u) {
    if (u.select.width < 8 || u.cursor.event?.type !== "mouseup") return;
    const address = new URL(location.href);
    address.searchParams.delete("window");
    address.searchParams.set("since", String(Math.floor(u.posToVal(u.select.left, "x"))));
    address.searchParams.set("until", String(Math.ceil(u.posToVal(u.select.left + u.select.width, "x"))));
    location.assign(address);
  }

  /** Changes of the deployment, and the threshold. @param {any} u @param {any} told_ */
  mark(u, told_) {
    const { ctx, bbox } = u, ratio = devicePixelRatio;
    ctx.save();
    ctx.lineWidth = 1.25 * ratio;
    for (const one of told_.moments) {
      const x = u.valToPos(one.time, "x", true);
      ctx.strokeStyle = ctx.fillStyle = this.ink(`happened ${one.kind}`);
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath(); ctx.moveTo(x, bbox.top - 4 * ratio); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
      ctx.beginPath(); ctx.arc(x, bbox.top - 4 * ratio, 4 * ratio, 0, 7); ctx.fill();
    }
    if (told_.threshold !== null) {
      const y = u.valToPos(told_.threshold, "y", true);
      ctx.strokeStyle = this.ink("bad");
      ctx.setLineDash([5 * ratio, 4 * ratio]);
      ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
    }
    ctx.restore();
  }
}

/** Places of points without a neighbour, which no line shows. @param {any} u @param {number} i */
function lonely(u, i) {
  const row = u.data[i], known = (/** @type {number} */ at) => row[at] !== null && row[at] !== undefined;
  return row.map((_, at) => at).filter((at) => known(at) && !known(at - 1) && !known(at + 1));
}

/** A time of the axis (UTC); none where it would be cut off. @param {number} time @param {any} told_ */
function moment(time, told_) {
  const span = told_.until - told_.since;
  if (told_.until - time < span * 0.03) return "";
  const text = new Date(time * 1000).toISOString();
  if (span > 6 * 86400 || (span > 3600 && time % 86400 === 0)) return text.slice(5, 10);
  return span < 360 ? text.slice(11, 19) : text.slice(11, 16);
}

customElements.define("time-chart", TimeChart);
