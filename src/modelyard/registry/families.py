"""Around a version: what it came from, and what came of it, over all models that one may read.

Steps are gone one at a time, and each costs a few statements however many versions stand there.
What the caller may not read is left out as if it were not there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.catalog.queries import edges, models, versions
from modelyard.catalog.queries.readable import readable, sees_all
from modelyard.core.family import Family, Link, Member
from modelyard.errors import InvalidInput
from modelyard.registry.lookup import find_model, find_version, version_infos

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.version import VersionInfo
    from modelyard.registry.house import House

__all__ = ["LONGEST", "family"]

LONGEST = 12
"""Steps in one direction."""


def family(
    house: House, model: str, revision: str | int | None, *, back: int, ahead: int, most: int = 60
) -> Family:
    """The family of a version.

    Args:
        back: Steps to what it came from.
        ahead: Steps to what came of it.
        most: Members, at about which no further step is gone.

    Raises:
        InvalidInput: `bad-steps`.
    """
    if not (0 <= back <= LONGEST and 0 <= ahead <= LONGEST):
        raise InvalidInput("bad-steps", f"0 to {LONGEST} steps are gone in one direction")
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        walk = _Walk(house, connection, most)
        middle = walk.begin(row, find_version(connection, row, revision))
        walk.go_back(middle, back)
        walk.go_ahead(middle, ahead)
        return walk.family(middle, back, ahead)


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a version came from."""

    kind: str
    at: tuple[int, int] | None
    """Model and number; None for what is kept elsewhere."""
    key: str = ""
    title: str = ""


