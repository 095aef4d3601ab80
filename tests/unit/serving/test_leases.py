"""Applications of a shared cluster end when the last server that used them does."""

from __future__ import annotations

from modelyard.serving.engines.ray.leases import SECONDS, Book


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_last_who_needs_it_stops_it() -> None:
    book = Book()
    book.hold("a", ["one"])
    book.hold("b", ["one"])
    assert not book.release("a", "one")
    assert book.release("b", "one")


def test_who_wants_what_is_being_stopped_waits_until_it_is_gone() -> None:
    book = Book()
    book.hold("a", ["one"])
    assert book.release("a", "one")
    assert book.hold("b", ["one", "two"]) == ["one"]
    book.stopped("one")
    assert book.hold("b", ["one", "two"]) == []


def test_what_a_silent_server_used_is_stopped_once() -> None:
    clock = Clock()
    book = Book(clock)
    book.hold("a", ["one"])
    assert book.left() == []
    clock.now += SECONDS + 1
    assert book.left() == ["one"]
    assert book.left() == [], "somebody is at it"


def test_a_silent_server_keeps_nobody_from_stopping_it() -> None:
    clock = Clock()
    book = Book(clock)
    book.hold("dead", ["one"])
    clock.now += SECONDS + 1
    book.hold("a", ["one"])
    assert book.left() == []
    assert book.release("a", "one")


def test_who_said_to_stop_it_and_died_blocks_nobody_for_long() -> None:
    clock = Clock()
    book = Book(clock)
    book.hold("a", ["one"])
    assert book.release("a", "one")
    clock.now += SECONDS + 1
    assert book.hold("b", ["one"]) == []
