"""What a child process writes to stderr: a file without a name, of which only the end is kept."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import weakref
from typing import Final

from modelyard.formats.reading import printable

__all__ = ["LARGEST", "Words", "trim_words"]

LARGEST: Final = 1 << 20
"""Bytes after which all but the end is thrown away."""
_END: Final = 4096

_open: set[weakref.ref[Words]] = set()


class Words:
    """Where a child's stderr goes."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - close() does
        descriptor = self._file.fileno()
        # the child writes behind what there is, wherever it stopped before
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
        _open.add(weakref.ref(self, _open.discard))

    def fileno(self) -> int:
        return self._file.fileno()

    def last(self) -> str:
        """The last line; none if it is closed."""
        try:
            lines = self._end().decode("utf-8", "replace").strip().splitlines()
        except ValueError:  # somebody closed it meanwhile
            return ""
        return printable(lines[-1]) if lines else ""

    def trim(self) -> None:
        """Throw away all but the end, if it has become large."""
        with contextlib.suppress(OSError, ValueError):
            if self._file.seek(0, os.SEEK_END) > LARGEST:
                end = self._end()
                self._file.truncate(0)
                self._file.write(end)

    def close(self) -> None:
        self._file.close()

    def _end(self) -> bytes:
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - _END))
        return self._file.read(_END) or b""


def trim_words() -> bool:
    """Look at those of all children; whether there are any."""
    for each in tuple(_open):
        if (words := each()) is not None:
            words.trim()
    return bool(_open)
