"""The yard that pages are looked at with, on a real server; and browsers that complain.

`PAGES` names one address of every page: whatever looks at all pages takes it from here.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.server.running import running
from tests.services.stores import NPM
from tests.web.shown_models import fill
from tests.web.shown_traffic import watch

from modelyard.client.remote import RemoteYard
from modelyard.i18n import Language
from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ["LOOKS", "Look", "Shown", "Visit", "axe_source", "chromium", "show", "visiting"]

_AXE = NPM / "node_modules" / "axe-core" / "axe.min.js"
_WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""
_AXE_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "resultTypes": ["violations"],
    # not for pictures, where long names are cut on purpose and told whole to who listens
    "rules": {"label-content-name-mismatch": {"enabled": False}},
}


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at pages."""

    language: str
    theme: str

    def __str__(self) -> str:
        return f"{self.language}-{self.theme}"

    @property
    def locale(self) -> str:
        return {"en": "en-GB", "zh": "zh-CN"}[self.language]


LOOKS = tuple(Look(language, theme) for language in ("en", "zh") for theme in ("light", "dark"))


@dataclass(frozen=True, slots=True)
class Shown:
    """The server of the yard that is shown."""

    url: str
    token: str
    cookie: str
    """The admin's session."""

    def client(self) -> httpx2.Client:
        """The API, as the admin."""
        return httpx2.Client(
            base_url=f"{self.url}/api/v1", headers={"authorization": f"Bearer {self.token}"},
            timeout=60,
        )  # fmt: skip

    def yard(self) -> RemoteYard:
        """The yard through its server, as the admin."""
        return RemoteYard.at(self.url, token=self.token)

    def cookie_of(self, name: str, secret: str) -> str:
        """A browser's session of somebody else."""
        return _signed_in(self.url, name, secret)


def show(folder: Path) -> Iterator[Shown]:
    """A server as long as it is looked at; what it shows is put in first."""
    with create(folder / "yard", author="Ann Lee") as yard:
        fill(yard, folder / "work")
    with running(folder / "yard", env={"YARD_AUTHOR": "Ann Lee"}) as server:
        assert server.token
        made = Shown(server.url, server.token, _signed_in(server.url, "admin", server.token))
        watch(made)
        yield made


def _signed_in(url: str, name: str, secret: str) -> str:
    answer = httpx2.post(
        f"{url}/login", data={"name": name, "password": secret}, follow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    return answer.cookies["yard_session"]


def chromium() -> str | None:
    """Debian's, or another one that is installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def axe_source() -> str | None:
    return _AXE.read_text() if _AXE.exists() else None


@dataclass
class Visit:
    """One browser window that keeps what went wrong in it; `check()` tells."""

    page: Page
    context: BrowserContext
    url: str
    axe: str
    look_like: Look
    wrong: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of messages that are meant to come, as of a page that is not there."""
    foreign: list[str] = field(default_factory=list)
    """Addresses elsewhere that were asked for."""

    def go(self, path: str) -> Visit:
        """Open a page of the server, look at it with axe too."""
        self.page.goto(self.url + path)
        return self.look()

    def open(self, path: str) -> Visit:
        """Open a page of the server; for pages that are looked at elsewhere."""
        self.page.goto(self.url + path)
        return self.check()

    def press(self, words: str, **values: object) -> Visit:
        """Click the button or link that says this, in the language of the page."""
        told = self.say(words, **values)
        buttons = self.page.get_by_role("button", name=told, exact=True)
        links = self.page.get_by_role("link", name=told, exact=True)
        buttons.or_(links).first.click()
        return self

    def fill(self, words: str, text: str) -> Visit:
        """Write into the field with this label."""
        self.page.locator("main").get_by_label(self.say(words)).first.fill(text)
        return self

    def said(self) -> str:
        """What an act tells on the page after it."""
        self.page.wait_for_selector(".said")
        return self.page.inner_text(".said")

    def look(self) -> Visit:
        """Check the page that is there now: rules of access, scripts, policy."""
        self.page.wait_for_load_state("load")
        self.page.evaluate(self.axe)
        found = self.page.evaluate(f"axe.run(document, {json.dumps(_AXE_OPTIONS)})")
        for rule in found["violations"]:
            places = [f"{node['target']}: {node['html'][:160]}" for node in rule["nodes"][:3]]
            self.wrong.append(f"axe {rule['id']} at {self.here}: {rule['help']} {places}")
        return self.check()

    def say(self, sentence: str, **values: object) -> str:
        """A sentence as it stands on the page in this language."""
        return Language.of(self.look_like.language).say(sentence, **values)

    @property
    def here(self) -> str:
        """Path and query of the page that is shown."""
        parts = urlsplit(self.page.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def check(self) -> Visit:
        """Fail for whatever went wrong since the window was opened."""
        self.wrong += [
            f"policy violated at {self.here}: {one}"
            for one in self.page.evaluate("window.__violations.splice(0)")
        ]
        fired = self.page.evaluate("window.__fired ?? null")
        assert fired is None, f"{self.here}: what a person wrote was run ({fired})"
        bad = [one for one in self.wrong if not any(known in one for known in self.expected)]
        self.wrong.clear()
        assert not bad, "\n".join(bad)
        assert not self.foreign, f"asked for {self.foreign}"
        return self

    def text(self, selector: str = "main") -> str:
        return self.page.inner_text(selector)


def visiting(
    browser: Browser, shown: Shown, axe: str, look: Look = LOOKS[0], *,
    cookie: str | None = None, width: int = 1280, scripts: bool = True,
) -> Visit:  # fmt: skip
    """A window of its own, signed in as the admin or by another session's cookie."""
    options: dict[str, Any] = {
        "locale": look.locale, "color_scheme": look.theme, "reduced_motion": "reduce",
        "viewport": {"width": width, "height": 800}, "java_script_enabled": scripts,
    }  # fmt: skip
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    told = shown.cookie if cookie is None else cookie
    if told:
        context.add_cookies([{"name": "yard_session", "value": told, "url": shown.url}])
    context.add_init_script(_WATCH)
    page = context.new_page()
    visit = Visit(page, context, shown.url, axe, look)
    page.on("console", lambda m: _console(visit, m))
    page.on("pageerror", lambda error: visit.wrong.append(f"script at {visit.here}: {error}"))
    page.on("dialog", lambda dialog: _opened(visit, dialog))
    page.on("request", lambda request: _asked(visit, request.url))
    return visit


def _console(visit: Visit, message: Any) -> None:
    if message.type in ("error", "warning"):
        visit.wrong.append(f"console at {visit.here}: {message.text}")


def _opened(visit: Visit, dialog: Any) -> None:
    visit.wrong.append(f"dialog at {visit.here}: {dialog.message}")
    dialog.dismiss()


def _asked(visit: Visit, address: str) -> None:
    if not address.startswith((visit.url, "data:", "blob:", "about:")):
        visit.foreign.append(address)


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    yield from show(tmp_path_factory.mktemp("shown"))
