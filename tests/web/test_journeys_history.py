"""Journeys through the history of a model, and into its versions, tensors and files."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

NET = "vision/mini-net"


def test_the_history_goes_on_where_it_stopped(visit):
    visit.open(f"/history/{NET}?limit=3")
    assert visit.page.locator("#versions .number").all_inner_texts() == ["@8", "@7", "@6"]
    visit.press("More")
    visit.page.wait_for_selector("#versions tr:nth-child(7)")
    numbers = visit.page.locator("#versions .number").all_inner_texts()
    assert numbers == ["@8", "@7", "@6", "@5", "@4", "@3"]
    heights = visit.page.evaluate(
        "[...document.querySelectorAll('#versions tr')].slice(0, -1)"
        ".map(row => [row.offsetHeight, row.querySelector('svg').getBoundingClientRect().height])"
    )
    assert all(abs(row - lanes) <= 1 for row, lanes in heights), "lanes would not meet"
    visit.look()


def test_two_ticked_versions_are_compared_the_older_one_first(visit):
    visit.open(f"/history/{NET}")
    for number in (8, 3):
        visit.page.get_by_label(visit.say("Compare version %(number)s", number=number)).check()
    visit.press("Compare the ticked versions")
    visit.page.wait_for_url("**/compare?a=vision%2Fmini-net%403&b=vision%2Fmini-net%408")


def test_histograms_come_when_their_rows_are_seen(visit):
    visit.open(f"/tensors/{NET}@8")
    rows = visit.page.locator("td.spread").count()
    visit.page.wait_for_selector("td.spread svg")
    assert visit.page.locator("td.spread svg").count() < rows
    visit.page.locator("td.spread").last.scroll_into_view_if_needed()
    visit.page.locator("td.spread").last.locator("svg").wait_for()
    visit.look()


def test_a_tensor_is_found_by_its_name_and_looked_at(visit):
    visit.open(f"/tensors/{NET}@8").fill("Name or dtype", "head").press("Show")
    visit.page.wait_for_url("**q=head**")
    visit.page.locator(".tensors tbody th[scope=row] a").first.click()
    visit.page.wait_for_selector("svg.histogram .bar")
    visit.page.locator("details.twin summary").first.click()
    assert visit.page.locator("details.twin tbody tr").count() == 40
    visit.look()


def test_from_a_version_to_its_text_and_to_the_version_before(visit):
    visit.open(f"/versions/{NET}@8").press("Files")
    visit.page.locator(".files a", has_text="config.json").click()
    visit.page.wait_for_selector(".code .row")
    visit.look()
    visit.page.locator("a[rel=prev]").click()
    visit.page.wait_for_url(f"**/files/{NET}@7")
    visit.check()
