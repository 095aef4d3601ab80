"""Candidates looked at again: the text of a version and of its model, loaded as far as needed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from modelyard.catalog.queries.search_documents import label_text
from modelyard.catalog.schema import file, label, model, version
from modelyard.core.terms import caseless, contains

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Row = sa.Row[Any]

__all__ = ["ModelText", "Seen", "Sight", "fits_glob"]

_FILES_AT_ONCE = 4000
_MODELS = sa.select(model.c.id, model.c.name, model.c.description).where(
    model.c.id.in_(sa.bindparam("ids", expanding=True))
)
_MODEL_LABELS = sa.select(label.c.model_id, label.c.name, label.c.value).where(
    label.c.model_id.in_(sa.bindparam("ids", expanding=True)), label.c.number == 0
)
_VERSION_LABELS = (
    sa.select(version.c.id, label.c.name, label.c.value)
    .join_from(
        version,
        label,
        sa.and_(label.c.model_id == version.c.model_id, label.c.number == version.c.number),
    )
    .where(version.c.id.in_(sa.bindparam("ids", expanding=True)))
)
_PATHS = sa.select(file.c.version_id, file.c.path).where(
    file.c.version_id.in_(sa.bindparam("ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class ModelText:
    """What a model is found by."""

    name: str
    description: str
    labels: tuple[tuple[str, str], ...]

    def has(self, word: str) -> bool:
        texts = (self.name, self.description, *(label_text(*pair) for pair in self.labels))
        return any(contains(text, word) for text in texts)


class Sight:
    """Loads the text of models, once each, and of versions a batch at a time."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._models: dict[int, ModelText] = {}

    def models(self, ids: Iterable[int]) -> dict[int, ModelText]:
        """The texts of these models (and of others seen before)."""
        missing = [id for id in set(ids) if id not in self._models]
        if missing:
            labels: dict[int, list[tuple[str, str]]] = defaultdict(list)
            for id, name, value in self._connection.execute(_MODEL_LABELS, {"ids": missing}):
                labels[id].append((name, value))
            for id, name, about in self._connection.execute(_MODELS, {"ids": missing}):
                self._models[id] = ModelText(name, about, tuple(labels[id]))
        return self._models

    def versions(self, rows: Sequence[Row]) -> list[Seen]:
        batch = _Batch(self, rows)
        return [Seen(batch, at) for at in range(len(rows))]

    def labels(self, ids: list[int]) -> dict[int, list[tuple[str, str]]]:
        found: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for id, name, value in self._connection.execute(_VERSION_LABELS, {"ids": ids}):
            found[id].append((name, value))
        return found

    def paths(self, ids: list[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {id: [] for id in ids}
        for version_id, path in self._connection.execute(_PATHS, {"ids": ids}):
            found[version_id].append(path)
        return found


class _Batch:
    """Rows that share their look-ups."""

    def __init__(self, sight: Sight, rows: Sequence[Row]) -> None:
        self.sight = sight
        self.rows = rows
        self._labels: dict[int, list[tuple[str, str]]] | None = None
        self._paths: dict[int, list[str]] = {}
        self._models: dict[int, ModelText] | None = None

    def model(self, row: Row) -> ModelText:
        if self._models is None:
            self._models = self.sight.models(each.model_id for each in self.rows)
        return self._models[row.model_id]

    def labels(self, row: Row) -> list[tuple[str, str]]:
        if self._labels is None:
            self._labels = self.sight.labels([row.id for row in self.rows])
        return self._labels.get(row.id, [])

    def paths(self, at: int) -> list[str]:
        """Also loads those of the next rows, up to a number of files."""
        row = self.rows[at]
        if row.id not in self._paths:
            ids: list[int] = []
            files = 0
            for each in self.rows[at:]:
                files += each.files
                if ids and files > _FILES_AT_ONCE:
                    break
                ids.append(each.id)
            self._paths = self.sight.paths(ids)
        return self._paths[row.id]


class Seen:
    """One candidate."""

    __slots__ = ("_at", "_batch", "row")

    def __init__(self, batch: _Batch, at: int) -> None:
        self._batch = batch
        self._at = at
        self.row = batch.rows[at]

    @property
    def model(self) -> ModelText:
        return self._batch.model(self.row)

    def has(self, word: str) -> bool:
        """Whether a folded word occurs in any text of the version or its model."""
        row = self.row
        own = (row.message, row.author, row.framework, *row.formats.split())
        return (
            any(contains(text, word) for text in own)
            or self.model.has(word)
            or any(contains(label_text(*pair), word) for pair in self._batch.labels(row))
            or any(contains(path, word) for path in self._batch.paths(self._at))
        )

    def has_file(self, glob: str) -> bool:
        """Whether a caseless glob fits the path or the base name of a file."""
        for path in self._batch.paths(self._at):
            text = caseless(path)
            if fits_glob(text, glob) or fits_glob(text.rpartition("/")[2], glob):
                return True
        return False


def fits_glob(text: str, glob: str) -> bool:
    """`*` stands for any characters, `?` for one. Takes len(text) * len(glob) steps at most."""
    at = to = 0
    star = -1
    resume = 0
    while at < len(text):
        if to < len(glob) and glob[to] == "*":
            star, resume = to, at
            to += 1
        elif to < len(glob) and glob[to] in ("?", text[at]):
            at, to = at + 1, to + 1
        elif star >= 0:
            resume += 1
            at, to = resume, star + 1
        else:
            return False
    return all(char == "*" for char in glob[to:])
