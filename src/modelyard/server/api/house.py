"""The house: what it holds and takes, giving bytes back, reading everything, backups."""

from __future__ import annotations

import math
import re
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import Body as InBody
from starlette.responses import Response

from modelyard.core.stats import GcReport, VerifyReport, YardStats
from modelyard.core.transfer import BackedUp
from modelyard.errors import NotFound, Unsupported
from modelyard.server.api.inputs import Body
from modelyard.server.api.versions import LATER
from modelyard.server.ranges import BYTES, send_file
from modelyard.server.routing import SIGNED_IN, Answer, Routes, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("house")

_FOLDER = "downloads"
_NAME = re.compile(r"[0-9a-f]{32}\.yard\Z")
_KEPT_SECONDS = 3600.0


class Collecting(Body):
    """Whether to do it."""

    dry_run: bool = False


class Verifying(Body):
    """What is to be done beside reading."""

    rebuild: bool = False


@routes.get("/house/stats", needs=SIGNED_IN, answers=YardStats)
def show_stats(ask: Ask) -> YardStats:
    """Bytes of the yard and of each model.

    Of models that the caller may read; what all models share is 0 unless that is all of them.
    """
    return ask.yard.stats()


@routes.post("/house/gc", needs=on_yard("admin"), answers=GcReport, responses=LATER)
def collect_garbage(ask: Ask, body: Annotated[Collecting, InBody()]) -> Answer:
    """Give back the bytes that nothing needs; with `dry_run`, tell how many."""
    yard = ask.yard
    return ask.server.jobs.run(ask, "gc", [], lambda _: yard.gc(dry_run=body.dry_run))


@routes.post("/house/verify", needs=on_yard("admin"), answers=VerifyReport, responses=LATER)
def verify(ask: Ask, body: Annotated[Verifying, InBody()]) -> Answer:
    """Read everything, tell what is damaged. A catalog is rebuilt on the server's machine only."""
    if body.rebuild:
        raise Unsupported(
            "only-local", "a catalog is not rebuilt under a server that uses it",
            hint="stop the servers, then run yard verify --rebuild on the yard's machine",
        )  # fmt: skip
    yard = ask.yard
    return ask.server.jobs.run(ask, "verify", [], lambda report: yard.verify(progress=report))


@routes.post(
    "/house/backups", needs=on_yard("admin"), answers=BackedUp, status=201, responses=LATER
)
def back_up(ask: Ask) -> Answer:
    """Write the whole yard into a file, as of one moment; `file` is its name for the download.

    The file goes an hour later. It holds everything that the yard does, other than accounts' work
    in flight: keep it as secret as the yard.
    """
    folder = ask.house.root / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    _sweep(folder)
    name = f"{secrets.token_hex(16)}.yard"
    yard = ask.yard

    def work(report: Any) -> Answer:
        done = yard.backup(folder / name, progress=report)
        return Answer(replace(done, file=name), 201)

    return ask.server.jobs.run(ask, "backup", [], work)


@routes.get(
    "/house/backups/{name}", needs=on_yard("admin"), responses=BYTES, seconds=math.inf
)  # fmt: skip
def download_backup(ask: Ask, name: str) -> Response:
    """A backup that was made within the last hour by the server at this address."""
    file = ask.house.root / _FOLDER / name
    if _NAME.match(name) is None or not file.is_file():
        raise NotFound("no-backup", "there is no such backup", hint="they go after an hour")
    return send_file(ask.request, file, name=f"backup-{name}")


@routes.post("/house/dump", needs=on_yard("admin"), answers=BackedUp, status=201, responses=LATER)
def dump_catalog(ask: Ask) -> Answer:
    """Write the catalog's rows into the store."""
    yard = ask.yard
    return ask.server.jobs.run(ask, "dump", [], lambda _: Answer(yard.backup(None), 201))


def _sweep(folder: Path) -> None:
    """What is older than an hour goes."""
    for file in folder.iterdir():
        if time.time() - file.stat().st_mtime > _KEPT_SECONDS:
            file.unlink(missing_ok=True)
