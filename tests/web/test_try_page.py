"""The page of the data plane to try a deployment, in a browser, beside no other page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.server.running import running
from tests.serving.batch.models import fill

from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("try")
    with create(place / "yard") as yard:
        fill(yard, place / "models")
    with running(place / "yard", "shop/churn", "linear", "--open", command="serve") as server:
        yield server.url


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(
        color_scheme=request.param, viewport={"width": 900, "height": 900}
    )
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    context.close()
    assert [text for text in wrong if "status of 400" not in text] == []


def check_with_axe(page: Page, axe: str) -> None:
    page.evaluate(axe)
    assert page.evaluate("axe.run()")["violations"] == []


def test_a_row_is_predicted_by_its_fields(page: Page, url: str, axe: str) -> None:
    page.goto(f"{url}/predict/churn/docs")
    page.get_by_label("age").fill("71")
    page.get_by_label("city").fill("Wien")
    page.get_by_role("button", name="Predict").click()
    page.locator("#answer").wait_for()
    answer = json.loads(page.locator("#answer").inner_text())
    assert answer["predictions"][0]["label"] in ("goes", "stays")
    assert "200, " in page.locator("#took").inner_text()
    assert "version 1" in page.locator("#took").inner_text()
    page.get_by_text("As JSON").click()
    sent = json.loads(page.get_by_label("Body of the request").input_value())
    assert (sent["records"][0]["age"], sent["records"][0]["city"]) == (71, "Wien")
    assert page.locator("#curl").inner_text().endswith(f"{url}/predict/churn")
    check_with_axe(page, axe)


def test_a_matrix_is_sent_as_json_and_what_is_wrong_is_said(page: Page, url: str, axe: str) -> None:
    page.goto(f"{url}/v2/models/linear/docs")
    page.get_by_label("Body of the request").fill('{"rows": [[1, 2, 3]]}')
    page.get_by_role("button", name="Predict").click()
    page.locator("#answer").wait_for()
    assert json.loads(page.locator("#answer").inner_text())["predictions"] == [
        {"score": [-6.5, 2.5, 5]}
    ]
    page.get_by_label("Body of the request").fill('{"rows": [[1]]}')
    page.get_by_role("button", name="Predict").click()
    page.locator("#answer.bad").wait_for()
    assert "was given 1" in page.locator("#answer").inner_text()
    check_with_axe(page, axe)


def test_what_is_served_is_listed(page: Page, url: str, axe: str) -> None:
    page.goto(f"{url}/v2/docs")
    page.get_by_role("link", name="churn").click()
    assert page.get_by_role("heading", name="churn").is_visible()
    page.go_back()
    check_with_axe(page, axe)
