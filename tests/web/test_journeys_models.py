"""Journeys of somebody who looks for models and reads about them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.slow


def test_the_list_of_models_is_the_first_page(visit, look):
    visit.go("/")
    assert visit.page.locator("html").get_attribute("lang") == look.language
    assert visit.page.inner_text("h1") == visit.say("Models")
    for name in ("vision/mini-net", "nlp/sentiment-zh", "flowers/iris", "hostile/names"):
        assert visit.page.locator("main").get_by_role("link", name=name, exact=True).count() == 1


def test_typing_finds_models_at_once_and_the_address_says_what_was_typed(visit):
    visit.open("/models")
    field = visit.page.locator("main input[type=search]")
    field.press_sequentially("metric.accuracy>0.9", delay=5)
    visit.page.wait_for_url("**/models?q=metric.accuracy*")
    visit.page.get_by_role("link", name="tables/wine-boost", exact=True).wait_for()
    assert visit.page.get_by_role("link", name="edge/scaler", exact=True).count() == 0
    visit.look()
    visit.page.reload()
    assert visit.page.get_by_role("link", name="tables/wine-boost", exact=True).count() == 1


def test_half_a_query_is_no_error_page(visit):
    visit.open("/models")
    visit.page.locator("main input[type=search]").fill("metric.accuracy>")
    visit.page.wait_for_selector("#found .trouble")
    assert visit.page.get_by_role("link", name="edge/scaler", exact=True).count() == 1
    visit.look()


def test_facets_narrow_the_list_down_and_take_it_back(visit):
    visit.open("/models")
    visit.page.locator(".facets a", has_text="xgboost").first.click()
    visit.page.wait_for_url("**xgboost**")
    assert visit.page.locator("#rows tr").count() == 1
    visit.look()
    visit.page.locator('.facets a[aria-current="true"]', has_text="xgboost").first.click()
    visit.page.get_by_role("link", name="edge/scaler", exact=True).wait_for()


def test_a_model_tells_what_it_is_and_how_to_use_it(visit):
    visit.open("/models").page.get_by_role("link", name="vision/mini-net", exact=True).click()
    visit.page.wait_for_url("**/models/vision/mini-net")
    text = visit.text()
    assert "A small vision transformer" in text
    for name in ("champion", "灰度", "v1.0", "smoothing"):
        assert name in text
    visit.page.get_by_text("Python", exact=True).click()
    assert "vision/mini-net" in visit.page.locator(".use details[open] code").first.inner_text()
    visit.page.locator(".chart .pills").get_by_role("link", name="loss").click()
    visit.page.wait_for_url("**metric=loss")
    assert "loss" in visit.page.inner_text(".chart h2")
    visit.look()


def test_versions_stand_as_a_graph_and_two_of_them_are_compared(visit):
    visit.open("/models/vision/mini-net").page.locator(".tabs").get_by_role(
        "link", name=visit.say("History")
    ).click()
    visit.page.wait_for_url("**/history/vision/mini-net")
    assert visit.page.locator("#versions tr").count() == 8
    for number in (1, 4):
        visit.page.locator(f'input[value="vision/mini-net@{number}"]').check()
    visit.press("Compare the ticked versions")
    visit.page.wait_for_url("**/compare?**")
    visit.page.wait_for_selector("tensor-heatmap svg")
    assert "head.weight" in visit.text()
    visit.look()


def test_the_heat_map_is_read_with_the_keyboard(visit):
    visit.open("/compare?a=vision/mini-net@1&b=vision/mini-net@4")
    visit.page.wait_for_selector("tensor-heatmap svg")
    hint = visit.page.inner_text(".readout")
    visit.page.locator("tensor-heatmap svg a").first.focus()
    visit.page.keyboard.press("ArrowDown")
    assert visit.page.inner_text(".readout") != hint
    visit.look()


def test_tensors_of_a_version_show_how_their_values_are_spread(visit):
    visit.open("/tensors/vision/mini-net@8")
    visit.page.wait_for_selector("td.spread svg")  # drawn once it is seen
    visit.page.locator('th a[title="blocks.0.attn.out.weight"]').click()
    visit.page.wait_for_url("**/tensor/vision/mini-net@8?**")
    visit.page.wait_for_selector("main svg")
    assert "attn.out.weight" in visit.text()
    visit.look()


def test_lineage_tells_of_what_is_clicked(visit):
    visit.open("/lineage/flowers/iris@5")
    visit.page.locator("svg a", has_text="data/iris@1").click()
    visit.page.wait_for_url("**show=data**")
    assert "150 flowers" in visit.text()
    visit.look()


def test_a_file_is_read_on_a_page(visit):
    visit.open("/files/vision/mini-net@8")
    visit.page.locator("main").get_by_role("link", name="config.json").first.click()
    visit.page.wait_for_url("**/file/vision/mini-net@8?**")
    assert '"blocks"' in visit.text()
    visit.look()


def test_a_version_tells_how_it_was_made_and_what_was_measured(visit):
    visit.open("/versions/flowers/iris@5")
    text = visit.text()
    for told in ("accuracy", "sklearn", "data/iris@1"):
        assert told in text
    visit.press("All about it")
    visit.page.wait_for_url("**/evaluations/flowers/iris@5")
    assert "virginica" in visit.text()
    visit.look()


def test_a_version_warns_of_what_its_file_would_do(visit):
    visit.open("/versions/imports/found-on-the-web@1")
    assert "system" in visit.text()
    visit.look()


def test_many_versions_are_narrowed_down_on_an_axis(visit):
    many = "&".join(f"v=vision/mini-net@{number}" for number in range(1, 9))
    visit.open(f"/compare/many?{many}")
    stand = visit.page.locator("brush-lines .stand").last
    stand.focus()
    visit.page.keyboard.press("ArrowUp")
    shown = visit.page.locator("tr[data-line]:visible")
    expect(shown).not_to_have_count(8)
    assert shown.count() > 0
    visit.look()
    visit.page.keyboard.press("Escape")
    expect(shown).to_have_count(8)
    box = stand.bounding_box()
    middle = box["x"] + box["width"] / 2
    visit.page.mouse.move(middle, box["y"] + 5)
    visit.page.mouse.down()
    visit.page.mouse.move(middle, box["y"] + box["height"] / 3, steps=4)
    visit.page.mouse.up()
    expect(shown).not_to_have_count(8)


def test_storage_tells_what_gc_would_free(visit):
    visit.open("/storage")
    visit.page.locator('form[action$="/do/storage/forecast"] button').click()
    visit.page.wait_for_load_state()
    visit.page.wait_for_timeout(300)
    visit.open("/storage").press("The job")
    visit.page.wait_for_url("**/jobs/*")
    visit.look()


def test_activity_and_audit_are_searched(visit):
    visit.open("/activity")
    visit.page.locator("select[name=kind]").select_option("version-committed")
    visit.page.locator(".sieve [name=model]").fill("nlp/sentiment-zh")
    visit.page.locator(".sieve button").click()
    visit.page.wait_for_url("**kind=version-committed**")
    assert "nlp/sentiment-zh" in visit.text()
    assert "flowers/iris" not in visit.text("#timeline")
    visit.look().open("/audit")
    visit.page.locator(".sieve [name=action]").fill("commit")
    visit.page.locator(".sieve button").click()
    visit.page.wait_for_url("**action=commit**")
    visit.look()


def test_what_is_not_there_says_so_in_plain_words(visit):
    visit.expected.append("status of 404")
    visit.go("/models/no/such-model")
    assert visit.page.inner_text("h1") == visit.say("There is no such thing here")
    visit.press("To all models")
    visit.page.wait_for_url("**/")
