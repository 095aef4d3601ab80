"""Journeys of somebody who improves a model: news come in, trials are chosen, one is accepted."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.web.showing import LOOKS, visiting
from tests.web.shown_optimizations import BEFORE, RECIPE, trials

if TYPE_CHECKING:
    from tests.web.showing import Shown

pytestmark = pytest.mark.slow


def test_from_the_list_to_a_trial_of_the_picture(visit):
    visit.open("/optimizations")
    visit.page.get_by_role("link", name="flowers/iris@3").first.click()
    visit.page.wait_for_url("**/optimizations/1")
    visit.look()
    expect(visit.page.locator(".candidate")).to_have_count(3)
    expect(visit.page.locator(".candidate.chosen h3")).to_have_text("flowers/iris@5")
    visit.page.locator("svg.front-field a.spot.front").first.locator(".dot").click()
    visit.page.wait_for_url("**trial=*")
    number = visit.page.url.partition("trial=")[2].partition("&")[0].partition("#")[0]
    expect(visit.page.locator("h2#passes")).to_have_text(
        visit.say("Passes of trial %(number)s", number=number)
    )
    visit.page.get_by_role("navigation", name=visit.say("From bottom to top")).get_by_role(
        "link"
    ).nth(1).click()
    visit.page.wait_for_url("**up=size**")
    visit.look()


def test_lines_are_brushed_and_rows_follow(english):
    english.open("/optimizations/1")
    stand = english.page.locator(".stand").last
    stand.scroll_into_view_if_needed()
    stand.focus()
    for _ in range(3):
        english.page.keyboard.press("Shift+ArrowDown")
    english.page.keyboard.press("ArrowUp")
    left = english.page.locator("table.trials tbody tr:not([hidden])")
    every = english.page.locator("table.trials tbody tr")
    assert 0 < left.count() < every.count()
    expect(english.page.locator(".readout")).to_contain_text("Trials shown:")
    english.page.keyboard.press("Escape")
    expect(every.locator("visible=true")).to_have_count(24)
    english.check()


def test_a_result_is_accepted_with_the_alias_of_choice(english, shown):
    english.open("/optimizations/1")
    card = english.page.locator(".candidate:not(.chosen)").first
    card.locator("input[name=alias]").fill("best-small")
    card.get_by_role("button", name="Accept @4").click()
    assert "The alias best-small is new and points at version 4." in english.said()
    expect(card.locator(".ref.alias", has_text="best-small")).to_be_visible()
    english.look()
    english.press("Undo")
    assert "deleted" in english.said()


def test_news_of_trials_come_by_themselves_until_it_is_cancelled(english, shown: Shown):
    with shown.yard() as yard:
        made = yard.optimizations.begin("flowers/iris", 4, replace(RECIPE, name="live"))
    key = made.id
    over = threading.Event()
    thread = threading.Thread(target=_work, args=(shown, made, over), daemon=True)
    thread.start()
    try:
        english.open(f"/optimizations/{key}")
        rows = english.page.locator("table.trials tbody tr")
        expect(rows).not_to_have_count(0, timeout=15_000)
        before = rows.count()
        expect(rows.nth(before + 1)).to_be_visible(timeout=15_000)
        expect(english.page.locator("svg.front-field")).to_be_visible(timeout=15_000)
        expect(english.page.locator(".goals .fact").first).to_contain_text("trial")
        english.look()
        english.press("Cancel it")
        assert "is cancelled" in english.said()
        expect(english.page.get_by_role("button", name="Cancel it")).to_have_count(0)
        thread.join(15)
        assert not thread.is_alive(), "its worker noticed"
    finally:
        over.set()
    english.check()


def _work(shown: Shown, made, over: threading.Event) -> None:
    """Trials as a worker elsewhere would keep them, until it is told to stop."""
    every = trials(200, seed=9)
    with shown.yard() as yard:
        for number, trial in enumerate(every):
            found = replace(made, done=number + 1, before=BEFORE)
            if over.is_set() or not yard.optimizations.keep(found, [trial]):
                return
            time.sleep(0.4)


def test_on_a_phone_nothing_is_wider_than_the_window(browser, shown, axe):
    for look in (LOOKS[0], LOOKS[3]):
        window = visiting(browser, shown, axe, look, width=390)
        try:
            for path in ("/optimizations", "/optimizations/1", "/optimizations/2",
                         "/optimize?version=flowers/iris@5"):  # fmt: skip
                window.go(path)
                wide = window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{path}: {wide} pixels wider than the window"
        finally:
            window.context.close()


def test_without_scripts_everything_is_there_to_read(browser, shown, axe):
    window = visiting(browser, shown, axe, LOOKS[0], scripts=False)
    try:
        window.page.goto(shown.url + "/optimizations/1")
        expect(window.page.locator("svg.front-field a.spot").first).to_be_visible()
        expect(window.page.locator(".parallel path.line").first).to_be_visible()
        assert window.page.locator("table.trials tbody tr").count() == 24
        assert window.page.locator(".if-brushed").is_hidden(), "there is nothing to drag"
    finally:
        window.context.close()


def test_a_version_is_optimized_from_its_page(english):
    """A real run on the server, looked at until it is over."""
    english.open("/versions/flowers/iris@5").press("Optimize")
    english.page.wait_for_url("**/optimize?version=*")
    english.look()
    english.page.locator("select[name=recipe]").select_option("onnx")
    english.page.locator("input[name=trials]").fill("1")
    english.page.locator("input[name=alias]").fill("as-graph")
    english.press("Begin")
    assert "has begun" in english.said()
    badge = english.page.locator("#head .badge")
    expect(badge).not_to_have_text("running", timeout=120_000)
    assert badge.inner_text() == "done", english.text(".outcome-note")
    expect(english.page.locator("table.trials tbody tr")).to_have_count(1)
    expect(english.page.locator(".outcome-note")).to_be_visible()
    expect(english.page.locator(".candidate")).to_have_count(1)
    english.look()
