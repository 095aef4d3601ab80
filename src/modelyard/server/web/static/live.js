// @ts-check
// [data-news]: a part of the page that is fetched again as soon as its server says that there is
// news. Nobody listens for a page that is not looked at.

/** @type {EventSource | null} */
let news = null;

function listen() {
  const part = document.querySelector("[data-news]");
  const address = part instanceof HTMLElement && !document.hidden ? part.dataset.news : undefined;
  if (!address) {
    news?.close();
    news = null;
  } else if (!news || news.readyState === EventSource.CLOSED) {
    news = new EventSource(address);
    news.addEventListener("news", () => document.querySelector("[data-news]")?.dispatchEvent(new CustomEvent("news")));
  }
}

document.addEventListener("visibilitychange", () => {
  listen();
  if (news) document.querySelector("[data-news]")?.dispatchEvent(new CustomEvent("news"));
});
addEventListener("pagehide", () => { news?.close(); news = null; });
addEventListener("pageshow", listen);
