"""Who may do what, looked after at the yard itself: for whom the house works, or its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import accounts, tokens
from modelyard.core.access import Role, check_pattern, fits, lower, parse_role
from modelyard.core.people import (
    ALL_LINES,
    AccountInfo,
    AuditFilter,
    AuditLine,
    AuditPage,
    ChainHead,
    Given,
    Guard,
    MadeToken,
    Proposal,
    Self,
    Token,
)
from modelyard.errors import Denied, InvalidInput
from modelyard.registry.access import guards, proposals, trail
from modelyard.registry.access.accounts import (
    check_password,
    create_account,
    disable_account,
    enable_account,
    find_account,
    set_password,
)
from modelyard.registry.access.chain import expect_head, seal
from modelyard.registry.access.giving import all_roles, give_role, take_role
from modelyard.registry.access.rights import OWNER, acting, need
from modelyard.registry.access.tokens import (
    make_token,
    no_token,
    revoke_token,
    rotate_token,
    token_value,
)
from modelyard.registry.lookup import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from modelyard.catalog.queries.accounts import AccountRow
    from modelyard.catalog.queries.tokens import TokenRow
    from modelyard.core.access import Caller
    from modelyard.registry.house import House

__all__ = ["Desk"]


class Desk:
    """`core.people.People` over a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def whoami(self) -> Self:
        """Who is signed in. At the yard's own folder: its owner, who may everything."""
        caller = acting(self._house)
        local = caller.account is None and caller.may("*", "admin")
        return Self(
            account=OWNER if local else caller.name,
            kind=caller.account.kind if caller.account else None,
            author=self._house.author if local else caller.author, role=caller.role("*"),
            # what is taken away goes unsaid: a hidden namespace has no name here either
            roles=tuple((g.pattern, g.role) for g in caller.grants if g.role != "none"),
            ceiling=caller.ceiling, models=caller.only, token=caller.token,
        )  # fmt: skip

    # -- accounts --------------------------------------------------------------------------------

    def accounts(self) -> list[AccountInfo]:
        """All, for whoever may give roles somewhere; else the caller's own."""
        caller = acting(self._house)
        gives = any(caller.role_over(grant.pattern) == "admin" for grant in caller.grants)
        with self._house.catalog.read() as connection:
            rows = accounts.listed(connection)
        return [_account(row) for row in rows if gives or row.name == caller.name]

    def add_account(
        self,
        name: str,
        *,
        kind: Literal["user", "service"] = "user",
        title: str = "",
        password: str | None = None,
    ) -> AccountInfo:
        need(self._house, "*", "admin")
        if kind == "service" and password is not None:
            raise InvalidInput(
                "bad-account-kind", "a service account has tokens, and no password",
                hint=f"yard token make --account {name}",
            )  # fmt: skip
        create_account(self._house, name, kind=kind, title=title, password=password)
        return self._account(name)

    def disable_account(self, name: str) -> AccountInfo:
        need(self._house, "*", "admin")
        disable_account(self._house, name)
        return self._account(name)

    def enable_account(self, name: str) -> AccountInfo:
        need(self._house, "*", "admin")
        enable_account(self._house, name)
        return self._account(name)

    def set_password(self, name: str, password: str, *, old: str | None = None) -> AccountInfo:
        """One's own by saying the old one; that of others as admin."""
        caller = acting(self._house)
        if caller.name != name:
            need(self._house, "*", "admin")
        else:
            _check_whole(caller, "a password")
            if self._account(name).has_password:
                check_password(self._house, name, old or "")
        if self._account(name).kind == "service":
            raise InvalidInput("bad-account-kind", "a service account has tokens, and no password")
        set_password(self._house, name, password)
        return self._account(name)

    def _account(self, name: str) -> AccountInfo:
        with self._house.catalog.fresh() as connection:
            return _account(find_account(connection, name))

    # -- tokens ----------------------------------------------------------------------------------

    def tokens(self, account: str | None = None) -> list[Token]:
        """The caller's own, or those of another account for an admin; at the folder: all."""
        caller = acting(self._house)
        if account is not None and account != caller.name:
            need(self._house, "*", "admin")
        wanted = account or caller.name
        with self._house.catalog.read() as connection:
            owner = None if wanted is None else find_account(connection, wanted)
            if owner is None and not caller.may("*", "admin"):
                raise Denied("not-signed-in", "say who you are", hint="yard login URL")
            names = {row.id: row.name for row in accounts.listed(connection)}
            rows = tokens.of_account(connection, None if owner is None else owner.id)
            return [token_value(row, names.get(row.account_id, "?")) for row in rows]

    def make_token(
        self,
        account: str | None = None,
        *,
        name: str = "",
        role: Role = "admin",
        models: Sequence[str] = (),
        days: int | None = 90,
    ) -> MadeToken:
        """For oneself, and no wider than the token that is shown; for others as admin."""
        caller = acting(self._house)
        parse_role(role)
        owner = account or caller.name
        if owner is None:
            raise InvalidInput("no-account-given", "say for which account", hint="--account NAME")
        if owner != caller.name:
            need(self._house, "*", "admin")
        wanted = tuple(models) or caller.only
        for pattern in wanted:
            check_pattern(pattern)
            if caller.only and not any(fits(own, pattern) for own in caller.only):
                raise Denied("not-allowed", f"the token that you show is not for {pattern!r}")
        token, secret = make_token(
            self._house, owner, name=name, role=lower(role, caller.ceiling), models=wanted,
            days=days, until=self._end_of(caller),
        )  # fmt: skip
        return MadeToken(token=token, secret=secret)

    def _end_of(self, caller: Caller) -> int | None:
        """When the token ends that is shown: what it makes does not outlive it, but an admin's."""
        if caller.token is None or caller.may("*", "admin"):
            return None
        with self._house.catalog.fresh() as connection:
            row = tokens.by_id(connection, caller.token)
        return row.expires or None if row else None

    def rotate_token(self, token: int) -> MadeToken:
        """Another secret for a token, which is valid as long again as it was at first."""
        row = self._own_token(token)
        days = (row.expires - row.created) // 86_400_000_000 if row.expires else None
        made, secret = rotate_token(self._house, token, days=None if days is None else max(days, 1))
        return MadeToken(token=made, secret=secret)

    def revoke_token(self, token: int) -> Token:
        self._own_token(token)
        return revoke_token(self._house, token)

    def _own_token(self, key: int) -> TokenRow:
        """One that the caller may change. NotFound: `no-token`, also for those of others."""
        caller = acting(self._house)
        with self._house.catalog.fresh() as connection:
            row = tokens.by_id(connection, key)
        if row is None or (row.account_id != caller.id and not caller.may("*", "admin")):
            raise no_token(key)
        if key != caller.token and row.account_id == caller.id:
            _check_whole(caller, "another token")
        return row

    # -- roles and guards ------------------------------------------------------------------------

    def roles(self) -> list[Given]:
        return all_roles(self._house)

    def give_role(self, account: str, pattern: str, role: Role) -> Given:
        return give_role(self._house, account, pattern, role)

    def take_role(self, account: str, pattern: str) -> Given:
        return take_role(self._house, account, pattern)

    def guards(self) -> list[Guard]:
        return guards.all_guards(self._house)

    def add_guard(
        self, pattern: str, ref: str, *, role: Role = "maintainer", approvals: int = 0
    ) -> Guard:
        return guards.add_guard(self._house, pattern, ref, role=role, approvals=approvals)

    def remove_guard(self, pattern: str, ref: str) -> Guard:
        return guards.remove_guard(self._house, pattern, ref)

    def propose(self, model: str, ref: str, revision: str | int, *, message: str = "") -> Proposal:
        return proposals.propose(self._house, model, ref, revision, message=message)

    def approve(self, proposal: int) -> Proposal:
        return proposals.approve(self._house, proposal)

    def withdraw(self, proposal: int) -> Proposal:
        return proposals.withdraw(self._house, proposal)

    def proposals(self, model: str | None = None, *, state: str | None = "open") -> list[Proposal]:
        return proposals.all_proposals(self._house, model, state=state)

    # -- audit -----------------------------------------------------------------------------------

    def audit(
        self, wanted: AuditFilter = ALL_LINES, *, limit: int = 50, after: str | None = None
    ) -> AuditPage:
        return trail.audit_page(self._house, wanted, limit=limit, after=after)

    def every_line(self, wanted: AuditFilter = ALL_LINES) -> Iterator[AuditLine]:
        return trail.every_line(self._house, wanted)

    def chain_head(self) -> ChainHead | None:
        """The head of the chain, with all lines sealed up to now."""
        need(self._house, "*", "admin")
        return seal(self._house)

    def expect_head(self, digest: str) -> ChainHead:
        """The seal that was noted elsewhere. NotFound: `no-seal`: the chain was made again."""
        need(self._house, "*", "admin")
        return expect_head(self._house, digest)


def _check_whole(caller: Caller, what: str) -> None:
    """A token with bounds gets nobody beyond them."""
    if caller.ceiling != "admin" or caller.only:
        raise Denied(
            "not-allowed", f"this token has bounds, and may not change {what}",
            hint="sign in with a password, or use a token without --role and --model",
        )  # fmt: skip


def _account(row: AccountRow) -> AccountInfo:
    return AccountInfo(
        name=row.name, kind="service" if row.kind == "service" else "user", title=row.title,
        has_password=bool(row.password), external=bool(row.subject),
        created=moment(row.created), disabled=moment(row.disabled) if row.disabled else None,
    )  # fmt: skip
