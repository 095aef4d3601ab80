"""One protocol, two desks: the same people at the yard's folder and over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from modelyard.client.access import RemotePeople
from modelyard.client.addresses import Address
from modelyard.client.connection import Connection
from modelyard.core.people import AuditFilter
from modelyard.errors import ModelyardError
from modelyard.registry import open_yard
from modelyard.registry.access import caller_of
from modelyard.registry.access.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.server.running import Running

    from modelyard.core.people import People
    from modelyard.registry.local import LocalYard


@pytest.fixture(scope="module")
def yard(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalYard]:
    file: Path = tmp_path_factory.mktemp("files") / "w.txt"
    with open_yard(server.folder) as opened:
        for number in range(4):
            file.write_text(str(number))
            opened.commit("a/one", file)
        desk = Desk(opened.house)
        for name in ("boss", "mia", "wim"):
            desk.add_account(name)
        desk.give_role("boss", "*", "admin")
        desk.give_role("mia", "a/*", "maintainer")
        desk.give_role("wim", "a/*", "writer")
        yield opened


@pytest.fixture(params=["folder", "server"])
def as_(
    request: pytest.FixtureRequest, server: Running, yard: LocalYard
) -> Iterator[Callable[[str], People]]:
    """The desk of somebody: `as_("boss")`."""
    opened: list[Connection] = []

    def remote(name: str) -> People:
        secret = Desk(yard.house).make_token(name).secret
        opened.append(Connection(Address.parse(server.url), secret))
        return RemotePeople(opened[-1])

    def local(name: str) -> People:
        return Desk(yard.house.on_behalf_of(caller_of(yard.house, name)))

    yield local if request.param == "folder" else remote
    for connection in opened:
        connection.close()


def kind_of(work: Callable[[], object]) -> str:
    with pytest.raises(ModelyardError) as error:
        work()
    return error.value.kind


def test_whoami(as_: Callable[[str], People]) -> None:
    me = as_("mia").whoami()
    assert (me.account, me.kind, me.role, me.ceiling) == ("mia", "user", "none", "admin")
    assert me.roles == (("a/*", "maintainer"),)
    assert as_("boss").whoami().role == "admin"


def test_accounts(as_: Callable[[str], People], request: pytest.FixtureRequest) -> None:
    boss, name = as_("boss"), f"new-{request.node.callspec.id}"
    made = boss.add_account(name, title="New One <new@example.org>")
    assert (made.name, made.kind, made.has_password, made.disabled) == (name, "user", False, None)
    assert made in boss.accounts()
    assert boss.set_password(name, "some words nobody says").has_password
    assert boss.disable_account(name).disabled is not None
    assert boss.enable_account(name).disabled is None
    assert kind_of(lambda: boss.add_account(name)) == "account-exists"
    assert kind_of(lambda: boss.disable_account("nobody")) == "no-account"
    assert kind_of(lambda: boss.set_password(name, "short")) == "weak-password"
    assert [account.name for account in as_("wim").accounts()] == ["wim"]
    assert kind_of(lambda: as_("wim").add_account("x")) == "not-allowed"


def test_tokens(as_: Callable[[str], People]) -> None:
    wim = as_("wim")
    made = wim.make_token(name="ci", role="reader", models=["a/*"], days=3)
    assert made.token.models == ("a/*",)
    assert made.token in wim.tokens()
    assert wim.rotate_token(made.token.id).secret != made.secret
    assert wim.revoke_token(made.token.id).revoked is not None
    assert as_("boss").make_token("wim", days=None).token.expires is None
    assert kind_of(lambda: wim.revoke_token(10**9)) == "no-token"
    assert kind_of(lambda: wim.tokens("boss")) == "not-allowed"


def test_roles(as_: Callable[[str], People]) -> None:
    boss = as_("boss")
    given = boss.give_role("everyone", "b/*", "reader")
    assert (given.account, given.pattern, given.role, given.who) == (
        "everyone", "b/*", "reader", "boss",
    )  # fmt: skip
    assert given in boss.roles()
    assert boss.take_role("everyone", "b/*").role == "reader"
    assert kind_of(lambda: boss.take_role("everyone", "b/*")) == "no-role"
    assert kind_of(lambda: boss.give_role("wim", "a/**", "reader")) == "bad-pattern"
    assert kind_of(lambda: as_("mia").give_role("wim", "a/*", "admin")) == "not-allowed"


def test_guards_and_proposals(as_: Callable[[str], People], yard: LocalYard) -> None:
    boss, mia, wim = as_("boss"), as_("mia"), as_("wim")
    guard = boss.add_guard("a/*", "champion", approvals=1)
    assert guard in wim.guards()
    old = {ref.name: ref.number for ref in yard.refs("a/one")}.get("champion", 0)
    made = wim.propose("a/one", "champion", old + 1, message="better")
    assert made in mia.proposals("a/one")
    assert kind_of(lambda: wim.approve(made.id)) == "not-allowed"
    assert mia.approve(made.id).state == "done"
    other = wim.propose("a/one", "champion", old + 2)
    assert wim.withdraw(other.id).state == "withdrawn"
    assert other.id in [each.id for each in wim.proposals(state=None)]
    assert kind_of(lambda: mia.approve(other.id)) == "proposal-closed"
    assert kind_of(lambda: mia.approve(10**9)) == "no-proposal"
    assert kind_of(lambda: wim.propose("a/two", "champion", 1)) in ("no-model", "not-guarded")
    assert boss.remove_guard("a/*", "champion").approvals == 1
    assert kind_of(lambda: boss.remove_guard("a/*", "champion")) == "no-guard"


def test_audit(as_: Callable[[str], People]) -> None:
    boss, mia = as_("boss"), as_("mia")
    mia.add_guard("a/*", "main-x")
    mia.remove_guard("a/*", "main-x")
    newest = boss.audit(AuditFilter(account="mia"), limit=2).items
    assert [line.action for line in newest] == ["guard-removed", "guard"]
    page = boss.audit(limit=2)
    assert page.next is not None
    assert boss.audit(limit=1, after=page.next).items[0].id < page.items[-1].id
    soon = datetime.now(UTC) + timedelta(minutes=5)
    assert boss.audit(AuditFilter(since=soon)).items == ()
    assert {line.model for line in mia.every_line()} == {"a/one"}
    head = boss.chain_head()
    assert head is not None
    assert len(head.digest) == 64
    assert boss.expect_head(head.digest) == head
    assert kind_of(lambda: boss.expect_head("0" * 64)) == "no-seal"
    assert kind_of(lambda: mia.expect_head(head.digest)) == "not-allowed"
    assert kind_of(mia.chain_head) == "not-allowed"
    assert kind_of(lambda: mia.audit(AuditFilter(model="b/none"))) == "no-model"
