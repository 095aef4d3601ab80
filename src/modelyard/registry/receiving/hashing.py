"""SHA-256 of files while their parts arrive, if these come in order; else they are read again."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import blake3

from modelyard.core.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.core.transferring import Frame

__all__ = ["Hashing"]

_PATIENCE = 2.0
"""Seconds that a part waits for the ones before it."""


class Hashing:
    """The files of one session.

    Everything here comes from bytes that were seen, under names that were checked: what a client
    says of files only decides whether a digest is known when it is asked for.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next = 0
        self._is_taking = False
        self._given_up = False
        self._digest = hashlib.sha256()
        self._names: list[bytes] = []
        self._found: dict[bytes, Digest] = {}

    def add(self, part: int, frames: Sequence[Frame]) -> None:
        """Take the frames of a part, whose names were checked, when it is its turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over(part) or self._is_turn(part), _PATIENCE)
            if self._is_over(part) or not self._is_turn(part):
                self._given_up = part >= self._next
                self._changed.notify_all()
                return
            self._is_taking = True
        try:
            for frame in frames:  # nobody else's turn, and no lock held for so long
                self._take(frame)
        finally:
            with self._changed:
                self._is_taking = False
                self._next += 1
                self._changed.notify_all()

    def of(self, chunks: Sequence[bytes]) -> Digest | None:
        """The digest of a file of these chunks, if it came whole and in order."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taking, _PATIENCE)
            if not self._is_taking:
                self._finish()
            return self._found.get(_name_of(chunks))

    def _is_over(self, part: int) -> bool:
        return self._given_up or part < self._next

    def _is_turn(self, part: int) -> bool:
        return part == self._next and not self._is_taking

    def _take(self, frame: Frame) -> None:
        if frame.is_first:
            self._finish()
        self._digest.update(frame.content)
        self._names.append(frame.name)

    def _finish(self) -> None:
        if self._names:
            self._found[_name_of(self._names)] = Digest(self._digest.digest())
        self._digest = hashlib.sha256()
        self._names = []


def _name_of(chunks: Sequence[bytes]) -> bytes:
    return blake3.blake3(b"".join(chunks)).digest()
