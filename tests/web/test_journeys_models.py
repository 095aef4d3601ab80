"""Journeys of somebody who looks for models and reads about them."""

from __future__ import annotations

import pytest

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
    visit.page.locator("svg a[aria-label^='data/iris@1']").click()
    visit.page.wait_for_url("**show=data**")
    assert "150 flowers" in visit.text()
    visit.look()


def test_a_file_is_read_on_a_page(visit):
    visit.open("/files/vision/mini-net@8")
    visit.page.locator("main").get_by_role("link", name="config.json").first.click()
    visit.page.wait_for_load_state()
    assert '"blocks": 6' in visit.text() or '"blocks"' in visit.text()
    visit.look()


def test_what_is_not_there_says_so_in_plain_words(visit):
    visit.expected.append("status of 404")
    visit.go("/models/no/such-model")
    assert visit.page.inner_text("h1") == visit.say("There is no such thing here")
    visit.press("To all models")
    visit.page.wait_for_url("**/")
