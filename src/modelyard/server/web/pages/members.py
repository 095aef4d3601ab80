"""Accounts of people and programs: who there is, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelyard.core.access import Role
from modelyard.core.people import AccountInfo, Given
from modelyard.errors import NotFound
from modelyard.registry.access import caller_of
from modelyard.registry.access.desk import Desk
from modelyard.registry.pages import models_page
from modelyard.server.routing import SIGNED_IN, on_yard
from modelyard.server.state import Ask
from modelyard.server.web.acts import Acts, Done, Form
from modelyard.server.web.here import Undo, language_of
from modelyard.server.web.pages.profile import new_password, set_password
from modelyard.server.web.pages.tokens import TokenLine, lines_of
from modelyard.server.web.places import member_page
from modelyard.server.web.twins import Pages

__all__ = ["acts", "pages"]

pages = Pages("members")
acts = Acts("members")

_ROWS = 100
_MODELS = 50
_SHARED = ("everyone", "anybody")


@dataclass(frozen=True, slots=True)
class Member:
    """An account, and the roles that were given to it by name."""

    account: AccountInfo
    roles: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Accounts that the caller may see."""

    items: tuple[Member, ...]
    next: str | None
    """Where the next page goes on."""
    people: int
    services: int
    disabled: int
    q: str
    """What names and titles are to have in them."""
    sees_all: bool
    """Whether these are all accounts, and not the caller's own alone."""


@dataclass(frozen=True, slots=True)
class ModelRole:
    """What somebody may do with one model."""

    model: str
    role: Role


@dataclass(frozen=True, slots=True)
class MemberPage:
    """One account, as far as the caller may know."""

    account: AccountInfo
    is_own: bool
    given: tuple[Given, ...]
    """Roles of its own."""
    shared: tuple[Given, ...]
    """Roles that everybody has."""
    tokens: tuple[TokenLine, ...]
    """Those that let in; for an admin and for itself."""
    models: tuple[ModelRole, ...]
    """What it may do with each model that it may do anything with, all roles taken together."""
    next: str | None
    """Where the models go on."""


@pages.page("/settings/members", "members.html", needs=SIGNED_IN)
def list_members(ask: Ask, *, q: str = "", after: str = "") -> MembersPage:
    """All accounts for who may give roles somewhere, else the own one."""
    if not ask.server.settings.accounts:
        return MembersPage((), None, 0, 0, 0, q, False)
    desk = Desk(ask.house)
    every = sorted(desk.accounts(), key=lambda one: one.name)
    wanted = q.casefold().strip()
    found = [one for one in every if wanted in one.name or wanted in one.title.casefold()]
    rest = [one for one in found if one.name > after]
    given: dict[str, list[Given]] = {}
    for role in desk.roles():
        given.setdefault(role.account, []).append(role)
    items = tuple(Member(one, tuple(given.get(one.name, ()))) for one in rest[:_ROWS])
    return MembersPage(
        items=items, next=rest[_ROWS - 1].name if len(rest) > _ROWS else None,
        people=sum(one.kind == "user" for one in every),
        services=sum(one.kind == "service" for one in every),
        disabled=sum(one.disabled is not None for one in every), q=q,
        sees_all=any(one.name != ask.caller.name for one in every) or ask.caller.may("*", "admin"),
    )  # fmt: skip


@pages.page("/settings/members/{account}", "member.html", needs=SIGNED_IN)
def show_member(ask: Ask, account: str, *, after: str | None = None) -> MemberPage:
    """One account. NotFound `no-account`, also for one that the caller may not see."""
    desk = Desk(ask.house)
    own, is_admin = account == ask.caller.name, ask.caller.may("*", "admin")
    found = next((one for one in desk.accounts() if one.name == account), None)
    if found is None or not ask.server.settings.accounts:
        raise NotFound("no-account", f"no account named {account[:80]}")
    given = desk.roles()
    models: tuple[ModelRole, ...] = ()
    more = None
    if (own or is_admin) and found.disabled is None:
        them = ask.caller if own else caller_of(ask.house, account)
        listed = models_page(ask.house, deleted=False, limit=_MODELS, after=after)
        models = tuple(ModelRole(model.name, them.role(model.name)) for model in listed.items)
        more = listed.next
    tokens = lines_of(desk.tokens(account)) if own or is_admin else []
    return MemberPage(
        account=found, is_own=own, given=tuple(g for g in given if g.account == account),
        shared=tuple(g for g in given if g.account in _SHARED),
        tokens=tuple(line for line in tokens if line.state == "valid")[:_ROWS],
        models=tuple(each for each in models if each.role != "none"), next=more,
    )  # fmt: skip


@acts.act("/members/add", needs=on_yard("admin"))
def add_member(ask: Ask, form: Form) -> Done:
    """Make an account, without roles."""
    kind: Literal["user", "service"] = "service" if form.one("kind") == "service" else "user"
    password = None
    if kind == "user" and form.text("password"):
        password = new_password(form)
    made = Desk(ask.house).add_account(
        form.one("name"), kind=kind, title=form.one("title"), password=password
    )
    text = language_of(ask.request).say(
        "The account %(name)s is there. It may do nothing yet: give it a role.", name=made.name
    )
    return Done(member_page(made.name), text, Undo(f"/do/members/{made.name}/disable", {}))


@acts.act("/members/{account}/disable", needs=on_yard("admin"))
def disable_member(ask: Ask, form: Form, account: str) -> Done:
    """Let nobody in with an account any more."""
    Desk(ask.house).disable_account(account)
    text = language_of(ask.request).say(
        "%(name)s is disabled, signed out everywhere, and its tokens are revoked.", name=account
    )
    return Done(member_page(account), text, Undo(f"/do/members/{account}/enable", {}))


@acts.act("/members/{account}/enable", needs=on_yard("admin"))
def enable_member(ask: Ask, form: Form, account: str) -> Done:
    """Let an account in again."""
    Desk(ask.house).enable_account(account)
    text = language_of(ask.request).say(
        "%(name)s may sign in again. Its tokens stay revoked.", name=account
    )
    return Done(member_page(account), text, Undo(f"/do/members/{account}/disable", {}))


@acts.act("/members/{account}/password", needs=on_yard("admin"))
def set_member_password(ask: Ask, form: Form, account: str) -> Done:
    """Give somebody else a password."""
    set_password(ask, account, new_password(form), old=form.text("old") or None)
    text = language_of(ask.request).say(
        "%(name)s has a new password, and is signed out everywhere.", name=account
    )
    return Done(member_page(account), text)
