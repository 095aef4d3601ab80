"""A file that is to be committed, wherever its bytes come from."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Protocol

from modelyard.core.merge import SYMLINK
from modelyard.errors import Denied, Unavailable
from modelyard.registry.blobs import place_of, store_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.catalog.queries.blobs import BlobRow, PlaceRow
    from modelyard.core.tensor import TensorInfo
    from modelyard.registry.blobs import NewBlob, ParentFiles
    from modelyard.registry.collect import LocalFile
    from modelyard.registry.house import House
    from modelyard.store.ingest import Ingest

__all__ = ["Given", "OnDisk"]


class Given(Protocol):
    """A file of a commit."""

    @property
    def path(self) -> str:
        """Inside the version, with slashes."""

    @property
    def mode(self) -> int:
        """As git knows it."""

    @property
    def size(self) -> int: ...

    @property
    def place(self) -> PlaceRow | None:
        """By what it is known if it comes again; None if it can't be."""

    @property
    def is_settled(self) -> bool:
        """Whether a later change is sure to change its place's answers."""

    def content(self) -> bytes | None:
        """All of a small file; the target of a symlink. None if it is known to be no text."""

    def store(
        self,
        house: House,
        ingest: Ingest,
        parent: ParentFiles,
        *,
        external: Sequence[TensorInfo],
        scan: bool,
    ) -> BlobRow | NewBlob:
        """Put its bytes into the store, or find that they are there."""


class OnDisk:
    """A file of this machine."""

    def __init__(self, file: LocalFile) -> None:
        self._file = file
        self.path = file.path
        self.mode = file.mode
        self.size = file.status.st_size

    @property
    def place(self) -> PlaceRow:
        return place_of(self._file)

    @property
    def is_settled(self) -> bool:
        """Clocks of file systems tick in milliseconds, some in seconds.

        A file that was written just now could be written again within the same tick.
        """
        changed = self._file.status.st_mtime_ns
        tick = 2_000_000_000 if changed % 1_000_000_000 == 0 else 100_000_000
        return time.time_ns() - changed > tick

    def content(self) -> bytes:
        place = self._file.place
        if self.mode == SYMLINK:
            return os.fsencode(os.readlink(place))
        try:
            with open(place, "rb") as opened:
                return opened.read()
        except PermissionError:
            raise Denied("no-permission", f"{place} can't be read") from None
        except OSError as error:
            raise Unavailable("source-io", f"{place}: {error.strerror}") from error

    def store(
        self,
        house: House,
        ingest: Ingest,
        parent: ParentFiles,
        *,
        external: Sequence[TensorInfo],
        scan: bool,
    ) -> BlobRow | NewBlob:
        return store_file(house, ingest, self._file, parent, external=external, scan=scan)
