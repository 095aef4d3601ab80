// @ts-check
// <upload-form>: the form of a new version with dropping, a list of what was chosen, and progress.

const IGNORED = new Set([".git", ".yard"]);
const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** @param {number} size */
function human(size) {
  let unit = 0;
  while (size >= 999.95 && unit < UNITS.length - 1) { size /= 1000; unit += 1; }
  return unit ? `${size.toFixed(1)} ${UNITS[unit]}` : `${size} B`;
}

/** All files below what was dropped. @param {any} entry @param {string} path @returns {Promise<[string, File][]>} */
async function below(entry, path) {
  if (IGNORED.has(entry.name)) return [];
  if (entry.isFile) return [[path, await new Promise((done, fail) => entry.file(done, fail))]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {  // a reader gives a part at a time
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    for (const each of some) found.push(...await below(each, path ? `${path}/${each.name}` : each.name));
  }
}

class UploadForm extends HTMLElement {
  connectedCallback() {
    /** @type {Map<string, File>} */
    this.files = new Map();
    this.form = /** @type {HTMLFormElement} */ (this.querySelector("form"));
    this.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    this.addEventListener("click", (event) => this.clicked(/** @type {HTMLElement} */ (event.target)));
    for (const input of this.inputs()) input.addEventListener("change", () => this.taken(input));
    for (const button of this.querySelectorAll("[data-more]")) button.removeAttribute("hidden");
    this.one("[data-drop-text]").hidden = false;
    const place = this.one("[data-drop]");
    place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("over"); });
    place.addEventListener("dragleave", () => place.classList.remove("over"));
    place.addEventListener("drop", (event) => { event.preventDefault(); place.classList.remove("over"); this.dropped(event); });
  }

  /** @param {string} selector @returns {any} */
  one(selector) { return this.querySelector(selector); }

  /** @returns {NodeListOf<HTMLInputElement>} */
  inputs() { return this.querySelectorAll("input[type=file]"); }

  /** @param {HTMLInputElement} input */
  taken(input) {
    for (const file of input.files ?? []) {
      const path = input.name === "folder" ? file.webkitRelativePath.split("/").slice(1).join("/") : file.name;
      if (!path.split("/").some((part) => IGNORED.has(part))) this.files.set(path || file.name, file);
    }
    input.value = "";
    this.show();
  }

  /** @param {DragEvent} event */
  async dropped(event) {
    const items = [...event.dataTransfer?.items ?? []].filter((item) => item.kind === "file");
    const entries = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
    const alone = entries.length === 1 && !(entries[0] instanceof File) && entries[0]?.isDirectory;
    for (const entry of entries) {
      const found = entry instanceof File ? [[entry.name, entry]] : entry ? await below(entry, alone ? "" : entry.name) : [];
      for (const [path, file] of found) this.files.set(path, file);
    }
    this.show();
  }

  /** @param {HTMLElement} target */
  clicked(target) {
    const path = target.getAttribute("data-path");
    if (path !== null) { this.files.delete(path); this.show(); }
    if (target.hasAttribute("data-more")) {
      const row = /** @type {HTMLElement} */ (target.previousElementSibling?.cloneNode(true));
      for (const input of row.querySelectorAll("input")) input.value = "";
      target.before(row);
      row.querySelector("input")?.focus();
    }
  }

  get size() { return [...this.files.values()].reduce((sum, file) => sum + file.size, 0); }

  show() {
    const body = this.one(".chosen tbody");
    body.replaceChildren(...[...this.files].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, 500).map(([path, file]) => {
      const row = document.createElement("tr");
      const button = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: this.dataset.remove });
      button.setAttribute("data-path", path);
      button.setAttribute("aria-label", `${this.dataset.remove}: ${path}`);
      for (const content of [path, human(file.size), button]) row.insertCell().append(content);
      row.cells[1].className = row.cells[2].className = "num";
      return row;
    }));
    this.one(".chosen").hidden = !this.files.size;
    this.one("[data-total]").textContent = `${this.files.size} · ${human(this.size)}`;
    if (this.size > Number(this.dataset.largest)) this.tell(this.dataset.tooLarge ?? "", this.dataset.command);
    else this.tell("");
  }

  /** A problem, and a command that helps; an empty text takes it away. @param {string} text @param {string} [command] */
  tell(text, command) {
    const place = this.one("[data-problem]");
    place.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }));
    if (command) place.append(Object.assign(document.createElement("pre"), { textContent: command, tabIndex: 0 }));
    place.hidden = !text;
  }

  send() {
    if (!this.files.size) return this.tell(this.dataset.none ?? "");
    if (this.size > Number(this.dataset.largest)) return this.show();
    const data = new FormData(this.form);
    data.delete("files");
    data.delete("folder");
    for (const [path, file] of this.files) data.append("files", file, path);
    const [bar, state] = [this.one("progress"), this.one("[data-state]")];
    const request = new XMLHttpRequest();
    request.open("POST", this.form.action);
    request.setRequestHeader("accept", "application/json");
    request.upload.onprogress = (event) => {
      bar.value = event.total ? event.loaded / event.total : 0;
      state.textContent = `${human(event.loaded)} / ${human(event.total)}`;
    };
    request.upload.onload = () => { bar.removeAttribute("value"); state.textContent = this.dataset.storing ?? ""; };
    request.onload = () => this.answered(request);
    request.onerror = () => this.busy(false, this.dataset.lost);
    this.busy(true);
    request.send(data);
  }

  /** @param {XMLHttpRequest} request */
  answered(request) {
    let told;
    try { told = JSON.parse(request.responseText); } catch { told = {}; }
    if (request.status === 201 && told.go_to) location.assign(told.go_to);
    else this.busy(false, told.detail ?? this.dataset.lost, told.hint);
  }

  /** @param {boolean} sends @param {string} [problem] @param {string} [command] */
  busy(sends, problem = "", command = undefined) {
    this.one("progress").hidden = !sends;
    this.one(".sending button").disabled = sends;
    if (!sends) this.one("[data-state]").textContent = "";
    this.tell(problem, command);
  }
}

customElements.define("upload-form", UploadForm);
