"""Deployments in the catalog: followed, stepped by one of several servers, told, guarded."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.catalog.queries import deployments as queries
from modelyard.core.access import Account, Caller, Grant
from modelyard.core.deployment import DeploymentSpec, Rollout, ServedVersion, Share
from modelyard.errors import Conflict, Denied, NotFound
from modelyard.registry.access.guards import add_guard
from modelyard.registry.access.trail import audit_page
from modelyard.registry.deployments import beat, due, fall_back, leave, poll
from modelyard.registry.events import events, sight
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.core.access import Role
    from modelyard.core.deployment import Deployment, ServedState

LATER = timedelta(hours=1)


class Scale:
    """A model of our own."""

    def __init__(self, by: float) -> None:
        self.by = by

    def predict(self, inputs: Any) -> Any:
        return self.by * inputs


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[LocalYard]:
    """Models `own/m` with three versions and an alias, and `other/m` with one."""
    with LocalYard.create(tmp_path / "yard", author="ann") as yard:
        for by, model in enumerate(("own/m", "own/m", "own/m", "other/m")):
            yard.commit(model, Scale(by))
        yard.alias("own/m", "prod", 1)
        yield yard


def deploy(yard: LocalYard, *shares: tuple[str, float], name: str = "svc") -> Deployment:
    return yard.deployments.apply(
        DeploymentSpec(
            name=name,
            trusted=("*",),
            shares=tuple(
                Share(model=where.partition("@")[0], revision=where.partition("@")[2], percent=part)
                for where, part in shares
            ),
        )
    )


def served(one: Deployment, *states: ServedState) -> tuple[int, list[ServedVersion]]:
    """What a server says that has its versions in these states."""
    versions = [
        ServedVersion(model=s.model, number=s.number or 0, commit=s.commit or "", state=state)
        for s, state in zip(one.spec.shares, states, strict=True)
    ]
    return one.generation, versions


def failing(one: Deployment, share: Share) -> dict[str, Any]:
    """What a server says of a version that fails again and again."""
    return {
        "generation": one.generation, "model": share.model, "number": share.number,
        "commit": share.commit, "reason": "5 in a row",
    }  # fmt: skip


def acting(yard: LocalYard, **roles: Role) -> LocalYard:
    """The yard, as somebody sees it who has these roles for namespaces."""
    grants = tuple(Grant(f"{space}/*", role) for space, role in roles.items())
    caller = Caller(account=Account(id=7, name="bob"), grants=grants, address="192.0.2.1")
    return LocalYard(yard.house.on_behalf_of(caller))


def actions(yard: LocalYard, name: str = "svc") -> list[str]:
    return [str(change.action) for change in yard.deployments.changes(name)][::-1]


# -- polling -----------------------------------------------------------------------------------


def test_as_long_as_nothing_changed_polling_tells_nothing(yard: LocalYard) -> None:
    stamp, wished = poll(yard.house)
    assert wished == ()
    deploy(yard, ("own/m@1", 100))
    stamp, wished = poll(yard.house, stamp)
    assert wished is not None
    assert [each.name for each in wished] == ["svc"]
    assert poll(yard.house, stamp) == (stamp, None)
    yard.alias("own/m", "prod", 2)
    assert poll(yard.house, stamp)[1] is None, "it does not follow that alias"
    yard.deployments.pause("svc")
    stamp, wished = poll(yard.house, stamp)
    assert wished is not None
    assert wished[0].spec.paused
    yard.deployments.undeploy("svc")
    assert poll(yard.house, stamp)[1] == ()


def test_an_alias_that_moved_is_followed_by_the_next_poll_and_history_says_who_moved_it(
    yard: LocalYard,
) -> None:
    deploy(yard, ("own/m@prod", 100))
    stamp, _ = poll(yard.house)
    with LocalYard.at(yard.url, author="eve") as other:
        other.alias("own/m", "prod", 3)
    stamp, wished = poll(yard.house, stamp)
    assert wished is not None
    assert (wished[0].spec.stable.number, wished[0].generation) == (3, 2)
    assert wished[0].spec.stable.commit == yard.resolve("own/m", 3).commit
    change = next(yard.deployments.changes("svc"))
    assert (change.action, change.who) == ("follow", "eve")
    assert change.detail == {"ref": "prod", "old": 1, "new": 3}
    assert poll(yard.house, stamp)[1] is None


def test_of_many_servers_one_writes_down_that_an_alias_moved(yard: LocalYard) -> None:
    deploy(yard, ("own/m@prod", 100))
    stamp, _ = poll(yard.house)
    yard.alias("own/m", "prod", 2)
    found: list[int] = []

    def ask() -> None:
        wished = poll(yard.house, stamp)[1]
        assert wished is not None
        found.append(wished[0].generation)

    together(ask)
    assert found == [2] * 8
    assert actions(yard) == ["deploy", "follow"]


def test_an_alias_that_is_deleted_leaves_the_version_that_it_meant(yard: LocalYard) -> None:
    deploy(yard, ("own/m@prod", 100))
    stamp, _ = poll(yard.house)
    yard.delete_ref("own/m", "prod")
    assert poll(yard.house, stamp)[1] is None
    assert yard.deployments.get("svc").spec.stable.number == 1
    yard.alias("own/m", "prod", 2)
    assert yard.deployments.get("svc").spec.stable.number == 2


def test_a_poll_that_finds_nothing_new_is_one_statement(yard: LocalYard) -> None:
    import sqlalchemy as sa

    deploy(yard, ("own/m@prod", 95), ("own/m@2", 5))
    stamp, _ = poll(yard.house)
    said: list[str] = []
    engine = yard.house.catalog.engine
    listen = lambda *given: said.append(given[2])  # noqa: E731
    sa.event.listen(engine, "before_cursor_execute", listen)
    poll(yard.house, stamp)
    sa.event.remove(engine, "before_cursor_execute", listen)
    assert len([text for text in said if not text.startswith("BEGIN")]) == 1


# -- rollouts ----------------------------------------------------------------------------------


def test_steps_are_taken_when_their_time_has_come_and_the_last_promotes(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 99), ("own/m@2", 1))
    yard.deployments.roll_out("svc", [5, 25, 100], 600)
    assert due(yard.house) == ()
    first = datetime.now(UTC) + LATER
    assert due(yard.house, first) == ("svc",)
    one = yard.deployments.get("svc").spec
    assert [share.percent for share in one.shares] == [75.0, 25.0]
    assert one.rollout is not None
    assert (one.rollout.step, one.rollout.due) == (1, first + timedelta(seconds=600))
    assert due(yard.house, first) == (), "the next one has its time too"
    assert due(yard.house, first + LATER) == ("svc",)
    last = yard.deployments.get("svc").spec
    assert [(s.number, s.percent) for s in last.shares] == [(2, 100.0)]
    assert last.rollout is None
    assert actions(yard) == ["deploy", "rollout", "step", "promote"]


def test_an_edit_leaves_a_rollout_at_its_step(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 99), ("own/m@2", 1))
    yard.deployments.roll_out("svc", [5, 25, 50, 100], 600)
    for hours in (1, 2):
        assert due(yard.house, datetime.now(UTC) + hours * LATER) == ("svc",)
    held = yard.deployments.get("svc").spec
    assert held.rollout is not None
    # over HTTP nobody says how far it is, and the shares may be as they were wished once
    wished = replace(held, rollout=Rollout(steps=held.rollout.steps, every=600), sample=0.5)
    for spec in (wished, wished.with_canary(5)):
        after = yard.deployments.apply(spec).spec
        assert [share.percent for share in after.shares] == [50.0, 50.0]
        assert after.rollout == held.rollout
    assert due(yard.house, datetime.now(UTC) + 3 * LATER) == ("svc",)
    assert yard.deployments.get("svc").spec.stable.number == 2, "its last step came next"


def test_of_several_servers_one_takes_a_step(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 99), ("own/m@2", 1))
    yard.deployments.roll_out("svc", [5, 25, 50, 100], 600)
    at, taken = datetime.now(UTC) + LATER, []
    together(lambda: taken.append(due(yard.house, at)))
    assert sorted(taken) == [()] * 7 + [("svc",)]
    rollout = yard.deployments.get("svc").spec.rollout
    assert rollout is not None
    assert rollout.step == 1


@pytest.mark.parametrize("state", ["failed", "loading"])
def test_no_step_is_taken_while_the_canary_is_not_ready(
    yard: LocalYard, state: ServedState
) -> None:
    deploy(yard, ("own/m@1", 99), ("own/m@2", 1))
    one = yard.deployments.roll_out("svc", [5, 100], 600)
    beat(yard.house, "a", {"svc": served(one, "ready", "ready")})
    beat(yard.house, "b", {"svc": served(one, "ready", state)})
    at = datetime.now(UTC) + LATER
    assert due(yard.house, at) == ()
    beat(yard.house, "b", {"svc": served(one, "ready", "asleep")})
    assert due(yard.house, at) == ("svc",)


def test_what_is_paused_takes_no_step(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 99), ("own/m@2", 1))
    yard.deployments.roll_out("svc", [5, 100], 600)
    yard.deployments.pause("svc")
    at = datetime.now(UTC) + LATER
    assert due(yard.house, at) == ()
    yard.deployments.resume("svc")
    assert due(yard.house, at) == ("svc",)


# -- servers -----------------------------------------------------------------------------------


def test_what_servers_say_is_told_as_long_as_they_say_it(yard: LocalYard) -> None:
    one = deploy(yard, ("own/m@1", 100))
    assert one.state == "waiting"
    beat(yard.house, "a", {"svc": (0, [])})
    assert yard.deployments.get("svc").state == "loading", "its routes are older"
    beat(yard.house, "a", {"svc": served(one, "ready"), "gone": (1, [])})
    now = yard.deployments.get("svc")
    assert (now.state, [each.server for each in now.servers]) == ("ready", ["a"])
    beat(yard.house, "b", {"svc": served(one, "failed")})
    assert yard.deployments.get("svc").state == "failed"
    leave(yard.house, "b")
    assert yard.deployments.list()[0].state == "ready"
    beat(yard.house, "a", {})
    assert yard.deployments.get("svc").servers == (), "it serves this one no more"


def test_a_server_that_says_nothing_for_a_while_is_forgotten(yard: LocalYard) -> None:
    one = deploy(yard, ("own/m@1", 100))
    beat(yard.house, "dead", {"svc": served(one, "ready")})
    with yard.house.catalog.read() as connection:
        key = queries.living(connection)[0].id
    age(yard, seconds=16)
    assert yard.deployments.get("svc").servers == ()
    beat(yard.house, "alive", {"svc": served(one, "ready")})
    with yard.house.catalog.read() as connection:
        rows = queries.servers_of(connection, 0)[key]
    assert [row.server for row in rows] == ["alive"], "its rows are gone too"


def test_a_failing_canary_gets_no_more_and_everything_else_waits(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 80), ("own/m@2", 20))
    one = yard.deployments.roll_out("svc", [20, 100], 600)
    given = failing(one, one.spec.canaries[0])
    after = fall_back(yard.house, "svc", **given)
    assert after is not None
    assert [(s.number, s.percent) for s in after.spec.shares] == [(1, 100.0), (2, 0.0)]
    assert after.spec.paused
    assert fall_back(yard.house, "svc", **given) is None, "another server was first"
    change = next(yard.deployments.changes("svc"))
    assert (change.action, change.detail) == ("fallback", {"number": 2, "why": "5 in a row"})
    assert due(yard.house, datetime.now(UTC) + LATER) == ()


def test_of_two_models_with_the_same_number_the_one_that_fails_gets_no_more(
    yard: LocalYard,
) -> None:
    one = deploy(yard, ("own/m@2", 70), ("own/m@1", 20), ("other/m@1", 10))
    after = fall_back(yard.house, "svc", **failing(one, one.spec.canaries[1]))
    assert after is not None
    assert [(s.source, s.percent) for s in after.spec.shares] == [
        ("own/m@2", 80.0), ("own/m@1", 20.0), ("other/m@1", 0.0),
    ]  # fmt: skip


# -- who may -----------------------------------------------------------------------------------


def test_a_deployment_is_seen_by_who_may_read_every_model_in_it(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 100), name="mine")
    deploy(yard, ("own/m@1", 90), ("other/m@1", 10), name="both")
    reader = acting(yard, own="reader")
    assert [each.name for each in reader.deployments.list()] == ["mine"]
    for call in (reader.deployments.get, lambda name: list(reader.deployments.changes(name)),
                 reader.deployments.promote):  # fmt: skip
        with pytest.raises(NotFound) as caught:
            call("both")
        assert caught.value.kind == "no-deployment"
    with pytest.raises(Conflict) as taken:
        deploy(acting(yard, own="writer"), ("own/m@1", 100), name="both")
    assert taken.value.kind == "deployment-exists"
    assert "own" not in str(taken.value)


def test_a_deployment_is_changed_by_who_may_write_every_model_in_it(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 90), ("other/m@1", 10))
    half = acting(yard, own="writer", other="reader").deployments
    for call in (half.promote, half.pause, half.roll_back, half.undeploy,
                 lambda name: half.roll_out(name, [100], 1)):  # fmt: skip
        with pytest.raises(Denied) as caught:
            call("svc")
        assert caught.value.kind == "not-allowed"
    with pytest.raises(Denied):
        deploy(acting(yard, own="reader"), ("own/m@1", 100), name="new")
    with pytest.raises(NotFound):
        deploy(acting(yard, own="writer"), ("other/m@1", 100), name="new")
    whole = acting(yard, own="writer", other="writer")
    assert whole.deployments.promote("svc").who == "bob"


def test_a_guard_of_a_deployment_asks_for_its_role(yard: LocalYard) -> None:
    add_guard(yard.house, "own/*", "deployments/svc*", role="maintainer", approvals=0)
    add_guard(yard.house, "own/*", "deployments/core", role="writer", approvals=1)
    writer, maintainer = acting(yard, own="writer"), acting(yard, own="maintainer")
    deploy(writer, ("own/m@1", 100), name="free")
    for name, who in (("svc-eu", writer), ("core", maintainer)):
        with pytest.raises(Denied) as caught:
            deploy(who, ("own/m@1", 100), name=name)
        assert caught.value.kind == "guarded"
    deploy(maintainer, ("own/m@1", 100), name="svc-eu")
    deploy(acting(yard, own="admin"), ("own/m@1", 100), name="core")


def test_going_back_tells_nothing_of_a_model_that_is_hidden(yard: LocalYard) -> None:
    deploy(yard, ("own/m@1", 100))
    deploy(yard, ("other/m@1", 100))
    deploy(yard, ("other/m@1", 90), ("own/m@3", 10))
    deploy(yard, ("own/m@3", 100))
    mine = acting(yard, own="maintainer").deployments
    assert [change.generation for change in mine.changes("svc")] == [4, 1]
    for generation in (2, 3, 99):
        with pytest.raises(Conflict) as caught:
            mine.roll_back("svc", to=generation)
        assert caught.value.kind == "nothing-before"
        assert "other" not in repr(caught.value)
    assert mine.roll_back("svc").spec.stable.source == "own/m@1"
    assert yard.deployments.roll_back("svc", to=2).spec.stable.source == "other/m@1"


def test_the_audit_log_of_a_model_tells_no_moves_of_another(yard: LocalYard) -> None:
    from modelyard.core.people import ALL_LINES

    yard.alias("other/m", "secret", 1)
    deploy(yard, ("own/m@prod", 90), ("other/m@secret", 10))
    stamp, _ = poll(yard.house)
    yard.commit("other/m", Scale(9))
    yard.alias("other/m", "secret", 2)
    stamp, _ = poll(yard.house, stamp)
    assert next(yard.deployments.changes("svc")).detail == {"ref": "secret", "old": 1, "new": 2}
    (line,) = [
        line
        for line in audit_page(yard.house, ALL_LINES, limit=9, after=None).items
        if line.detail.get("action") == "follow"
    ]
    assert line.model == "own/m"
    assert "secret" not in repr(line)
    yard.alias("own/m", "prod", 2)
    poll(yard.house, stamp)
    line = audit_page(yard.house, ALL_LINES, limit=1, after=None).items[0]
    assert (line.detail["ref"], line.detail["new"]) == ("prod", 2), "of its own it does"


# -- telling -----------------------------------------------------------------------------------


def test_each_change_is_an_event_and_a_line_of_the_audit_log(yard: LocalYard) -> None:
    from modelyard.core.people import ALL_LINES

    writer = acting(yard, own="writer", other="writer")
    deploy(writer, ("own/m@prod", 90), ("other/m@1", 10))
    writer.deployments.promote("svc")
    found = [e for e in events(yard.house) if e.kind == "deployment-changed"]
    assert [(e.model, e.detail["action"]) for e in found] == [
        ("own/m", "deploy"), ("other/m", "promote"),
    ]  # fmt: skip
    assert found[0].detail == {"deployment": "svc", "action": "deploy", "generation": 1}
    assert found[0].account == "bob"
    page = audit_page(yard.house, ALL_LINES, limit=2, after=None)
    assert {line.address for line in page.items} == {"192.0.2.1"}
    assert page.items[1].detail["shares"] == "own/m@prod (1) 90 %", "of its own model alone"
    reader = acting(yard, own="reader").house
    seen = [e for e in events(yard.house, readable=sight(reader, reader.caller))
            if e.kind == "deployment-changed"]  # fmt: skip
    assert [e.model for e in seen] == ["own/m"]
    assert "other" not in repr(seen)


def test_whoever_serves_here_is_told_at_once(yard: LocalYard) -> None:
    told: list[str] = []
    yard.house.deployed.append(told.append)
    deploy(acting(yard, own="writer"), ("own/m@1", 100))
    with pytest.raises(Conflict):
        yard.deployments.promote("svc")
    yard.deployments.pause("svc")
    yard.deployments.pause("svc")
    assert told == ["svc", "svc"], "once for each change"


def test_deployments_and_their_history_are_in_a_backup(yard: LocalYard, tmp_path: Path) -> None:
    from modelyard.registry.transfer.restoring import restore

    deploy(yard, ("own/m@prod", 95), ("own/m@2", 5))
    yard.backup(tmp_path / "backup.tar")
    restore(
        tmp_path / "backup.tar", tmp_path / "again", author="ann", store=None, catalog=None,
        key=None, report=None,
    )  # fmt: skip
    with LocalYard.at(tmp_path / "again") as again:
        assert [e.spec for e in again.deployments.list()] == [
            e.spec for e in yard.deployments.list()
        ]
        assert actions(again) == ["deploy"]
        assert again.verify().ok


def together(work: Any) -> None:
    """Eight threads do the same at once."""
    failed: list[BaseException] = []
    begin = threading.Barrier(8)

    def run() -> None:
        try:
            begin.wait(10)
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed, failed


def age(yard: LocalYard, *, seconds: int) -> None:
    """Let everything that servers said be so old."""
    import sqlalchemy as sa

    from modelyard.catalog.schema import deployment_server as table

    yard.house.catalog.write(
        lambda c: c.execute(sa.update(table).values(seen=table.c.seen - seconds * 1_000_000))
    )
