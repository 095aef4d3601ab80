"""Who is signed in: what that one may, and the password."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from modelyard.core.access import Role
from modelyard.core.people import AccountInfo, Self
from modelyard.errors import Denied, InvalidInput
from modelyard.registry.access.desk import Desk
from modelyard.server.addresses import COOKIE
from modelyard.server.login import open_session
from modelyard.server.routing import SIGNED_IN
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form, sent_on
from modelyard.server.web.here import language_of
from modelyard.server.web.twins import Pages

__all__ = ["acts", "new_password", "pages", "set_password"]

pages = Pages("profile")
acts = Acts("profile")


@dataclass(frozen=True, slots=True)
class ProfilePage:
    """What somebody sees of themselves."""

    who: Self
    account: AccountInfo | None
    """None on a server without accounts."""
    roles: tuple[tuple[str, Role], ...]
    """By pattern, all entries taken together; only those that differ from that for all models."""


@pages.page("/settings/profile", "profile.html", needs=SIGNED_IN)
def show_profile(ask: Ask) -> ProfilePage:
    """The caller's own account."""
    desk = Desk(ask.house)
    own = None
    if ask.server.settings.accounts:
        own = next((one for one in desk.accounts() if one.name == ask.caller.name), None)
    who = desk.whoami()
    there = [(pattern, ask.caller.role(pattern)) for pattern in dict(who.roles)]
    roles = [each for each in there if each[0] == "*" or each[1] != who.role]
    return ProfilePage(who, own, tuple(roles))


@acts.act("/profile/password", needs=SIGNED_IN)
def change_password(ask: Ask, form: Form) -> Response:
    """Change the own password. All other browsers are signed out, this one stays."""
    account = ask.caller.account
    assert account is not None  # the route lets nobody else in
    set_password(ask, account.name, new_password(form), old=form.text("old") or None)
    text = language_of(ask.request).say(
        "The password is changed. Other browsers are signed out; tokens stay."
    )
    answer = sent_on(ask, Done("/settings/profile", text))
    if COOKIE in ask.request.cookies:
        for cookie in open_session(ask, account).headers.getlist("set-cookie"):
            answer.headers.append("set-cookie", cookie)
    return answer


def new_password(form: Form) -> str:
    """As it was typed, twice. InvalidInput: `passwords-differ`."""
    password = form.text("password")
    if password != form.text("repeated"):
        raise InvalidInput("passwords-differ", "the two passwords are not the same")
    return password


def set_password(ask: Ask, name: str, password: str, *, old: str | None = None) -> None:
    """As the API does it: whoever guesses the old one is slowed down."""
    rates, address = ask.server.rates, ask.caller.address
    rates.check_guesses(name, address)
    try:
        Desk(ask.house).set_password(name, password, old=old)
    except Denied as error:
        if error.kind == "wrong-password":
            rates.guessed(name, address)
        raise
