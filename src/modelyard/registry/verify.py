"""Verify: read every pack, walk every version, say exactly what is lost, and mend what can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import blobs, chunks, garbage, models, refs, versions
from modelyard.core.chunks import Kind
from modelyard.core.stats import Damage, VerifyReport
from modelyard.core.version import Progress
from modelyard.errors import ModelyardError
from modelyard.history.trees import read_tree
from modelyard.registry.access.chain import chain_head, check_chain, seal
from modelyard.registry.blame import blame, missing_chunks
from modelyard.registry.objects import ModelObjects
from modelyard.registry.packs import Checked, check_pack
from modelyard.registry.rebuild import rebuild as rebuild_catalog
from modelyard.registry.repair import repair
from modelyard.registry.sealed import check_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.registry.house import House

__all__ = ["verify"]

_STATES = ("open", "live", "condemned")


def verify(
    house: House,
    *,
    rebuild: bool,
    report: Callable[[Progress], None],
    source: House | None = None,
) -> VerifyReport:
    """Read everything; with `rebuild`, first make the catalog again from the store.

    Args:
        source: A yard to take the content of damaged and missing chunks from.

    Raises:
        Denied: `no-master-key`, `wrong-key`: without its key an encrypted yard can't be judged.
    """
    if rebuild:
        rebuild_catalog(house, report)
    with house.catalog.read() as connection:
        check_key(connection, house.vault)
    found = _check_packs(house, report)
    missing = missing_chunks(house)
    repaired: tuple[str, ...] = ()
    if source is not None and (missing or any(pack.bad or pack.problems for pack in found)):
        repaired = repair(house, source, found, missing)
        found, missing = _check_packs(house, report), missing_chunks(house)
    damage = blame(house, found, missing) + _check_log(house)
    version_count = 0
    for model in _models(house):
        problems, checked = _check_model(house, model)
        damage += problems
        version_count += checked
    with house.catalog.read() as connection:
        blob_count = garbage.counts(connection, Kind.CONTENT)["blobs"]
    return VerifyReport(
        versions=version_count, blobs=blob_count, chunks=sum(pack.count for pack in found),
        bytes=sum(pack.size for pack in found), damage=tuple(damage), rebuilt=rebuild,
        repaired=repaired,
    )  # fmt: skip


def _models(house: House) -> list[ModelRow]:
    with house.catalog.read() as connection:
        return [*models.listed(connection, deleted=False), *models.listed(connection, deleted=True)]


def _check_log(house: House) -> list[Damage]:
    """Lines of the audit log that are not what was sealed; new ones are sealed for the next time.

    Of a yard that never was a server's, nothing is sealed.
    """
    if chain_head(house) is None:
        return []
    damage = check_chain(house)
    seal(house)
    return damage


def _check_packs(house: House, report: Callable[[Progress], None]) -> list[Checked]:
    with house.catalog.read() as connection:
        uses = [use for use in garbage.pack_uses(connection) if use.state in _STATES]
        total = garbage.decoded_bytes(connection)
    uses = [use for use in uses if use.live or use.state != "condemned"]
    found: list[Checked] = []
    done = 0
    for checked in house.pool.map(lambda use: check_pack(house, use), uses):
        found.append(checked)
        done += checked.size
        report(Progress("verify", done, total))
    return found


def _check_model(house: House, model: ModelRow) -> tuple[list[Damage], int]:
    """Trees, blobs and refs of one model."""
    with house.catalog.read() as connection:
        rows = versions.all_of(connection, model.id)
        pointing = refs.of_models(connection, [model.id])
    known = {row.number for row in rows}
    damage = [
        Damage(what="ref", name=f"{model.name}@{ref.name}", versions=(),
               reason=f"it points at version {ref.number}, which is not there")
        for ref in pointing
        if ref.number not in known
    ]  # fmt: skip
    for row in rows:
        reason = _version_problem(house, model, row)
        if reason is not None:
            title = f"{model.name}@{row.number}"
            damage.append(Damage(what="version", name=title, versions=(title,), reason=reason))
    return damage, sum(not row.deleted for row in rows)


def _version_problem(house: House, model: ModelRow, row: VersionRow) -> str | None:
    objects = ModelObjects(house, model.id)
    try:
        kind, _ = objects.get(row.commit_id)
        if kind != 1:
            return "its commit is no commit"
        tree = read_tree(row.tree_id, objects)
    except ModelyardError as error:
        return error.message
    if row.purged:
        return None
    wanted = {entry.digest.raw for entry in tree.values() if entry.inline is None}
    with house.catalog.read() as connection:
        found = blobs.by_digest(connection, wanted)
        content = chunks.by_id(connection, [blob.content_id for blob in found.values()])
    if len(found) < len(wanted) or len(content) < len({b.content_id for b in found.values()}):
        return f"{len(wanted) - len(found) or 1} of its files are not in the store"
    return None
