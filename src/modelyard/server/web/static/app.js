// @ts-check
// What pages can do beyond links and forms. Nothing here is needed to read one.

/** Buttons that copy the text beside them. */
function offerCopying(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("button[data-copy]") : null;
  if (!button) return;
  const code = button.parentElement?.querySelector("code");
  if (!code) return;
  try {
    await navigator.clipboard.writeText(code.textContent ?? "");
  } catch { // over plain http, and where it is forbidden, there is the old way
    getSelection()?.selectAllChildren(code);
    document.execCommand("copy");
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
});

/** "/" goes to the search field, Escape closes an open menu. */
document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const writes = target.matches("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey) {
    const field = /** @type {HTMLElement | null} */ (document.querySelector("[data-key='/']"));
    if (field) { event.preventDefault(); field.focus(); }
  }
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details.menu[open]")) open.removeAttribute("open");
  }
});

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.menu[open]")) {
    if (event.target instanceof Node && !open.contains(event.target)) open.removeAttribute("open");
  }
});

/** What is chosen among tabs, or in a picture, is to be seen where that is wider than the window. */
for (const chosen of document.querySelectorAll(".tabs [aria-current], .top nav [aria-current], .canvas .shown")) {
  const row = chosen.closest(".tabs, .top nav, .canvas");
  if (!row || row.scrollWidth <= row.clientWidth) continue;
  const [inner, outer] = [chosen.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
}

document.addEventListener("htmx:after:swap", () => offerCopying(document));
offerCopying(document);
