"""What can be set, in one place: who looks, which server this is, and where everything else is."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.core.access import Role
from modelyard.server.routing import on_yard
from modelyard.server.state import Ask
from modelyard.server.status import VERSION
from modelyard.server.web.twins import Pages

__all__ = ["pages"]

pages = Pages("settings")


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """The caller, and this server as the caller knows it."""

    account: str | None
    """None for somebody who is not signed in."""
    title: str
    """How the caller is written as an author."""
    role: Role
    """For the whole yard."""
    url: str
    """What stands wherever a folder stands."""
    version: str
    """Of modelyard."""
    accounts: bool
    """Whether this server has accounts at all."""


@pages.page("/settings", "settings.html", needs=on_yard("none"))
def show_settings(ask: Ask) -> SettingsPage:
    """Where everything is that can be set."""
    caller = ask.caller
    return SettingsPage(
        account=caller.name, title=caller.author if caller.account else "", role=caller.role("*"),
        url=ask.base, version=VERSION, accounts=ask.server.settings.accounts,
    )  # fmt: skip
