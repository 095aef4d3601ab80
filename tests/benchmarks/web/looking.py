"""What pages weigh, and when somebody sees something of them."""

from __future__ import annotations

import contextlib
import gzip
import re
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from tests.benchmarks.store.checks import Check
from tests.web.addresses import ALL
from tests.web.showing import LOOKS, Shown, chromium, show, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["paint", "weight"]

_HEAVIEST, _SLOWEST = 150.0, 300.0
_ROUNDS = 5
_SEEN = {
    "models": "/models", "a model": "/models/vision/mini-net",
    "history": "/history/vision/mini-net", "a version": "/versions/vision/mini-net@8",
    "compare two": "/compare?a=vision/mini-net@1&b=vision/mini-net@4",
    "compare many": "/compare/many?" + "&".join(f"v=vision/mini-net@{n}" for n in range(1, 9)),
    "lineage": "/lineage/flowers/iris@5", "storage": "/storage", "activity": "/activity",
    "tokens": "/settings/tokens",
}  # fmt: skip
_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  const seen = list.getEntries().find((entry) => entry.name === "first-contentful-paint");
  if (seen) done(seen.startTime);
}).observe({type: "paint", buffered: true}))"""


def weight(work: Path) -> Iterator[Check]:
    """Packed bytes of each page with what it loads; the heaviest eight are told."""
    with _shown(work) as shown, httpx2.Client(
        base_url=shown.url, cookies={"yard_session": shown.cookie}, timeout=60
    ) as client:  # fmt: skip
        found = sorted(((_weight(client, path), path) for path in ALL), reverse=True)
    shapes: dict[str, tuple[float, float, str]] = {}
    for (whole, page), path in found:
        shapes.setdefault(path.split("?")[0].split("/")[1] or "/", (whole, page, path))
    for whole, page, path in list(shapes.values())[:8]:
        name = re.sub(r"[?@].*", "", path)[:60]
        note = f"the page itself {page:.0f} kB"
        yield Check("weight", name, whole, _HEAVIEST, "kB", note=note)


def _weight(client: httpx2.Client, path: str) -> tuple[float, float]:
    """kB of a page with all it loads, and of itself."""
    answer = client.get(path)
    answer.raise_for_status()
    links = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text))
    queue, seen = list(links), set[str]()
    total = page = len(gzip.compress(answer.content, 4))
    while queue:
        link = queue.pop()
        if link in seen:
            continue
        seen.add(link)
        file = client.get(link)
        packed = link.endswith((".woff2", ".png"))
        total += len(file.content) if packed else len(gzip.compress(file.content, 9))
        if link.endswith(".css"):
            inside = re.findall(r"url\(\"?([^)\"]+)\"?\)", file.text)
            queue += [str(httpx2.URL(f"http://x{link}").join(one).path) for one in inside]
    return total / 1e3, page / 1e3


def paint(work: Path) -> Iterator[Check]:
    """Milliseconds to the first content, in a window without a cache."""
    from playwright.sync_api import sync_playwright

    with _shown(work) as shown, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, path in _SEEN.items():
            took = []
            for turn in range(_ROUNDS):
                visit = visiting(browser, shown, "", LOOKS[turn % 4])
                answer = visit.page.goto(shown.url + path)
                assert answer, path
                assert answer.status == 200, path
                took.append(visit.page.evaluate(_PAINT))
                visit.context.close()
            note = f"worst {max(took):.0f} ms"
            yield Check("paint", name, statistics.median(took), _SLOWEST, "ms", note=note)
        browser.close()


@contextlib.contextmanager
def _shown(work: Path) -> Iterator[Shown]:
    with tempfile.TemporaryDirectory(dir=work) as place:
        yield from show(Path(place))
