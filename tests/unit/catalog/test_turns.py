"""Write transactions that wait for one another, on SQLite: done together, each with its own end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from modelyard.catalog.engine import Catalog
from modelyard.catalog.migrate import migrate
from modelyard.catalog.queries import audit, facts
from modelyard.catalog.urls import sqlite_url
from modelyard.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Work = "Callable[[sa.Connection], Any]"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(sqlite_url(tmp_path / "c.db"))
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def commits(catalog: Catalog) -> list[str]:
    """A line for every COMMIT."""
    seen: list[str] = []
    sa.event.listen(catalog.engine, "commit", lambda _: seen.append("commit"))
    return seen


def behind_one_another(catalog: Catalog, works: list[Work], mode: str = "write") -> list[Any]:
    """What becomes of works that all wait behind a first one: results, or errors."""
    begun, go = threading.Event(), threading.Event()

    def first(_: sa.Connection) -> None:
        begun.set()
        go.wait()

    ends: list[Any] = [None] * len(works)

    def run(number: int, work: Work) -> None:
        try:
            ends[number] = getattr(catalog, mode)(work)
        except Exception as error:
            ends[number] = error

    threads = [threading.Thread(target=catalog.write, args=(first,))]
    threads[0].start()
    begun.wait()
    for number, work in enumerate(works):
        threads.append(threading.Thread(target=run, args=(number, work)))
        threads[-1].start()
        while len(catalog._turns._waiting) <= number:
            pass
    go.set()
    for thread in threads:
        thread.join(30)
    return ends


def put(name: str, then: Callable[[sa.Connection], Any] = lambda _: None) -> Work:
    def work(connection: sa.Connection) -> Any:
        facts.put(connection, name, "here")
        return then(connection) or name

    return work


def fails(_: sa.Connection) -> None:
    raise Conflict("no", "no")


def there(catalog: Catalog, *names: str) -> list[str]:
    with catalog.fresh() as connection:
        return [name for name in names if facts.get(connection, name)]


def test_works_that_wait_go_together(catalog: Catalog, commits: list[str]) -> None:
    commits.clear()
    assert behind_one_another(catalog, [put("a"), put("b"), put("c")]) == ["a", "b", "c"]
    assert there(catalog, "a", "b", "c") == ["a", "b", "c"]
    assert len(commits) <= 3  # the first, all others, the look


def test_one_that_fails_fails_alone(catalog: Catalog) -> None:
    ends = behind_one_another(catalog, [put("a"), put("b", fails), put("c")])
    assert (ends[0], ends[2]) == ("a", "c")
    assert isinstance(ends[1], Conflict)
    assert there(catalog, "a", "b", "c") == ["a", "c"]


def test_an_error_of_the_database_is_told_to_the_one_who_made_it(catalog: Catalog) -> None:
    def bad(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (1)"))

    ends = behind_one_another(catalog, [put("a"), put("b", bad), put("c")])
    assert (ends[0], ends[2]) == ("a", "c")
    assert isinstance(ends[1], sa.exc.OperationalError)
    assert there(catalog, "a", "b", "c") == ["a", "c"]


def test_what_is_to_be_durable_first_is_so_before_any_of_them_is_seen(catalog: Catalog) -> None:
    seen: list[list[str]] = []

    def durable(connection: sa.Connection) -> None:
        catalog.before_commit(connection, lambda: seen.append(there(catalog, "a", "b")))

    assert behind_one_another(catalog, [put("a", durable), put("b", durable)]) == ["a", "b"]
    assert seen == [[], []]
    assert there(catalog, "a", "b") == ["a", "b"]


def test_what_can_not_be_made_durable_is_undone_and_the_others_are_not(catalog: Catalog) -> None:
    def broken() -> None:
        raise Unavailable("store-io", "the disk broke")

    def rely(connection: sa.Connection) -> None:
        catalog.before_commit(connection, broken)

    ends = behind_one_another(catalog, [put("a"), put("b", rely), put("c")])
    assert (ends[0], ends[2]) == ("a", "c")
    assert isinstance(ends[1], Unavailable)
    assert there(catalog, "a", "b", "c") == ["a", "c"]


def test_what_one_that_failed_wanted_durable_is_left(catalog: Catalog) -> None:
    asked: list[str] = []

    def rely(connection: sa.Connection) -> None:
        catalog.before_commit(connection, lambda: asked.append("x"))
        fails(connection)

    behind_one_another(catalog, [put("a"), put("b", rely)])
    assert asked == []


@pytest.mark.parametrize("late", [False, True])
def test_numbers_of_what_was_undone_are_not_used_again(catalog: Catalog, late: bool) -> None:
    """An entry with this number may be in a pack: rebuild must not take it for another one."""
    given: list[int] = []

    def broken() -> None:
        raise Unavailable("store-io", "the disk broke")

    def noted(connection: sa.Connection) -> int:
        given.append(audit.add(connection, audit.AuditRow(1, "x", 1, "ann")))
        return given[-1]

    def undone(connection: sa.Connection) -> None:
        noted(connection)
        if not late:
            fails(connection)
        catalog.before_commit(connection, broken)

    ends = behind_one_another(catalog, [undone, noted, noted])
    assert [ends[1], ends[2]] == given[-2:]
    assert min(given[3 if late else 1 :]) > max(given[: 3 if late else 1])


def test_an_exclusive_one_goes_alone_and_in_order(catalog: Catalog) -> None:
    ends = behind_one_another(catalog, [put("a"), put("b")], "write_alone")
    assert ends == ["a", "b"]


def test_an_interrupted_thread_leaves_the_others_their_turn(catalog: Catalog) -> None:
    hit: list[str] = []

    def interrupted(connection: sa.Connection) -> None:
        if not hit:
            hit.append("x")
            raise KeyboardInterrupt

    begun = [put("a"), put("b", interrupted), put("c")]

    def quietly(args: Any) -> None:
        assert args.exc_type is KeyboardInterrupt

    before, threading.excepthook = threading.excepthook, quietly
    try:
        ends = behind_one_another(catalog, begun)
    finally:
        threading.excepthook = before
    assert ends[1:] == ["b", "c"]  # the thread that led, the first one's, is gone
    assert there(catalog, "b", "c") == ["b", "c"]
    assert catalog.write(put("d")) == "d"
