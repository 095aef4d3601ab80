"""What was sent already, kept on the disk, so that an interrupted commit goes on where it was."""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import blake3
import msgspec

from modelyard.core.decoding import decode_packed
from modelyard.core.folders import cache_home
from modelyard.core.transferring import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Upload", "uploads_folder"]

_SECONDS = 20 * 3600.0
"""A server forgets a session a day after its last part; we do so a little before."""
_LARGEST = 256 << 20


def uploads_folder(environment: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/modelyard/uploads`."""
    return cache_home(environment) / "modelyard" / "uploads"


class Upload:
    """One session: its name, and the receipts for what it sent. Safe for many threads."""

    def __init__(self, place: Path, session: str, receipts: list[Receipt]) -> None:
        self.session = session
        self._place = place
        self._receipts = receipts
        self._by_name: dict[bytes, Receipt] = {}
        self._lock = threading.Lock()
        for receipt in receipts:
            self._note(receipt)

    @classmethod
    def of(cls, folder: Path, *words: str) -> Upload:
        """The one that was begun for the same thing before, or a new one."""
        name = blake3.blake3("\0".join(words).encode()).hexdigest(16)
        place = folder / name
        _forget_old(folder)
        session, receipts = _read(place)
        return cls(place, session or uuid.uuid4().hex, receipts)

    @property
    def receipts(self) -> list[Receipt]:
        with self._lock:
            return list(self._receipts)

    def receipts_for(self, names: Iterable[bytes]) -> list[Receipt]:
        """Those that are about any of these chunks."""
        with self._lock:
            found = {id(r): r for name in names if (r := self._by_name.get(name)) is not None}
        return list(found.values())

    def add(self, receipt: Receipt) -> None:
        """Keep it, here and on the disk; a disk that is full only costs the next run time."""
        with self._lock:
            is_first = not self._receipts
            self._receipts.append(receipt)
            self._note(receipt)
            with suppress(OSError):
                if is_first:
                    self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if is_first else 0)
                descriptor = os.open(self._place, flags, 0o600)
                try:
                    if is_first:
                        os.write(descriptor, _framed(self.session.encode()))
                    os.write(descriptor, _framed(msgspec.msgpack.encode(receipt)))
                finally:
                    os.close(descriptor)

    def done(self) -> None:
        with suppress(OSError):
            self._place.unlink()

    def _note(self, receipt: Receipt) -> None:
        for at in range(0, len(receipt.names), 32):
            self._by_name[receipt.names[at : at + 32]] = receipt


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


def _read(place: Path) -> tuple[str | None, list[Receipt]]:
    """What a run before wrote, up to where it was interrupted."""
    try:
        if place.stat().st_size > _LARGEST:
            return None, []
        content = place.read_bytes()
    except OSError:
        return None, []
    parts, at = [], 0
    while at + 4 <= len(content):
        end = at + 4 + int.from_bytes(content[at : at + 4], "little")
        if end > len(content):
            break
        parts.append(content[at + 4 : end])
        at = end
    with suppress(OSError):
        os.truncate(place, at)  # what comes now is to follow the last whole part
    try:
        session = uuid.UUID(hex=parts[0].decode("ascii")).hex
        return session, [decode_packed(part, Receipt) for part in parts[1:]]
    except (IndexError, ValueError, msgspec.MsgspecError):
        return None, []


def _forget_old(folder: Path) -> None:
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            with suppress(OSError):
                if time.time() - entry.stat().st_mtime > _SECONDS:
                    os.unlink(entry.path)
