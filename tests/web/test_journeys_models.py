"""Journeys that look for models and read about them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_the_list_of_models_is_the_first_page(visit, look):
    visit.go("/")
    assert visit.page.locator("html").get_attribute("lang") == look.language
    assert visit.page.inner_text("h1") == {"en": "Models", "zh": "模型"}[look.language]
    for name in ("vision/mini-net", "nlp/sentiment-zh", "flowers/iris", "hostile/names"):
        assert visit.page.locator("main").get_by_role("link", name=name, exact=True).count() == 1
