"""Accounts, guards, approvals and the chain over each kind of catalog, and through a backup."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from modelyard.core.people import AuditFilter
from modelyard.errors import Conflict, ModelyardError
from modelyard.registry import access, create, restore_backup
from modelyard.registry.access.chain import check_chain, expect_head, seal
from modelyard.registry.access.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalYard

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalYard]:
    """A yard whose catalog is one of each kind, with people and a model of three versions."""
    url = None if request.param == "sqlite" else request.getfixturevalue(request.param)
    yard = create(tmp_path / "yard", catalog=url)
    for number in range(3):
        (tmp_path / "w.txt").write_text(f"{number}")
        yard.commit("a/one", tmp_path / "w.txt")
    desk = Desk(yard.house)
    for name, role in (("adm", "admin"), ("mia", "maintainer"), ("wim", "writer")):
        desk.add_account(name, title=f"{name} 王 <{name}@example.org>")
        desk.give_role(name, "a/*", role)  # type: ignore[arg-type]
    yield yard
    yard.close()


def as_(yard: LocalYard, name: str) -> Desk:
    return Desk(yard.house.on_behalf_of(access.caller_of(yard.house, name)))


def test_from_sign_in_to_an_approved_move(shared: LocalYard) -> None:
    access.set_password(shared.house, "wim", "some words nobody says")
    assert access.check_password(shared.house, "wim", "some words nobody says").name == "wim"
    made = as_(shared, "wim").make_token(models=["a/*"])
    headers = {"authorization": f"Bearer {made.secret}"}
    entered = access.signed_in_by(shared.house, headers, {}, address="::1", request="r")
    assert access.known_name(shared.house, entered, "a/one", "writer") == "a/one"
    cookie = access.open_cookie(shared.house, entered.account)  # type: ignore[arg-type]
    assert access.signed_in_by(shared.house, {}, {access.COOKIE: cookie}, address=None).name
    as_(shared, "adm").add_guard("a/*", "prod", approvals=1)
    as_(shared, "adm").add_guard("a/*", "prod", approvals=2)
    asked = as_(shared, "wim").propose("a/one", "prod", 2, message="über")
    assert as_(shared, "mia").approve(asked.id).state == "open"
    assert as_(shared, "adm").approve(asked.id).state == "done"
    assert [ref.number for ref in shared.refs("a/one") if ref.name == "prod"] == [2]
    actions = [line.action for line in as_(shared, "mia").every_line(AuditFilter(model="a/one"))]
    assert actions[:4] == ["alias", "approve", "approve", "propose"]


def test_names_differ_by_every_byte(shared: LocalYard) -> None:
    desk = Desk(shared.house)
    desk.give_role("everyone", "a/One", "reader")
    desk.give_role("everyone", "a/one", "reader")
    assert {given.pattern for given in desk.roles()} == {"a/*", "a/One", "a/one"}
    desk.take_role("everyone", "a/One")
    with pytest.raises(ModelyardError):
        desk.make_token("ADM")


def test_two_admins_can_not_remove_each_other_at_once(shared: LocalYard) -> None:
    desk = Desk(shared.house)
    for name in ("adm", "mia"):
        desk.give_role(name, "*", "admin")
    together = threading.Barrier(2)

    def take(name: str) -> bool:
        together.wait()
        try:
            Desk(shared.house).take_role(name, "*")
        except Conflict as error:
            return error.kind != "last-admin"
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, ["adm", "mia"])) == [False, True]


def test_approvals_at_once_move_once(shared: LocalYard) -> None:
    as_(shared, "adm").add_guard("a/*", "prod", approvals=1)
    asked = as_(shared, "wim").propose("a/one", "prod", 2)
    together = threading.Barrier(2)

    def approve(name: str) -> str:
        desk = as_(shared, name)
        together.wait()
        try:
            return desk.approve(asked.id).state
        except ModelyardError as error:
            return error.kind

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(approve, ["adm", "mia"])) == ["done", "proposal-closed"]
    assert len(list(shared.reflog("a/one", "prod"))) == 1


def test_seals_cover_every_line_while_many_write(shared: LocalYard) -> None:
    over = threading.Event()

    def write(worker: int) -> None:
        for at in range(15):
            shared.alias("a/one", f"x{worker}", at % 3 + 1)

    def sealing() -> None:
        while not over.is_set():
            seal(shared.house)

    with ThreadPoolExecutor(5) as pool:
        seals = [pool.submit(sealing) for _ in range(2)]
        for done in [pool.submit(write, worker) for worker in range(3)]:
            done.result()
        over.set()
        for each in seals:
            each.result()
    head = seal(shared.house)
    assert head is not None
    assert head.seal > 1
    assert check_chain(shared.house) == []
    change = sa.text("UPDATE audit SET detail = '{}' WHERE action = 'role'")
    shared.house.catalog.write(lambda connection: connection.execute(change))
    assert check_chain(shared.house)


def test_a_backup_holds_them_and_a_copy_does_not(shared: LocalYard, tmp_path: Path) -> None:
    secret = as_(shared, "mia").make_token().secret
    as_(shared, "adm").add_guard("a/*", "prod", approvals=1)
    head = seal(shared.house)
    shared.backup(tmp_path / "all.yard")
    assert secret.split("_", 2)[2][:43].encode() not in (tmp_path / "all.yard").read_bytes()
    restore_backup(tmp_path / "all.yard", tmp_path / "again")
    from modelyard.registry import open_yard

    with open_yard(tmp_path / "again") as again:
        headers = {"authorization": f"Bearer {secret}"}
        assert access.signed_in_by(again.house, headers, {}, address=None).name == "mia"
        assert Desk(again.house).guards() == Desk(shared.house).guards()
        assert check_chain(again.house) == []
        assert head is not None
        assert expect_head(again.house, head.digest).digest == head.digest
        seal(again.house)
        assert again.verify().ok
    with create(tmp_path / "copy") as copy:
        shared.copy_to(copy, "a/one")
        assert Desk(copy.house).accounts() == []
        assert Desk(copy.house).guards() == []
