"""Encoded ranges of remote versions, kept on this machine: least used first to go.

A file for each range; processes share them without locks, because a file is renamed into its place
whole, and whoever finds one gone fetches the range again. Its first 32 bytes are the BLAKE3 of the
rest, checked at every use; the chunks in it are checked again when they are decoded.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import blake3

from modelyard.core.folders import cache_home
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["RangeCache"]

_DEFAULT = 10_000_000_000
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*([kMGT]?)B?\Z")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SWEEP_SHARE = 16
"""A sweep comes after so much of the limit was written."""


class RangeCache:
    """Ranges by name, up to so many bytes."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._written = limit  # the first put looks how much is there already

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> RangeCache | None:
        """In `$XDG_CACHE_HOME/modelyard/ranges`; `$YARD_CACHE_SIZE` of 0 means none."""
        limit = size_of(environment.get("YARD_CACHE_SIZE") or str(_DEFAULT))
        folder = cache_home(environment) / "modelyard" / "ranges"
        return cls(folder, limit) if limit else None

    def get(self, name: str, start: int, end: int) -> bytes | None:
        """The range, if it is there and as it was."""
        place = self._place(name, start, end)
        try:
            content = place.read_bytes()
        except OSError:
            return None
        body = content[32:]
        if len(body) != end - start or blake3.blake3(body).digest() != content[:32]:
            with suppress(OSError):
                place.unlink()
            return None
        with suppress(OSError):
            os.utime(place)
        return body

    def put(self, name: str, start: int, end: int, content: bytes) -> None:
        """Keep a range. A full or read-only disk is no reason to fail."""
        if len(content) > self._limit // 4:
            return
        place = self._place(name, start, end)
        part = place.with_name(f".{secrets.token_hex(8)}.part")
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with part.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(blake3.blake3(content).digest())
                file.write(content)
            os.replace(part, place)
        except OSError:
            with suppress(OSError):
                part.unlink()
            return
        self._written += len(content)
        if self._written > self._limit // _SWEEP_SHARE:
            self._written = 0
            self._sweep()

    def _place(self, name: str, start: int, end: int) -> Path:
        key = blake3.blake3(f"{name} {start} {end}".encode()).hexdigest(16)
        return self._folder / key[:2] / key

    def _sweep(self) -> None:
        """Delete the least used until all fits again."""
        found: list[tuple[float, int, str]] = []
        total = 0
        for folder, _, names in os.walk(self._folder):
            for each in names:
                with suppress(OSError):
                    place = os.path.join(folder, each)
                    status = os.stat(place)
                    found.append((status.st_mtime, status.st_size, place))
                    total += status.st_size
        for _, size, place in sorted(found):
            if total <= self._limit:
                return
            with suppress(OSError):
                os.unlink(place)
            total -= size


def size_of(text: str) -> int:
    """`10GB`, `500 MB`, `0`. InvalidInput: `bad-size`."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise InvalidInput("bad-size", f"{text[:40]!r} is no size", hint="such as 10GB; 0 for none")
    return int(float(match[1]) * _UNITS[match[2]])
