"""Journeys through what all pages share: language, theme, keyboard, signing in, no scripts."""

from __future__ import annotations

import pytest
from tests.web.showing import LOOKS, visiting

from modelyard.i18n import LANGUAGES

pytestmark = pytest.mark.slow


def test_the_language_is_chosen_on_any_page_and_stays(visit, look):
    other = {"en": "zh", "zh": "en"}[look.language]
    visit.open("/models?q=iris")
    visit.page.locator("header details.menu summary").click()
    visit.page.get_by_role("button", name=LANGUAGES[other], exact=True).click()
    visit.page.wait_for_selector(f'html[lang="{other}"]')
    assert visit.here == "/models?q=iris"
    visit.look().open("/settings/tokens")
    assert visit.page.locator("html").get_attribute("lang") == other


def test_the_theme_is_chosen_on_any_page_and_stays(visit, look):
    wished = {"light": "Dark", "dark": "Light"}[look.theme]
    visit.open("/history/vision/mini-net")
    before = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    visit.page.locator("header details.menu summary").click()
    visit.press(wished)
    visit.page.wait_for_selector(f'html[data-theme="{wished.lower()}"]')
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert visit.here == "/history/vision/mini-net"
    visit.look()


def test_everything_is_reached_with_the_keyboard(visit):
    keys = visit.open("/models").page.keyboard
    keys.press("Tab")
    assert visit.page.evaluate("document.activeElement.className") == "skip"
    keys.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main"
    keys.press("/")
    assert visit.page.evaluate("document.activeElement.name") == "q"
    keys.type("flowers")
    keys.press("Enter")
    visit.page.wait_for_url("**q=flowers*")
    link = visit.page.get_by_role("link", name="flowers/iris", exact=True)
    visit.page.locator("main input[type=search]").focus()
    for _ in range(60):
        keys.press("Tab")
        if link.evaluate("(element) => element === document.activeElement"):
            break
    outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline not in ("none", ""), "one sees where one is"
    keys.press("Enter")
    visit.page.wait_for_url("**/models/flowers/iris")


def test_a_stranger_signs_in_and_comes_to_the_page_that_was_meant(browser, shown, axe, look):
    visit = visiting(browser, shown, axe, look, cookie="")
    visit.go("/history/flowers/iris")
    assert visit.here.startswith("/login")
    visit.page.fill("#name", "admin")
    visit.page.fill("#password", "wrong")
    visit.expected.append("status of 40")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("[role=alert]")
    visit.look()
    visit.page.fill("#name", "admin")
    visit.page.fill("#password", shown.token)
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/history/flowers/iris")
    visit.page.locator("header details.menu summary").click()
    visit.press("Sign out")
    visit.page.wait_for_url("**/login*")
    visit.look().context.close()


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_everything_is_read_without_scripts(browser, shown, axe, look):
    visit = visiting(browser, shown, axe, look, scripts=False)
    page = visit.page
    page.goto(f"{shown.url}/models")
    page.fill("main input[type=search]", "label:task=classify")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models?**q=label**")
    page.locator("main").get_by_role("link", name="vision/mini-net", exact=True).click()
    page.locator(".tabs a", has_text=visit.say("History")).click()
    assert page.locator("#versions tr").count() == 8
    for number in (1, 4):
        page.locator(f'input[value="vision/mini-net@{number}"]').check()
    page.get_by_role("button", name=visit.say("Compare the ticked versions")).click()
    page.wait_for_selector("svg", timeout=20_000)
    assert "head.weight" in page.inner_text("main")
    for address in ("/lineage/flowers/iris@5", "/tensors/vision/mini-net@8", "/settings/tokens"):
        page.goto(shown.url + address)
        assert page.locator("h1").count() == 1
    assert visit.wrong == []
    visit.context.close()
