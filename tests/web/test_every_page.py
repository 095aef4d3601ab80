"""Every page, in each language and theme: no complaint of the browser, of axe, of the policy.

`YARD_PICTURES=1` puts the pictures of the documents into `docs/pictures/web`.
"""

from __future__ import annotations

import gzip
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.web.addresses import ADDRESSES, ALL, routes, short
from tests.web.showing import LOOKS, Look, Visit, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

_HEAVIEST = 150_000


_SAYS = ("title", "aria-label", "alt")

BOTH = (LOOKS[0], LOOKS[3])
"""English in light and Chinese in dark: journeys go through all four."""


@pytest.fixture(scope="module")
def windows(browser, shown, axe) -> Iterator[dict[Look, Visit]]:
    """One window of the admin's in each language and theme."""
    opened = {look: visiting(browser, shown, axe, look) for look in LOOKS}
    yield opened
    for window in opened.values():
        window.context.close()


@pytest.fixture(scope="module")
def reader(shown) -> Iterator[httpx2.Client]:
    """The admin's session without a browser."""
    with httpx2.Client(
        base_url=shown.url, cookies={"yard_session": shown.cookie}, timeout=60
    ) as client:
        yield client


def test_every_page_is_visited():
    assert set(routes()) <= set(ADDRESSES)


@pytest.mark.parametrize("look", BOTH, ids=str)
@pytest.mark.parametrize("address", ALL, ids=short)
def test_a_page_is_clean(windows, look, address):
    window = windows[look]
    window.go(address)
    assert window.page.locator("html").get_attribute("lang") == look.language
    assert window.page.locator("h1").count() == 1
    wide = window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} pixels wider than the window"


@pytest.mark.parametrize("address", ALL, ids=short)
def test_a_page_fits_a_phone(windows, address):
    window = windows[LOOKS[2]]
    window.page.set_viewport_size({"width": 390, "height": 800})
    try:
        window.page.goto(window.url + address)
        window.check()
        wide = window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{wide} pixels wider than the window"
    finally:
        window.page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.parametrize("address", ALL, ids=short)
def test_a_page_has_its_value_as_json_and_all_other_words_are_translated(reader, address):
    english, chinese = (_page(reader, address, language) for language in ("en", "zh"))
    twin = re.search(r'rel="alternate" type="application/json" href="([^"]+)"', english)
    assert twin
    answer = reader.get(twin[1].replace("&amp;", "&"))
    assert answer.status_code == 200, answer.text
    value = json.dumps(answer.json(), ensure_ascii=False)
    known = _letters(value + " ".join(map(str, _strings(answer.json()))) + address)
    left = {
        words: unknown
        for words in _said(english) & _said(chinese)
        if (unknown := [word for word in _english(words) if word not in known])
    }
    assert not left, f"said in English on the Chinese page: {left}"


@pytest.mark.parametrize("address", ALL, ids=short)
def test_a_page_is_light(reader, address):
    page = reader.get(address, headers={"accept-encoding": "gzip"})
    assert page.status_code == 200
    linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    files = {link: reader.get(link).content for link in set(linked)}
    weight = sum(len(gzip.compress(content, 6)) for content in (page.content, *files.values()))
    assert weight < _HEAVIEST, {link: len(gzip.compress(c)) for link, c in files.items()}


def _page(reader: httpx2.Client, address: str, language: str) -> str:
    answer = reader.get(address, headers={"accept-language": language})
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


class _Texts(HTMLParser):
    """What a page says: text, and attributes that are read out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: set[str] = set()
        self._quiet: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "code", "pre", "time", "option", "textarea"):
            self._quiet.append(tag)
        self.found |= {value.strip() for name, value in attrs if name in _SAYS and value}

    def handle_endtag(self, tag: str) -> None:
        if self._quiet and self._quiet[-1] == tag:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        if not self._quiet and data.strip():
            self.found.add(data.strip())


def _said(page: str) -> set[str]:
    texts = _Texts()
    texts.feed(page)
    return texts.found


def _strings(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    else:
        yield value


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w", text)).lower()


_SAME = {"modelyard", "api", "english", "json", "cli", "sdk", "git", "python", "markdown", "utc",
         "admin"}  # fmt: skip


def _english(words: str) -> list[str]:
    """English words that are no unit and no name of a thing."""
    return [word for word in re.findall(r"[a-z]{3,}", words.lower()) if word not in _SAME]
