"""Fixtures of browsers: `shown` is the server, `visit` a window in each language and theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.conftest import missing
from tests.web.showing import LOOKS, Look, Shown, Visit, axe_source, chromium, shown, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = ["shown"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skipped where there is none, failed in CI."""
    place = chromium()
    if place is None:
        missing("chromium")
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
def english(browser: Browser, shown: Shown, axe: str) -> Iterator[Visit]:
    """A window of the admin's in English, light."""
    opened = visiting(browser, shown, axe)
    yield opened
    opened.check()
    opened.context.close()
