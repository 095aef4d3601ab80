"""Answers that are kept for requests that may be sent again, on their way to the catalog.

They are written together, a moment after they were sent: nobody waits for it. Until then this
process knows them. A crash in that moment leaves a request whose outcome is told from its effect.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from modelyard.catalog.queries import repeats
from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from modelyard.catalog.queries.repeats import RepeatRow
    from modelyard.registry.house import House

__all__ = ["Answers"]

_Name = tuple[int, str, int]
_MOMENT = 0.02
_log = logging.getLogger("modelyard.server")


class Answers:
    """The answers of one process that are not in the catalog yet."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._waiting: dict[_Name, RepeatRow] = {}
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Write from now on."""
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left."""
        self._stopping.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()
        self._write()

    def keep(self, row: RepeatRow) -> None:
        """An answer that is sent now."""
        with self._lock:
            self._waiting[_name(row)] = row
        self._some.set()

    def find(self, row: RepeatRow) -> RepeatRow | None:
        """What was answered to this one, if it is not in the catalog yet."""
        return self._waiting.get(_name(row))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._some.wait()
            self._some.clear()
            self._stopping.wait(_MOMENT)
            self._write()

    def _write(self) -> None:
        with self._lock:
            rows = list(self._waiting.values())
        if not rows:
            return
        try:
            self._house.catalog.write_soft(lambda connection: repeats.answer(connection, rows))
        except ModelyardError as error:
            _log.warning("answers were not kept: %s", error)
        with self._lock:  # found until they are found in the catalog
            for row in rows:
                self._waiting.pop(_name(row), None)


def _name(row: RepeatRow) -> _Name:
    return row.account_id, row.key, row.created