@dataclass(slots=True)
class _Walk:
    """Members and links that were found so far."""

    house: House
    connection: sa.Connection
    most: int
    rows: dict[str, VersionRow] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    """Every member, in the order in which they were found."""
    links: dict[Link, None] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    datasets: set[int] = field(default_factory=set)
    known: dict[str, ModelRow | None] = field(default_factory=dict)
    cut: bool = False

    def begin(self, model: ModelRow, version: VersionRow) -> str:
        self._know(model)
        return self._add(version, 0)

    # -- what it came from -------------------------------------------------------------------------

    def go_back(self, middle: str, steps: int) -> None:
        front = [middle]
        for step in range(1, steps + 1):
            front = self._back(front, -step)
            if not front:
                return
        self.more |= set(self._sources_of(front))

    def _back(self, front: list[str], step: int) -> list[str]:
        found: list[str] = []
        told = self._sources_of(front)
        rows = self._rows_at({o.at for each in told.values() for o in each if o.at is not None})
        for key, each in told.items():
            for origin in each:
                if origin.at is not None:
                    source = self._put(rows.get(origin.at), step, found, key)
                else:
                    source = self._put_elsewhere(origin, step, found, key)
                if source is not None:
                    self.links[Link(source, key, origin.kind)] = None
        return found

    def _sources_of(self, keys: Iterable[str]) -> dict[str, list[_Origin]]:
        """Parents, and what manifests name."""
        rows = {self.rows[key].id: key for key in keys if key in self.rows}
        told: dict[str, list[_Origin]] = {}
        found = edges.sources(self.connection, rows)
        self._learn({edge.name for edge in found if edge.number})
        for edge in found:
            model = self.known.get(edge.name) if edge.number else None
            if model is not None:
                origin = _Origin(edge.kind, (model.id, edge.number))
            elif not edge.number or self._may_name(edge.name):
                known = edge.name if edge.name.startswith("sha256:") else edge.source
                origin = _Origin(edge.kind, None, known, edge.source)
            else:
                continue
            told.setdefault(rows[edge.version_id], []).append(origin)
        for key in rows.values():
            row = self.rows[key]
            named = {origin.at for origin in told.get(key, ())}
            parents = [(row.model_id, number) for number in row.parent_numbers]
            new = [_Origin("parent", at) for at in parents if at not in named]
            if new:
                told.setdefault(key, []).extend(new)
        return told

    # -- what came of it ---------------------------------------------------------------------------

    def go_ahead(self, middle: str, steps: int) -> None:
        front = [middle]
        for step in range(1, steps + 1):
            front = self._ahead(front, step)
            if not front:
                return
        self.more |= {source for source, _, _ in self._made_of(front, 1)}

    def _ahead(self, front: list[str], step: int) -> list[str]:
        found: list[str] = []
        told = self._made_of(front, self.most + 1)
        rows = self._rows_at({at for _, at, _ in told})
        for source, at, kind in told:
            key = self._put(rows.get(at), step, found, source)
            if key is not None and key != source:
                self.links[Link(source, key, kind)] = None
        return found

    def _made_of(self, keys: list[str], limit: int) -> list[tuple[str, tuple[int, int], str]]:
        """(source, model and number, kind) of what came of these, up to a number for each."""
        told: list[tuple[str, tuple[int, int], str]] = []
        by_model: dict[int, dict[int, str]] = {}
        for key in keys:
            if key in self.rows:
                row = self.rows[key]
                by_model.setdefault(row.model_id, {})[row.number] = key
        aliases = edges.names_of(self.connection, by_model)
        wanted = {
            (name, number): key
            for model_id, numbers in by_model.items()
            for name in aliases.get(model_id, ())
            for number, key in numbers.items()
        }
        wanted |= {(key, 0): key for key in keys if key.startswith("sha256:")}
        where = readable(self.house.caller)
        made = edges.made_of(self.connection, wanted, limit, where)
        for each in made:
            source = wanted[each.name, each.source_number]
            told.append((source, (each.model_id, each.number), each.kind))
        named = {(source, at) for source, at, _ in told}
        for model_id, numbers in by_model.items():
            found = edges.children(self.connection, model_id, numbers, self.most + 1)
            for number, parents in found:
                for parent in parents:
                    source = numbers.get(parent, "")
                    if source and (source, (model_id, number)) not in named:
                        told.append((source, (model_id, number), "parent"))
        return told

    # -- members -----------------------------------------------------------------------------------

    def _put(self, row: VersionRow | None, step: int, found: list[str], beside: str) -> str | None:
        """The key of a version that is a member now, or was one; None if there is no room."""
        if row is None or row.model_id not in self.names:
            return None
        key = f"{self.names[row.model_id]}@{row.number}"
        if key in self.steps:
            return key
        if len(self.steps) >= self.most:
            self.cut = True
            self.more.add(beside)
            return None
        found.append(key)
        return self._add(row, step)

    def _put_elsewhere(
        self, origin: _Origin, step: int, found: list[str], beside: str
    ) -> str | None:
        key = origin.key
        if key in self.steps:
            return key
        if len(self.steps) >= self.most:
            self.cut = True
            self.more.add(beside)
            return None
        self.steps[key], self.titles[key] = step, origin.title
        found.append(key)
        return key

    def _add(self, row: VersionRow, step: int) -> str:
        key = f"{self.names[row.model_id]}@{row.number}"
        self.rows[key], self.steps[key], self.titles[key] = row, step, key
        return key

    def _rows_at(self, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], VersionRow]:
        """Versions by model and number, of models that may be read."""
        unknown = {model_id for model_id, _ in wanted} - self.names.keys()
        for model_id in unknown:
            row = models.by_id(self.connection, model_id)
            if row is not None and not row.deleted and self._may_name(row.name):
                self._know(row)
        ids = edges.versions_at(self.connection, [at for at in wanted if at[0] in self.names])
        rows = versions.by_ids(self.connection, ids.values())
        return {at: rows[key] for at, key in ids.items()}

    def _learn(self, names: set[str]) -> None:
        """The models that some names mean to whoever asks."""
        for name in names - self.known.keys():
            row = models.by_name(self.connection, name)
            if row is not None and self._may_name(row.name):
                self._know(row)
                self.known[name] = row
            else:
                self.known[name] = None

    def _know(self, row: ModelRow) -> None:
        self.names[row.id] = row.name
        if row.kind == "dataset":
            self.datasets.add(row.id)

    def _may_name(self, name: str) -> bool:
        caller = self.house.caller
        return sees_all(caller) or caller.may(name, "reader")

    # -- in the end --------------------------------------------------------------------------------

    def family(self, middle: str, back: int, ahead: int) -> Family:
        told = version_infos(self.connection, list(self.rows.values()))
        infos = dict(zip(self.rows, told, strict=True))
        order = sorted(self.steps, key=lambda key: self.steps[key])
        members = tuple(self._member(key, infos.get(key)) for key in order)
        links = tuple(link for link in self.links if link.source in self.steps)
        return Family(
            middle=middle, members=members, links=links, back=back, ahead=ahead, cut=self.cut
        )

    def _member(self, key: str, info: VersionInfo | None) -> Member:
        row = self.rows.get(key)
        is_dataset = row is not None and row.model_id in self.datasets
        return Member(
            key=key, title=self.titles[key], version=info, steps=self.steps[key],
            kind="elsewhere" if row is None else "dataset" if is_dataset else "model",
            more=key in self.more,
        )  # fmt: skip
