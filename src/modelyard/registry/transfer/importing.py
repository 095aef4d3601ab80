"""A version from a tar file: every byte is checked before anything is committed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
import zstandard

from modelyard.catalog.queries import models, transfer, versions
from modelyard.catalog.schema import audit
from modelyard.core.names import ModelName
from modelyard.core.version import Committed
from modelyard.errors import Denied, NotFound, Unavailable
from modelyard.registry.commit import Request, checked_labels, commit
from modelyard.registry.journal import Journal, in_journal
from modelyard.registry.reports import put_report
from modelyard.registry.transfer.archive import Archive, ReportTold, Told

if TYPE_CHECKING:
    from modelyard.catalog.queries.versions import VersionRow
    from modelyard.core.manifest import Manifest
    from modelyard.registry.house import House

__all__ = ["import_version"]


def import_version(house: House, file: Path, name: str | None) -> Committed:
    """Commit what an export holds, once. InvalidInput: `bad-export`, and then nothing was done."""
    try:
        with file.open("rb") as opened, tempfile.TemporaryDirectory(prefix="yard-") as room:
            archive = Archive(opened, file)
            told = archive.told()
            model = ModelName.parse(name or told.model).text
            there = _there(house, model, told.commit)
            if there is not None:
                return there
            manifest = archive.unpack(told, Path(room))
            return _commit(house, model, told, manifest, Path(room))
    except FileNotFoundError:
        raise NotFound("no-file", f"there is no file {file}") from None
    except PermissionError:
        raise Denied("no-permission", f"{file} can't be read") from None
    except OSError as error:
        raise Unavailable("source-io", f"{file}: {error.strerror}") from error


def _there(house: House, name: str, commit_id: str) -> Committed | None:
    """The version that this export was made from, or became."""
    with house.catalog.read() as connection:
        model = models.by_name(connection, name)
        if model is None:
            return None
        known = transfer.commits_of(connection, model.id)
        number = known.get(bytes.fromhex(commit_id), (None, 0))[0]
        if number is None:
            number = _imported(connection, model.id, commit_id)
        row = None if number is None else versions.by_number(connection, model.id, number)
    return None if row is None or row.deleted else _told_again(model.name, row)


def _imported(connection: sa.Connection, model: int, commit_id: str) -> int | None:
    statement = sa.select(audit.c.detail).where(
        audit.c.model_id == model, audit.c.action == "import"
    )
    for detail in connection.execute(statement.order_by(audit.c.id.desc())).scalars():
        told = json.loads(detail or "{}")
        if told.get("commit") == commit_id:
            return int(told["number"])
    return None


def _told_again(model: str, row: VersionRow) -> Committed:
    return Committed(
        model=model, number=row.number, commit=row.commit_id.hex(), branch=row.branch,
        size=row.size, new_bytes=0, files=row.files, seconds=0.0, created=False,
    )  # fmt: skip


def _commit(house: House, model: str, told: Told, manifest: Manifest, room: Path) -> Committed:
    request = Request(
        model=ModelName.parse(model), source=room, message=told.message, branch=told.branch,
        manifest=manifest, labels=checked_labels(told.labels), author=told.author, kind=told.kind,
    )  # fmt: skip
    done = commit(house, request, lambda _progress: None)

    def work(journal: Journal) -> list[tuple[int, dict[str, Any]]]:
        row = journal.model(done.model)
        journal.write(
            "import", who=house.author, model=row.id, name=row.name,
            detail={"number": done.number, "commit": told.commit},
        )  # fmt: skip
        version = versions.by_number(journal.connection, row.id, done.number)
        for report in told.reports if done.created else ():
            if version is None:
                break
            detail = _detail(report, done.number)
            journal.write("report", who=house.author, model=row.id, name=row.name, detail=detail)
            put_report(
                journal.connection, journal.seq, version.id, journal.now, house.author, detail
            )
        return []

    in_journal(house, work)
    return done


def _detail(report: ReportTold, number: int) -> dict[str, Any]:
    packed = zstandard.ZstdCompressor(level=3).compress(msgspec.json.encode(report.content))
    return {
        "number": number, "kind": report.kind[:16], "data": report.data[:400],
        "digest": report.digest[:64], "suite": report.suite[:40], "content": packed,
        "outcomes": report.outcomes, "created": report.created, "by": report.who[:200],
    }  # fmt: skip
