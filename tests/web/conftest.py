"""Fixtures of browsers: `shown` is the server, `visit` a window in each language and theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.conftest import missing
from tests.services.installing import chinese_font
from tests.web.acting import ann, people
from tests.web.showing import LOOKS, Look, Shown, Visit, axe_source, chromium, shown, visiting

from modelyard.testing.models import layers, safetensors_bytes, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

__all__ = ["ann", "people", "shown"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skipped where there is none, failed in CI."""
    place = chromium()
    if place is None:
        missing("chromium")
    if chinese_font() is None:
        missing("fonts-noto-cjk")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=place, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, as `scripts/services install` puts it."""
    source = axe_source()
    if source is None:
        missing("axe-core")
    return source


@pytest.fixture(params=LOOKS, ids=str)
def look(request: pytest.FixtureRequest) -> Look:
    """Each language in each theme."""
    return request.param


@pytest.fixture
def visit(browser: Browser, shown: Shown, axe: str, look: Look) -> Iterator[Visit]:
    """A window of the admin's, in each language and theme."""
    opened = visiting(browser, shown, axe, look)
    yield opened
    opened.check()
    opened.context.close()


@pytest.fixture
def own(shown: Shown, look: Look, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A model with three versions that this journey alone changes."""
    journey = request.node.originalname.removeprefix("test_")[:40].strip("_")
    name = f"journeys/{journey}-{look}"
    with shown.yard() as yard:
        for number in range(3):
            tensors = layers(number, count=2, width=8)
            tree = {"model.safetensors": safetensors_bytes(tensors), "README.md": b"# Card\n\nOld."}
            yard.commit(
                name, write_tree(tmp_path / str(number), tree), message=f"version {number + 1}",
                metrics={"accuracy": 0.8 + number / 20}, labels={"round": str(number)},
            )  # fmt: skip
        yard.alias(name, "champion", 1)
        yard.alias(name, "champion", 2)
    return name


@pytest.fixture
def english(browser: Browser, shown: Shown, axe: str) -> Iterator[Visit]:
    """A window of the admin's in English, light."""
    opened = visiting(browser, shown, axe)
    yield opened
    opened.check()
    opened.context.close()
