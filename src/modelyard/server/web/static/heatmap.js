// @ts-check
// <tensor-heatmap>: reads out the field under the pointer, and moves over fields with the arrow keys.

class TensorHeatmap extends HTMLElement {
  connectedCallback() {
    this.readout = this.querySelector(".readout");
    if (this.readout instanceof HTMLElement) this.readout.textContent = this.readout.dataset.hint ?? "";
    this.addEventListener("pointerover", (event) => this.tell(event.target));
    this.addEventListener("focusin", (event) => this.tell(event.target));
    this.addEventListener("keydown", (event) => this.move(event));
  }

  /** @param {EventTarget | null} target */
  fieldOf(target) {
    return target instanceof Element ? target.closest("a[data-row]") : null;
  }

  /** Show what a field says. @param {EventTarget | null} target */
  tell(target) {
    const words = this.fieldOf(target)?.querySelector("title")?.textContent;
    if (words && this.readout) this.readout.textContent = words;
  }

  /** To the next field in a direction, over gaps. @param {KeyboardEvent} event */
  move(event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    const here = this.fieldOf(document.activeElement);
    if (!here || (!step && event.key !== "Home" && event.key !== "End")) return;
    const fields = [...this.querySelectorAll("a[data-row]")];
    const row = Number(here.getAttribute("data-row")), column = Number(here.getAttribute("data-column"));
    let best = null, least = Infinity;
    for (const field of fields) {
      const down = Number(field.getAttribute("data-row")) - row;
      const right = Number(field.getAttribute("data-column")) - column;
      const far = step ? down * step[0] + right * step[1] : 0;
      const aside = step ? Math.abs(down * step[1]) + Math.abs(right * step[0]) : 0;
      if (step && far > 0 && far + aside * 1000 < least) { best = field; least = far + aside * 1000; }
    }
    if (event.key === "Home") best = fields[0];
    if (event.key === "End") best = fields[fields.length - 1];
    event.preventDefault();
    if (!(best instanceof SVGElement)) return;
    here.setAttribute("tabindex", "-1");
    best.setAttribute("tabindex", "0");
    best.focus();
    best.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

customElements.define("tensor-heatmap", TensorHeatmap);
