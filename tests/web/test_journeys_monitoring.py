"""Journeys of somebody who watches a deployment: charts are pointed at, and news come in."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.web.showing import LOOKS, visiting

pytestmark = pytest.mark.slow

_PAGE = "/deployments/scaler/monitoring"
_ROWS = {"rows": [[0.1, 0.2, 0.3, 0.4]]}


def test_from_the_fleet_to_a_deployment_and_closer_into_a_chart(visit):
    visit.open("/monitoring")
    visit.page.locator("#watched-scaler h2 a").click()
    visit.page.wait_for_url(f"**{_PAGE}")
    visit.look()
    chart = visit.page.locator("#chart-latency time-chart")
    expect(chart.locator("canvas")).to_be_visible()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    visit.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 80)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 80, steps=4)
    visit.page.mouse.up()
    visit.page.wait_for_url("**since=*")
    assert re.search(r"since=\d+&until=\d+$", visit.here)
    visit.look()
    visit.press("Wider")
    visit.page.wait_for_url(re.compile("since="))
    visit.press("1 day")
    visit.page.wait_for_url("**window=1d**")
    visit.check()


def test_versions_are_set_against_each_other(visit):
    visit.open(_PAGE).press("Version against version")
    visit.page.wait_for_url("**by=version**")
    names = visit.page.locator("#chart-rate .legend li")
    expect(names).to_have_count(2)
    assert [text.split()[0] for text in names.all_inner_texts()] == ["@1", "@2"]
    visit.look()
    visit.page.locator(".of-version a").nth(1).click()
    visit.page.wait_for_url("**version=**")
    expect(visit.page.locator(".of-version a[aria-current]")).to_contain_text("@2")
    visit.check()


def test_news_come_by_themselves_and_what_was_opened_stays_open(english, shown):
    english.open(_PAGE)
    english.page.locator("#steps > summary").click()
    rows = english.page.locator("#versions tbody tr").first.locator("td").first
    before = rows.inner_text()
    with shown.client() as client:
        for _ in range(20):
            assert client.post(f"{shown.url}/predict/scaler", json=_ROWS).status_code == 200
    expect(rows).not_to_have_text(before, timeout=15_000)
    expect(english.page.locator("#steps")).to_have_attribute("open", "")
    expect(english.page.locator("#chart-rate time-chart canvas")).to_be_visible()
    english.check()


def test_an_alert_is_silenced_where_it_is_read(english):
    english.open("/alerts")
    alert = english.page.locator(".alert.firing", has_text="busy").first
    alert.get_by_role("button").click()
    assert "Nobody is told of busy of scaler" in english.said()
    english.press("Undo")
    assert "People are told again." in english.said()
    english.look()


def test_rules_that_are_wrong_stay_in_the_form_with_what_is_wrong(visit):
    visit.expected.append("422")
    visit.open("/deployments/scaler/rules")
    visit.page.fill("textarea[name=text]", "rules:\n  odd:\n    when: nonsense > 3\n")
    visit.press("Save")
    expect(visit.page.locator("div.problem")).to_contain_text("nonsense")
    expect(visit.page.locator("textarea[name=text]")).to_have_value(re.compile("nonsense > 3"))
    visit.look()


def test_without_scripts_the_charts_are_pictures_and_tables(browser, shown, axe):
    window = visiting(browser, shown, axe, LOOKS[0], scripts=False)
    try:
        window.page.goto(shown.url + _PAGE)
        assert window.page.locator("time-chart svg.plot").count() >= 4
        expect(window.page.locator("#chart-rate svg.plot .curve").first).to_be_visible()
        window.page.locator("#steps > summary").click()
        expect(window.page.locator("#steps tbody tr").first).to_be_visible()
    finally:
        window.context.close()
