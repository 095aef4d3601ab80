"""One version in a tar file that anybody can read: docs/spec/export-1.md."""

from __future__ import annotations

import base64
import json
import tarfile
from typing import TYPE_CHECKING, Any

import msgspec

from modelyard.catalog.queries import labels, transfer, versions
from modelyard.core.merge import EXECUTABLE, SYMLINK, Entry
from modelyard.core.transfer import Exported
from modelyard.core.zstd import decompressed
from modelyard.registry.blobs import open_blob
from modelyard.registry.files import contents
from modelyard.registry.lookup import moment
from modelyard.registry.transfer.backup import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.files import Contents
    from modelyard.registry.house import House
    from modelyard.registry.transfer.backup import TarWriter

__all__ = ["FILES", "TOLD", "export"]

TOLD, FILES = "modelyard-export.json", "files/"
_PIECE = 16 << 20
_LARGEST = 16 << 20


def export(house: House, model: str, revision: str | int | None, file: Path) -> Exported:
    """Write a version's files and what is known of it; the same bytes whenever it is the same."""
    found = contents(house, model, revision)
    told = json.dumps(_told(house, found), ensure_ascii=False, sort_keys=True, indent=1)
    time = found.version.created // 1_000_000
    with writing(file, mode=0o644) as out:
        out.member(TOLD, told.encode() + b"\n", mtime=time)
        for path, entry in sorted(found.all_files.items()):
            _write(house, found, out, path, entry, time)
        out.close_tar()
    return Exported(
        model=found.model.name, number=found.version.number,
        commit=found.version.commit_id.hex(), file=str(file), files=len(found.all_files),
        bytes=file.stat().st_size,
    )  # fmt: skip


def _write(
    house: House, found: Contents, out: TarWriter, path: str, entry: Entry, time: int
) -> None:
    name = FILES + path
    if entry.mode == SYMLINK:
        target = (entry.inline or b"").decode("utf-8", "surrogateescape")
        out.begin(name, 0, mtime=time, mode=0o777, kind=tarfile.SYMTYPE, link=target)
        out.end()
        return
    mode = 0o755 if entry.mode == EXECUTABLE else 0o644
    out.begin(name, entry.size, mtime=time, mode=mode)
    if entry.inline is not None:
        out.write(entry.inline)
    else:
        blob = open_blob(house, found.blob(entry))
        for start in range(0, entry.size, _PIECE):
            out.write(blob.read(start, start + _PIECE).data)
    out.end()


def _told(house: House, found: Contents) -> dict[str, Any]:
    model, version = found.model, found.version
    with house.catalog.read() as connection:
        parents = [
            row.commit_id.hex()
            for number in version.parent_numbers
            if (row := versions.by_number(connection, model.id, number)) is not None
        ]
        marks = labels.of_model(connection, model.id, version.number)
        metrics = versions.metrics_of(connection, [version.id]).get(version.id, {})
        reports = list(_reports(connection, model.id, version.number))
    return {
        "format": 1, "model": model.name, "kind": model.kind, "number": version.number,
        "commit": version.commit_id.hex(), "parents": parents, "branch": version.branch,
        "author": version.author, "message": version.message,
        "time": moment(version.created).isoformat(), "labels": marks, "metrics": metrics,
        "reports": reports,
        "files": [
            {"path": path, "mode": f"{entry.mode:o}", "size": entry.size,
             "sha256": entry.digest.hex}
            for path, entry in sorted(found.all_files.items())
        ],
    }  # fmt: skip


def _reports(connection: Any, model: int, number: int) -> Iterator[dict[str, Any]]:
    for key, report in transfer.report_keys(connection, model).items():
        if report.number != number:
            continue
        data, content, outcomes = transfer.row_of_report(connection, key)
        plain = decompressed(content, _LARGEST)
        yield {
            "kind": report.kind, "data": data, "digest": report.digest, "suite": report.suite,
            "created": report.created, "who": report.who,
            "content": msgspec.json.decode(plain),
            "outcomes": None if outcomes is None else base64.b64encode(outcomes).decode(),
        }  # fmt: skip
