"""From names to rows, and from rows to the values that people see."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelyard.catalog.queries import labels, models, refs, versions
from modelyard.catalog.queries.readable import readable
from modelyard.core.names import (
    MAIN,
    ByCommit,
    ByName,
    ByNumber,
    Latest,
    ModelName,
    RefName,
    Revision,
    parse_revision,
)
from modelyard.core.version import RefInfo, VersionInfo
from modelyard.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.access import Caller

__all__ = [
    "find_any_version",
    "find_model",
    "find_version",
    "moment",
    "ref_info",
    "refs_of",
    "version_infos",
]


def moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def find_model(connection: sa.Connection, name: str, caller: Caller | None = None) -> ModelRow:
    """The living model of this name, or one that was renamed from it.

    Args:
        caller: Who asks: the hint names one that is like it, of those that they may read.
    """
    row = models.by_name(connection, ModelName.parse(name).text)
    if row is not None:
        return row
    if models.deleted_by_name(connection, name) is not None:
        raise NotFound("model-deleted", f"{name} was deleted", hint=f"yard restore {name}")
    near: list[str] = []
    if caller is not None:
        known = models.listed(connection, deleted=False, where=readable(caller), limit=_NEAR)
        near = difflib.get_close_matches(name, [row.name for row in known], 1)
    hint = f"did you mean {near[0]}? (yard list shows all)" if near else "yard list shows all"
    raise NotFound("no-model", f"no model named {name}", hint=hint)


_NEAR = 2000
"""Names that are compared with one that is not there: more take too long."""


def find_version(
    connection: sa.Connection, model: ModelRow, revision: str | int | None
) -> VersionRow:
    """The living version that a revision means."""
    row = find_any_version(connection, model, revision)
    if row.deleted:
        raise NotFound(
            "version-deleted", f"{model.name}@{row.number} was deleted",
            hint=f"yard restore {model.name}@{row.number}",
        )  # fmt: skip
    return row


_SHORTEST_PREFIX = 7


def find_any_version(
    connection: sa.Connection, model: ModelRow, revision: str | int | None
) -> VersionRow:
    """Also a deleted one, by its number or commit."""
    if revision is None:
        parsed: Revision = ByName(RefName(MAIN))
        if refs.get(connection, model.id, MAIN) is None:
            parsed = Latest()
    else:
        parsed = parse_revision(revision)
    row = _row(connection, model, parsed)
    if row is None:
        raise _not_found(connection, model, parsed)
    return row


def _row(connection: sa.Connection, model: ModelRow, revision: Revision) -> VersionRow | None:
    match revision:
        case ByNumber(number):
            row = versions.by_number(connection, model.id, number)
            if row is None and len(str(number)) >= _SHORTEST_PREFIX:
                return _row(connection, model, ByCommit(str(number)))
            return row
        case Latest():
            return versions.latest(connection, model.id)
        case ByName(name):
            ref = refs.get(connection, model.id, name.text)
            return None if ref is None else versions.by_number(connection, model.id, ref.number)
        case ByCommit(prefix):
            found = versions.by_prefix(connection, model.id, prefix)
            if len(found) > 1:
                raise InvalidInput(
                    "ambiguous-revision", f"{prefix} begins more than one commit of {model.name}",
                    hint="give more digits",
                )  # fmt: skip
            return found[0] if found else None


def _not_found(connection: sa.Connection, model: ModelRow, revision: Revision) -> NotFound:
    if isinstance(revision, Latest):
        return NotFound("no-version", f"{model.name} has no versions", hint="yard commit makes one")
    names = [row.name for row in refs.of_models(connection, [model.id])]
    near = difflib.get_close_matches(str(revision), names, 1)
    hint = f"did you mean {model.name}@{near[0]}?" if near else f"yard log {model.name} shows all"
    return NotFound("no-version", f"{model.name} has no version {revision}", hint=hint)


def version_infos(connection: sa.Connection, rows: Sequence[VersionRow]) -> list[VersionInfo]:
    """What lists and logs show, with refs, metrics and labels fetched at once."""
    model_ids = {row.model_id for row in rows}
    names = models.names_of(connection, model_ids)
    metrics = versions.metrics_of(connection, [row.id for row in rows])
    label_map = labels.of_models(connection, model_ids, {row.number for row in rows})
    pointing: dict[tuple[int, int], list[str]] = {}
    for ref in refs.of_models(connection, model_ids):
        pointing.setdefault((ref.model_id, ref.number), []).append(ref.name)
    return [
        VersionInfo(
            model=names.get(row.model_id, "?"),
            number=row.number,
            commit=row.commit_id.hex(),
            parents=row.parent_numbers,
            branch=row.branch,
            author=row.author,
            time=moment(row.created),
            message=row.message,
            refs=tuple(pointing.get((row.model_id, row.number), ())),
            size=row.size,
            new_bytes=row.new_bytes,
            files=row.files,
            formats=tuple(row.formats.split()),
            framework=row.framework or None,
            metrics=metrics.get(row.id, {}),
            labels=label_map.get((row.model_id, row.number), {}),
            deleted=moment(row.deleted) if row.deleted else None,
        )
        for row in rows
    ]


def ref_info(
    connection: sa.Connection, model: ModelRow, found: Iterable[refs.RefRow]
) -> tuple[RefInfo, ...]:
    """Refs with the commits they point at."""
    infos = []
    for ref in found:
        row = versions.by_number(connection, model.id, ref.number)
        commit = row.commit_id.hex() if row else ""
        infos.append(RefInfo(ref.name, ref.kind, ref.number, commit))
    return tuple(infos)


def refs_of(connection: sa.Connection, ids: Iterable[int]) -> dict[int, tuple[RefInfo, ...]]:
    """All refs of these models by name, by the model's id."""
    found: dict[int, list[RefInfo]] = {}
    for ref, commit in refs.commits_of(connection, ids):
        info = RefInfo(ref.name, ref.kind, ref.number, commit)
        found.setdefault(ref.model_id, []).append(info)
    return {key: tuple(infos) for key, infos in found.items()}
