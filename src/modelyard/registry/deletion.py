"""Deleting, restoring and renaming. A deleted version leaves its number; bytes go with gc."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import audit, models, refs, reports, versions
from modelyard.catalog.queries.search_documents import index_model
from modelyard.core.names import ModelName
from modelyard.errors import Conflict, InvalidInput, NotFound
from modelyard.registry.access.guards import check_in, check_leaving, rule_for
from modelyard.registry.deployments.keeping import check_not_deployed
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.lookup import find_any_version, find_version, version_infos
from modelyard.registry.refs import move_ref
from modelyard.registry.views import info_of

if TYPE_CHECKING:
    from modelyard.catalog.queries.models import ModelRow
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.version import ModelInfo, VersionInfo
    from modelyard.registry.house import House

__all__ = ["delete_model", "delete_version", "rename", "restore"]


def delete_version(
    house: House, model: str, revision: str | int | None, *, purge: bool
) -> VersionInfo:
    """Leave a tombstone. A branch that ends here goes back to the nearest version that lives."""

    def work(journal: Journal) -> VersionInfo:
        connection = journal.connection
        row = journal.model(model)
        version = (find_any_version if purge else find_version)(connection, row, revision)
        pointing = [
            ref for ref in refs.of_models(connection, [row.id]) if ref.number == version.number
        ]
        protecting = [ref for ref in pointing if ref.kind != "branch"]
        if protecting:
            names = ", ".join(f"{ref.kind} {ref.name}" for ref in protecting)
            raise Conflict(
                "protected", f"{row.name}@{version.number} is kept by {names}",
                hint="move or delete the ref first",
            )  # fmt: skip
        check_not_deployed(connection, row, version.number)
        for ref in pointing:
            if rule_for(connection, row.name, ref.name) is not None:
                raise Conflict(
                    "protected", f"{row.name}@{version.number} is kept by the guarded {ref.name}",
                    hint="yard guard list; commit the reverted content, or remove the guard",
                )  # fmt: skip
            back = _living_ancestor(journal, row, version)
            check_in(connection, house.caller, row.name, ref.name, back)
            move_ref(house, journal, row, ref.name, "branch", ref.number, back, "delete")
        deleted = version.deleted or journal.now
        versions.update(
            connection, version.id, deleted=deleted, purged=purge or bool(version.purged)
        )
        if purge:
            reports.drop(connection, version.id)
        journal.write(
            "purge" if purge else "delete", who=house.author, model=row.id, name=row.name,
            detail={"number": version.number},
        )  # fmt: skip
        return version_infos(connection, [version._replace(deleted=deleted)])[0]

    info: VersionInfo = in_journal(house, work)
    return info


def _living_ancestor(journal: Journal, model: ModelRow, version: VersionRow) -> int | None:
    current: VersionRow | None = version
    while current is not None:
        first = current.parent_numbers[:1]
        current = versions.by_number(journal.connection, model.id, first[0]) if first else None
        if current is not None and not current.deleted:
            return current.number
    return None


def delete_model(house: House, model: str) -> ModelInfo:
    """The whole model with its versions and refs; the name is free at once."""

    def work(journal: Journal) -> ModelInfo:
        row = journal.model(model)
        check_leaving(journal.connection, house.caller, row)
        check_not_deployed(journal.connection, row)
        info = info_of(journal.connection, row._replace(deleted=journal.now))
        models.update(journal.connection, row.id, deleted=journal.now)
        journal.write(
            "delete-model", who=house.author, model=row.id, name=row.name,
            detail={"time": journal.now},
        )  # fmt: skip
        return info

    info: ModelInfo = in_journal(house, work)
    return info


def restore(house: House, model: str, revision: str | int | None) -> ModelInfo:
    """Undo a deletion, as long as gc did not take the bytes."""

    def work(journal: Journal) -> ModelInfo:
        if revision is None:
            return _restore_model(house, journal, model)
        row = journal.model(model)
        version = find_any_version(journal.connection, row, revision)
        if not version.deleted:
            raise Conflict("not-deleted", f"{row.name}@{version.number} is not deleted")
        if version.purged:
            raise NotFound(
                "purged", f"the bytes of {row.name}@{version.number} are gone",
                hint="commit the files again",
            )  # fmt: skip
        versions.update(journal.connection, version.id, deleted=0)
        journal.write(
            "restore", who=house.author, model=row.id, name=row.name,
            detail={"number": version.number},
        )  # fmt: skip
        _bring_branch_back(house, journal, row, version)
        return info_of(journal.connection, row)

    info: ModelInfo = in_journal(house, work)
    return info


def _bring_branch_back(
    house: House, journal: Journal, model: ModelRow, version: VersionRow
) -> None:
    """Branches end at the restored version again, if nothing was committed since."""
    connection = journal.connection
    back = _living_ancestor(journal, model, version)
    ref = refs.get(connection, model.id, version.branch)
    names = [version.branch] if ref is None and back is None else []
    names += [
        each.name
        for each in refs.of_models(connection, [model.id])
        if each.kind == "branch" and each.number == back
        and (each.name == version.branch or _was_sent_back(journal, model, each.name, version))
    ]  # fmt: skip
    for name in names:
        check_in(connection, house.caller, model.name, name, version.number)
        move_ref(house, journal, model, name, "branch", back, version.number, "restore")


def _was_sent_back(journal: Journal, model: ModelRow, branch: str, version: VersionRow) -> bool:
    """Whether a branch is where it is because this version was deleted."""
    last = audit.moves_page(journal.connection, model.id, branch, before=None, limit=1)
    return bool(last) and (last[0][1].action, last[0][1].old) == ("delete", version.number)


def _restore_model(house: House, journal: Journal, name: str) -> ModelInfo:
    parsed = ModelName.parse(name)
    row = models.deleted_by_name(journal.connection, parsed.text)
    if row is not None:
        row = journal.hold(row.id)
    if row is None or not row.deleted:
        raise NotFound("no-model", f"no deleted model named {name}", hint="yard list --deleted")
    if models.has_name(journal.connection, parsed.text):
        raise Conflict(
            "model-exists", f"there is a new model named {name}",
            hint=f"yard rename {name} OTHER, then restore",
        )  # fmt: skip
    models.drop_redirect(journal.connection, parsed.text)
    models.update(journal.connection, row.id, deleted=0)
    journal.write("restore-model", who=house.author, model=row.id, name=row.name, detail={})
    found = models.by_id(journal.connection, row.id)
    if found is None:
        raise AssertionError("a restored model is gone")
    return info_of(journal.connection, found)


def rename(house: House, model: str, new_name: str) -> ModelInfo:
    """Give a model another name; the old one leads to it until it is used again."""
    parsed = ModelName.parse(new_name)

    def work(journal: Journal) -> ModelInfo:
        connection = journal.connection
        row = journal.model(model)
        if row.name == parsed.text:
            raise InvalidInput("same-name", f"{row.name} has this name already")
        check_leaving(connection, house.caller, row, parsed.text)
        if models.has_name(connection, parsed.text):
            raise Conflict("model-exists", f"there is a model named {parsed} already")
        models.drop_redirect(connection, parsed.text)
        models.update(connection, row.id, name=parsed.text, updated=journal.now)
        models.redirect_to(connection, row.name, row.id)
        index_model(connection, row.id, parsed.text, row.description)
        journal.write(
            "rename", who=house.author, model=row.id, name=row.name,
            detail={"to": parsed.text, "from": row.name},
        )  # fmt: skip
        renamed = models.by_id(connection, row.id)
        if renamed is None:
            raise AssertionError("a renamed model is gone")
        return info_of(connection, renamed)

    info: ModelInfo = in_journal(house, work)
    return info
