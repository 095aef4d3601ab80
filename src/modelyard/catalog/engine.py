"""Opening the catalog and running transactions (docs/decisions/0011-catalog-concurrency.md)."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa

from modelyard.catalog.databases import Lost, Retry, database_of
from modelyard.catalog.queries import audit
from modelyard.catalog.turns import Turn, Turns
from modelyard.catalog.urls import parse_url
from modelyard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelyard.catalog.databases import Mode

__all__ = ["Catalog"]

T = TypeVar("T")

_ATTEMPTS = 8
_PATIENCE = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between questions whether a transaction landed: a database restarts in this time."""
_LATER = "yard_before_commit"
_AT_ONCE = 8
"""Files that are made durable side by side."""


class Catalog:
    """The SQL database of rows. Many threads, processes and machines may use it at once."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._database = database_of(engine.url)
        self._active = threading.local()
        # SQLite has one writer and lets others poll: those of this process wait here, in order
        self._turns = Turns(self._in_turn) if engine.dialect.name == "sqlite" else None
        self._pool: ThreadPoolExecutor | None = None
        self._floor = 0
        """Journal numbers below were given to transactions that were undone in a group."""
        self._reached = False

    @classmethod
    def open(cls, url: str) -> Self:
        """Get ready to connect; no table is read or made yet (see `catalog.migrate`).

        Args:
            url: `sqlite:///PATH`, `postgresql://USER@HOST/DATABASE`, `mysql://USER@HOST/DATABASE`;
                passwords come from the environment or the database's own files.

        Raises:
            InvalidInput: `bad-catalog-url`, `secret-in-url`.
            Unsupported: `no-extra`: the driver is not installed.
        """
        parsed = parse_url(url)
        return cls(database_of(parsed).engine(parsed))

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view. Inside another `read` or a `write` of this thread it is the same."""
        outer = getattr(self._active, "connection", None)
        if outer is not None:
            yield outer
            return
        with self.fresh() as connection, self._as_active(connection):
            yield connection

    @contextmanager
    def fresh(self) -> Iterator[sa.Connection]:
        """The newest state, whatever view this thread has now."""
        with self._translated(), self._begun("read") as connection:
            yield connection

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in one transaction, beside others; again if it was undone by a race.

        Each statement sees what was committed before it. Who reads rows to change them locks them
        first (`models.lock`). `work` must have no effect outside the connection that can't be
        repeated, and, if it journals nothing, none within it: it is run again when the
        connection broke at COMMIT and nobody can tell whether that took effect.

        Raises:
            Unavailable: `catalog-busy`, `catalog-connection`, and `commit-unknown` if the
                database went away for good while it committed.
        """
        return self._patiently(work, "write")

    def write_soft(self, work: Callable[[sa.Connection], T]) -> T:
        """`write` that does not wait for the disk: it is durable when the next `write` is.

        A crash of this process loses nothing; one of the machine may take back the last of these.
        """
        return self._patiently(work, "soft")

    def write_alone(self, work: Callable[[sa.Connection], T]) -> T:
        """`write`, while no other write transaction of any process is in flight."""
        return self._patiently(work, "alone")

    @contextmanager
    def preceded(self, first: Callable[[sa.Connection], None]) -> Iterator[None]:
        """What this thread writes next begins with `first`, in the same transaction.

        If either raises, nothing of both happened. If nothing is written, nothing is.
        """
        self._active.first = first
        try:
            yield
        finally:
            self._active.first = None

    def outlast(self) -> bool:
        """Whether all write transactions that began before this call are over by its end.

        It waits for them shortly, and holds up new ones meanwhile: once in a while is fine.
        """
        try:
            self._in_order(lambda _: None, "outlast")
        except Retry:
            return False
        return True

    def migrate(self, work: Callable[[sa.Connection], T]) -> T:
        """`write` for statements that make tables: where these can't be undone they go on."""
        return self._patiently(work, "migrate")

    def before_commit(self, connection: sa.Connection, call: Callable[[], None]) -> None:
        """Do something that a transaction of `write` relies on before it takes effect.

        SQLite writes nothing before COMMIT that anybody else sees, so it is done last there,
        together with what other transactions wait for. Else it is done now, before locks are taken
        that others race for. If it fails, nothing of the transaction happened.
        """
        if self._turns is None:
            call()
        else:
            connection.info.setdefault(_LATER, []).append(call)

    def now(self, connection: sa.Connection) -> int:
        """Microseconds since 1970 by the database's clock; the local one for SQLite."""
        return self._database.now(connection)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self.engine.dispose()

    # -- transactions ----------------------------------------------------------------------------

    def _patiently(self, work: Callable[[sa.Connection], T], mode: Mode) -> T:
        first = getattr(self._active, "first", None)
        if first is not None:
            self._active.first = None
            work = _after(first, work)
        for attempt in range(_ATTEMPTS):
            try:
                return self._in_order(work, mode)
            except (Retry, Lost) as error:
                if attempt == _ATTEMPTS - 1 or (isinstance(error, Lost) and not self._reached):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)
        raise AssertionError

    def _in_order(self, work: Callable[[sa.Connection], T], mode: Mode) -> T:
        if self._turns is None:
            return self._once(work, mode)
        result: T = self._turns.take(Turn(work, mode))
        return result

    def _once(self, work: Callable[[sa.Connection], T], mode: Mode) -> T:
        lines: list[audit.Line] | None = None
        result: T
        try:
            with self._translated(), self._begun(mode) as connection, self._as_active(connection):
                audit.watch(connection, self._floor)
                connection.info[_LATER] = []
                result = work(connection)
                lines = audit.watched(connection)
                for call in connection.info.pop(_LATER):
                    call()
        except Lost:
            if lines and self._landed(lines[-1]):
                return result
            raise
        return result

    # -- several in one --------------------------------------------------------------------------

    def _in_turn(self, group: Sequence[Turn]) -> None:
        """Do what waits: in one transaction if all goes well, else each in its own."""
        if len(group) > 1:
            try:
                self._together(group)
                return
            except Exception:  # each of them is told by itself what is wrong
                pass
        for turn in group:
            turn.end(lambda turn=turn: self._once(turn.work, turn.mode))  # type: ignore[misc]

    def _together(self, group: Sequence[Turn]) -> None:
        mode: Mode = "write" if any(turn.mode == "write" for turn in group) else "soft"
        ends: list[tuple[Turn, Callable[[], Any]]] = []
        calls: list[Callable[[], None]] = []
        lines: list[audit.Line] = []
        try:
            self._work(group, mode, lines, ends, calls)
        except BaseException:
            self._avoid(lines)
            raise
        for turn, end in ends:
            turn.end(end)

    def _work(
        self,
        group: Sequence[Turn],
        mode: Mode,
        lines: list[audit.Line],
        ends: list[tuple[Turn, Callable[[], Any]]],
        calls: list[Callable[[], None]],
    ) -> None:
        """All of one group; what it wrote and how each ended, when it is over."""
        with self._translated(), self._begun(mode) as connection, self._as_active(connection):
            for turn in group:
                written = audit.watch(connection, self._floor)
                connection.info[_LATER] = []
                _tell(connection, "SAVEPOINT turn")
                try:
                    result = turn.work(connection)
                except sa.exc.SQLAlchemyError:  # nobody knows what is left of the transaction
                    raise
                except Exception as error:
                    _tell(connection, "ROLLBACK TO turn")
                    _tell(connection, "RELEASE turn")
                    self._avoid(written)
                    ends.append((turn, _raises(error)))
                else:
                    _tell(connection, "RELEASE turn")
                    ends.append((turn, _gives(result)))
                    calls += connection.info[_LATER]
                finally:
                    lines += written
            audit.watched(connection)
            connection.info.pop(_LATER)
            self._all(calls)

    def _avoid(self, lines: Sequence[audit.Line]) -> None:
        """Never use the numbers of these again: their entries may be in packs of their own.

        So rebuild can tell them from those that took effect, as it does on the servers.
        """
        self._floor = max([self._floor, *(number + 1 for number, _ in lines)])

    def _all(self, calls: Sequence[Callable[[], None]]) -> None:
        """Call all, side by side, and wait for all; raises what the first raised that did."""
        if len(calls) < 2:
            for call in calls:
                call()
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, "durable")
        begun = [self._pool.submit(call) for call in calls]
        errors = [error for each in begun if (error := each.exception()) is not None]
        if errors:
            raise errors[0]

    def _landed(self, line: audit.Line) -> bool:
        """Whether a transaction took effect whose COMMIT got no answer."""
        for wait in _PATIENCE:
            time.sleep(wait)
            try:
                with self._translated(), self.engine.connect() as connection:
                    return audit.is_there(connection, line)
            except (Retry, Lost):
                continue
            except Unavailable as error:
                if error.kind != "catalog-unreachable":
                    raise
        raise Unavailable(
            "commit-unknown", "the database went away while it wrote, and did not come back",
            hint="what was to be written may be there: look before you try again",
        )  # fmt: skip

    @contextmanager
    def _begun(self, mode: Mode) -> Iterator[sa.Connection]:
        with self.engine.connect() as connection:
            self._reached = True
            with connection.begin():
                self._database.begin(connection, mode)
                yield connection

    @contextmanager
    def _as_active(self, connection: sa.Connection) -> Iterator[None]:
        outer = getattr(self._active, "connection", None)
        self._active.connection = connection
        try:
            yield
        finally:
            self._active.connection = outer

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Database errors as ours, so that nobody above needs to know the driver."""
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            failure = self._database.failure(error, self.engine.url)
            if failure is None:
                raise
            raise failure from None


def _tell(connection: sa.Connection, words: str) -> None:
    """Straight to SQLite: a savepoint of SQLAlchemy's takes ten times as long, for every turn."""
    connection.connection.driver_connection.execute(words)  # type: ignore[union-attr]


def _after(
    first: Callable[[sa.Connection], None], work: Callable[[sa.Connection], T]
) -> Callable[[sa.Connection], T]:
    def both(connection: sa.Connection) -> T:
        first(connection)
        return work(connection)

    return both


def _gives(result: Any) -> Callable[[], Any]:
    return lambda: result


def _raises(error: Exception) -> Callable[[], Any]:
    def call() -> Any:
        raise error

    return call
