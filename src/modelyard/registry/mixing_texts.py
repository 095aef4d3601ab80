"""Files of a mixture that are small: made in memory, or texts that name other files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modelyard.formats import Inspection
    from modelyard.store.chunking import Segment
    from modelyard.store.codecs.workspace import Bytes

__all__ = ["Known", "renamed_index"]


class Known:
    """A small file whose content is known (`registry.blobs.Made`)."""

    def __init__(self, path: str, content: Bytes, inspection: Inspection) -> None:
        self.path = path
        self.size = len(content)
        self.inspection = inspection
        self._content = content

    def runs(self, segments: Iterable[Segment]) -> Iterator[list[Segment]]:
        return ([segment] for segment in segments)

    def fill(self, start: int, out: Bytes) -> None:
        out[:] = self._content[start : start + len(out)]


def renamed_index(content: bytes, path: str, renamed: Mapping[str, str]) -> bytes | None:
    """An index with new names of files; None if it names none that changed."""
    folder = path.rpartition("/")[0]
    names = {
        old.rpartition("/")[2]: new.rpartition("/")[2]
        for old, new in renamed.items()
        if old.rpartition("/")[0] == folder
    }
    try:
        index = json.loads(content)
        files = index["weight_map"]
        if not any(name in names for name in files.values()):
            return None
        index["weight_map"] = {key: names.get(name, name) for key, name in files.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return (json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode()
