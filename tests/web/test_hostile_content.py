"""Names, cards and tensors of somebody who means no good: shown as text, and nothing happens."""

from __future__ import annotations

import pytest
from tests.web.addresses import ALL, short
from tests.web.shown_models import EVIL, HOSTILE

pytestmark = pytest.mark.slow

SHOWN = [address for address in ALL if HOSTILE.model in address]


def test_what_is_hostile_is_shown_on_many_kinds_of_pages():
    assert len({address.split("/")[1] for address in SHOWN}) >= 8


@pytest.mark.parametrize("address", SHOWN, ids=short)
def test_nothing_fires_wherever_the_pointer_goes(english, address):
    english.open(address)
    english.page.evaluate(_POINT)
    english.page.wait_for_timeout(100)
    english.check()


_POINT = """() => {
  for (const details of document.querySelectorAll("main details")) details.open = true;
  for (const element of document.querySelectorAll("main *")) {
    for (const name of ["mouseover", "mouseenter", "pointerover", "focus", "error", "load"]) {
      element.dispatchEvent(new Event(name, {bubbles: true}));
    }
  }
}"""


def test_names_are_told_as_they_are(english):
    english.open(f"/models/{HOSTILE.model}")
    assert HOSTILE.branch in english.text()
    english.open(f"/versions/{HOSTILE.model}@2")
    text = english.text()
    assert HOSTILE.message in text
    assert HOSTILE.value in text
    assert "49" not in text.replace(HOSTILE.value, "").split()


def test_a_card_keeps_only_what_is_harmless(english):
    card = english.open(f"/models/{HOSTILE.model}").page.locator(".card-text")
    assert EVIL in card.inner_text()
    for element in ("script", "iframe", "form", "style", "button", "svg", "math", "img", "input"):
        assert card.locator(element).count() == 0, element
    names = card.locator("*").evaluate_all("(all) => all.flatMap((e) => e.getAttributeNames())")
    assert set(names) <= {"href", "rel", "class", "title", "start", "align", "lang"}
    links = card.locator("a").evaluate_all("(all) => all.map((a) => a.getAttribute('href') || '')")
    assert not [link for link in links if link.startswith(("javascript", "data"))]


def test_files_are_never_run_where_they_are_shown(english, shown):
    for name in ("page.html", "picture.svg"):
        english.open(f"/file/{HOSTILE.model}@2?name={name}")
        assert "window.__fired" in english.text() or english.page.locator("main img").count() == 1
    answer = english.page.request.get(f"{shown.url}/picture/{HOSTILE.model}@2?name=picture.svg")
    policy = answer.headers["content-security-policy"]
    assert answer.status >= 400 or "sandbox" in policy
    assert "script-src" not in policy or "'none'" in policy or "'self'" in policy
