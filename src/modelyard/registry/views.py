"""What people see: models, versions, histories."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelyard.catalog.queries import labels, models, versions
from modelyard.catalog.queries.readable import readable
from modelyard.core.lineage import LineageEdge, ancestors
from modelyard.core.merge import SYMLINK
from modelyard.core.version import FileInfo, Finding, ModelInfo, TensorEntry, VersionDetail
from modelyard.errors import InvalidInput, ModelyardError
from modelyard.formats import Inspection, inspect
from modelyard.formats.folder import SHARDS, between, shards_of
from modelyard.registry.card import CARD_PATH
from modelyard.registry.files import Contents, contents, open_file
from modelyard.registry.inspections import inspection_of
from modelyard.registry.lookup import find_model, find_version, moment, refs_of, version_infos
from modelyard.registry.publish import manifest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import sqlalchemy as sa

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.core.version import VersionInfo
    from modelyard.registry.house import House

__all__ = [
    "describe", "info_of", "inspection_at", "list_models", "log", "model_info", "model_infos",
    "resolve",
]  # fmt: skip

_PAGE = 500


def list_models(house: House, *, deleted: bool) -> Iterator[ModelInfo]:
    """Those that whoever asks may read, by name."""
    with house.catalog.read() as connection:
        rows = list(models.listed(connection, deleted=deleted, where=readable(house.caller)))
        infos = model_infos(connection, rows)
    yield from infos


def model_info(house: House, model: str) -> ModelInfo:
    with house.catalog.read() as connection:
        return info_of(connection, find_model(connection, model, house.caller))


def info_of(connection: sa.Connection, row: ModelRow) -> ModelInfo:
    return model_infos(connection, [row])[0]


def model_infos(connection: sa.Connection, rows: Sequence[ModelRow]) -> list[ModelInfo]:
    """What lists show, fetched for all of them at once."""
    ids = [row.id for row in rows]
    newest = models.newest(connection, ids)
    own_labels = labels.of_models(connection, ids, [0])
    pointing = refs_of(connection, ids)
    return [
        ModelInfo(
            name=row.name,
            kind="dataset" if row.kind == "dataset" else "model",
            description=row.description,
            created=moment(row.created),
            updated=moment(row.updated),
            versions=latest.versions if latest else 0,
            latest=latest.number if latest else None,
            size=latest.size if latest else 0,
            refs=pointing.get(row.id, ()),
            labels=own_labels.get((row.id, 0), {}),
            deleted=moment(row.deleted) if row.deleted else None,
        )
        for row in rows
        for latest in [newest.get(row.id)]
    ]


def resolve(house: House, model: str, revision: str | int | None) -> VersionInfo:
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        return version_infos(connection, [find_version(connection, row, revision)])[0]


def log(house: House, model: str, revision: str | int | None) -> Iterator[VersionInfo]:
    """Ancestors of a revision, or all versions: newest first, children before parents."""
    with house.catalog.read() as connection:
        row = find_model(connection, model, house.caller)
        rows = {version.number: version for version in versions.all_of(connection, row.id)}
        if revision is None:
            numbers = sorted(rows, reverse=True)
        else:
            start = find_version(connection, row, revision).number
            numbers = list(ancestors(start, lambda n: rows[n].parent_numbers))
    wanted = [rows[number] for number in numbers if not rows[number].deleted]
    for i in range(0, len(wanted), _PAGE):
        with house.catalog.read() as connection:
            page = version_infos(connection, wanted[i : i + _PAGE])
        yield from page


def describe(house: House, model: str, revision: str | int | None) -> VersionDetail:
    """Everything about a version, from headers that were read at commit."""
    found = contents(house, model, revision)
    with house.catalog.read() as connection:
        info = version_infos(connection, [found.version])[0]
    inspections = {path: inspection_at(house, found, path) for path in sorted(found.tree)}
    card = found.tree.get(CARD_PATH)
    manifest = manifest_of(found.all_files)
    signature = manifest.signature or next(
        (i.metadata["signature"] for i in inspections.values() if "signature" in i.metadata), None
    )
    return VersionDetail(
        version=info,
        files=tuple(
            FileInfo(path, e.size, e.digest.hex, inspections[path].format)
            for path, e in sorted(found.tree.items())
        ),
        tensors=tuple(
            TensorEntry.of(path, t) for path, i in inspections.items() for t in i.tensors
        ),
        params=manifest.params,
        metadata={path: i.metadata for path, i in inspections.items() if i.metadata},
        findings=_findings(house, found, inspections),
        signature=signature,
        card=(card.inline or b"").decode("utf-8", "replace") if card else "",
        saved=manifest.saved or {},
        environment=manifest.environment or {},
        code=_texts(manifest.code or {}),
        data=_texts(manifest.data or {}),
        lineage=_lineage(manifest.lineage),
    )


def inspection_at(house: House, found: Contents, path: str) -> Inspection:
    """What is known of a file of a version."""
    entry = found.tree[path]
    if entry.inline is None:
        return inspection_of(house, found.blob(entry))
    with open_file(house, found, path) as file:
        try:
            return inspect(file, path)
        except InvalidInput as error:  # committed by others, or before this check was made
            return Inspection("unknown", findings=(Finding(error.kind, "warning", str(error)),))


def _findings(
    house: House, found: Contents, inspections: Mapping[str, Inspection]
) -> tuple[Finding, ...]:
    """What each file tells of itself, and what they tell of each other."""
    each = [_placed(path, f) for path, i in inspections.items() for f in i.findings]
    named: dict[str, Sequence[str]] = {}
    for path, inspection in inspections.items():
        if path.endswith(SHARDS):
            with suppress(ModelyardError), open_file(house, found, path) as file:
                named[path] = shards_of(file)
        elif inspection.format == "onnx" and (external := inspection.metadata.get("external")):
            named[path] = [location for location, *_ in external.values()]
    links = [path for path, entry in found.tree.items() if entry.mode == SYMLINK]
    return tuple(dict.fromkeys([*each, *between(found.tree, links, named)]))


def _texts(told: Mapping[str, Any]) -> dict[str, str]:
    """Those values that are texts, as all are that we write."""
    return {name: text for name, text in told.items() if isinstance(text, str)}


def _lineage(edges: Iterable[Mapping[str, str]]) -> tuple[LineageEdge, ...]:
    """The edges that can be read: a manifest may have been written by other programs."""
    found = []
    for edge in edges:
        with suppress(InvalidInput):
            found.append(LineageEdge.parse(edge))
    return tuple(found)


def _placed(path: str, finding: Finding) -> Finding:
    """A blob may be stored under several paths; show the one that was asked for."""
    if finding.where.startswith(path):
        return finding
    return Finding(finding.kind, finding.severity, finding.message, path)
