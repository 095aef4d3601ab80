"""The feed of events while many write: nothing is skipped, nothing is told twice."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from modelyard.catalog.queries import audit
from modelyard.registry import create, open_yard
from modelyard.registry.events import events, follow, settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import sqlalchemy as sa

    from modelyard.core.events import Event
    from modelyard.registry.local import LocalYard

pytestmark = pytest.mark.slow

_WRITERS = 6
_ROUNDS = 25


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalYard]:
    """A yard whose catalog is one of each kind."""
    url = None if request.param == "sqlite" else request.getfixturevalue(request.param)
    yard = create(tmp_path / "yard", catalog=url)
    yield yard
    yard.close()


def _undo(yard: LocalYard) -> None:
    """A transaction that takes a number and is undone: the number stays missing for ever."""

    def work(connection: sa.Connection) -> None:
        audit.add(connection, audit.AuditRow(1, "label", 1, "nobody", detail="{}"))
        raise KeyError

    with pytest.raises(KeyError):
        yard.house.catalog.write(work)


def _slow(yard: LocalYard, seconds: float) -> None:
    """A transaction that takes a number, and commits long after later ones did."""

    def work(connection: sa.Connection) -> None:
        audit.add(connection, audit.AuditRow(1, "label", 1, "slow", detail="{}"))
        time.sleep(seconds)

    yard.house.catalog.write(work)


def test_followers_hear_of_everything_once_and_in_order(shared: LocalYard, tmp_path: Path) -> None:
    file = tmp_path / "model.txt"
    file.write_text("weights")
    for at in range(_WRITERS):
        shared.commit(f"team/m{at}", file)
    start, stop = settled(shared.house), threading.Event()
    heard: list[list[Event]] = [[], []]
    other = open_yard(shared.house.root)

    def listen(yard: LocalYard, into: list[Event]) -> None:
        into.extend(follow(yard.house, after=start, seconds=0.01, stop=stop))

    def write(at: int) -> None:
        for turn in range(_ROUNDS):
            shared.label(f"team/m{at}", add={"turn": str(turn)})
            if turn % 10 == at:
                _undo(shared)
            if turn % 10 == 9 - at:
                _slow(shared, 0.3)

    listeners = [
        threading.Thread(target=listen, args=(yard, into))
        for yard, into in zip((shared, other), heard, strict=True)
    ]
    writers = [threading.Thread(target=write, args=(at,)) for at in range(_WRITERS)]
    for thread in (*listeners, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    deadline = time.monotonic() + 20
    everything = [event.id for event in events(shared.house, after=start, upto=1 << 40)]
    while time.monotonic() < deadline and any(len(each) < len(everything) for each in heard):
        time.sleep(0.05)
    stop.set()
    for thread in listeners:
        thread.join()
    other.close()
    assert len(everything) >= _WRITERS * _ROUNDS
    assert [event.id for event in heard[0]] == everything
    assert [event.id for event in heard[1]] == everything


def test_what_was_written_later_waits_for_a_slow_transaction(
    shared: LocalYard, tmp_path: Path
) -> None:
    file = tmp_path / "model.txt"
    file.write_text("weights")
    shared.commit("team/m", file)
    start = settled(shared.house)
    slow = threading.Thread(target=_slow, args=(shared, 4.0))
    slow.start()
    time.sleep(0.5)
    begun = time.monotonic()
    shared.label("team/m", add={"later": "yes"})
    at_once = list(events(shared.house, after=start))
    if shared.house.catalog.engine.dialect.name != "sqlite":
        assert time.monotonic() - begun < 3, "writers were held up"
        assert not at_once, "the later one was told first, the slow one would be skipped"
    slow.join()
    assert [event.who for event in events(shared.house, after=start)][:1] == ["slow"]
    assert len(list(events(shared.house, after=start))) == 2


def test_a_number_that_is_missing_for_ever_holds_nothing_back_for_long(
    shared: LocalYard, tmp_path: Path
) -> None:
    file = tmp_path / "model.txt"
    file.write_text("weights")
    shared.commit("team/m", file)
    start = settled(shared.house)
    _undo(shared)
    shared.label("team/m", add={"later": "yes"})
    begun = time.monotonic()
    while not list(events(shared.house, after=start)):
        assert time.monotonic() - begun < 5
        time.sleep(0.05)
    shown = open_yard(shared.house.root)
    assert [event.kind for event in events(shown.house)] == ["version-committed", "label-changed"]
    shown.close()
