"""Journeys of somebody who deploys a version and looks how it does; the page follows by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_a_version_is_deployed_tried_and_undeployed(visit, shown, look):
    name = f"journey-{look}".lower()
    visit.open("/versions/edge/scaler@1")
    visit.page.locator(".head .acts").get_by_role("link", name=visit.say("Deploy")).click()
    visit.page.wait_for_url("**/deploy?**")
    visit.page.fill("input[name=name]", name)
    visit.look()
    visit.page.locator("form.deploy button.main").click()
    assert name in visit.said()
    expect(visit.page.locator("#state .badge.good")).to_be_visible(timeout=20_000)
    visit.page.reload()  # now there is an example
    visit.look()

    visit.press("Predict")
    expect(visit.page.locator("#answer")).to_contain_text('"predictions"')
    assert visit.here == f"/deployments/{name}"
    expect(visit.page.locator("#log tbody tr").first).to_be_visible(timeout=10_000)
    visit.page.fill("textarea[name=body]", '{"rows": [[1]]}')
    visit.press("Predict")
    expect(visit.page.locator("#answer .badge.bad")).to_have_text("400")
    visit.look()

    visit.open(f"/requests/{name}").press("Failed")
    expect(visit.page.locator("tbody tr")).to_have_count(1)
    visit.open(f"/deployments/{name}")
    visit.page.locator(".head details.menu summary").click()
    visit.page.fill("input[name=sure]", name)
    visit.press("Undeploy")
    assert visit.here == "/deployments"
    assert name in visit.said()
    assert visit.page.locator(f"#row-{name}").count() == 0
    visit.check()


def test_what_somebody_opened_stays_open_while_numbers_change(english, shown):
    english.open("/deployments/scaler")
    servers = english.page.locator("#live details")
    servers.locator("summary").click()
    percent = english.page.locator("input[name=percent]")
    percent.fill("33")
    with shown.yard() as yard:
        now = yard.deployments.pause("scaler").generation
    try:
        paused = english.page.locator("#state").get_by_text("paused")
        expect(paused).to_be_visible(timeout=10_000)
        expect(servers).to_have_attribute("open", "")
        expect(percent).to_have_value("33")
        # what is shown follows, and so do the buttons beside it
        for act in ("rollback", "promote"):
            expect(english.page.locator(f"#seen-{act}")).to_have_value(str(now))
    finally:
        with shown.yard() as yard:
            yard.deployments.resume("scaler")
    english.check()
