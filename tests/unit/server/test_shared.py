"""Streams look together, and nobody has too many of them."""

from __future__ import annotations

import threading
import time

from modelyard.core.access import Account, Caller, Grant
from modelyard.errors import Unavailable
from modelyard.server.shared import Shared, sight_of
from modelyard.testing.yard import refused


def caller(number: int, *grants: Grant, **how) -> Caller:
    return Caller(account=Account(id=number, name=f"a{number}"), grants=grants, **how)


def test_an_account_has_twenty_streams_until_one_ends():
    shared = Shared()
    ann = caller(7)
    open_ones = [shared.slot(ann) for _ in range(20)]
    with refused(Unavailable, "too-many-streams"):
        shared.slot(ann)
    assert shared.slot(caller(8))
    open_ones.pop()
    assert shared.slot(ann)


def test_strangers_are_told_apart_by_their_address():
    shared = Shared()
    here, there = (Caller(account=None, address=each) for each in ("10.0.0.1", "10.0.0.2"))
    open_ones = [shared.slot(here) for _ in range(20)]
    with refused(Unavailable, "too-many-streams"):
        shared.slot(here)
    assert shared.slot(there)
    assert len(open_ones) == 20


def test_what_was_seen_holds_for_a_while():
    shared, seen = Shared(), iter(range(10))
    assert [shared.of("a", 60, lambda: next(seen)) for _ in range(3)] == [0, 0, 0]
    assert shared.of("b", 0, lambda: next(seen)) == 1


def test_what_takes_long_is_looked_at_less_often():
    shared, looks = Shared(), []

    def look():
        looks.append(time.sleep(0.05))

    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        shared.of("a", 0.0, look)
    assert len(looks) == 1


def test_while_somebody_looks_others_see_what_was_there_before():
    shared, begun, go_on = Shared(), threading.Event(), threading.Event()
    assert shared.of("a", 0, lambda: "old") == "old"
    time.sleep(0.01)

    def look():
        begun.set()
        go_on.wait(10)
        return "new"

    thread = threading.Thread(target=shared.of, args=("a", 60, look))
    thread.start()
    assert begun.wait(10)
    assert shared.of("a", 60, lambda: "other") == "old"
    go_on.set()
    thread.join()
    assert shared.of("a", 60, lambda: "other") == "new"


def test_a_look_that_fails_is_none():
    shared = Shared()
    with refused(Unavailable, "catalog-busy"):
        shared.of("a", 60, lambda: (_ for _ in ()).throw(Unavailable("catalog-busy", "away")))
    assert shared.of("a", 60, lambda: 1) == 1


def test_who_may_see_the_same_looks_together():
    reader, hidden = Grant("*", "reader"), Grant("own/*", "none")
    assert sight_of(caller(1, reader)) == sight_of(caller(2, reader, address="10.0.0.1"))
    others = [
        caller(1, reader, hidden),
        caller(1, reader, only=("a/*",)),
        caller(1, reader, ceiling="none"),
        Caller(account=None, grants=(reader,)),
    ]
    assert all(sight_of(other) != sight_of(caller(1, reader)) for other in others)
