"""Whole models and single versions between yards, as files."""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from modelyard.core.transfer import Copied
from modelyard.core.version import Committed
from modelyard.registry.access import known_name
from modelyard.registry.bundles import bundle, read_bundle
from modelyard.registry.transfer.archive import Archive
from modelyard.server.api.bodies import LARGEST, received
from modelyard.server.api.inputs import ModelName, RevisionQuery
from modelyard.server.auth import again
from modelyard.server.ranges import BYTES, send_file
from modelyard.server.routing import Routes, on_model, on_yard
from modelyard.server.state import Ask

__all__ = ["routes"]

routes = Routes("transfer")

_TAR = "application/x-tar"
_BYTES = "application/octet-stream"

ModelQuery = Annotated[str | None, Query(min_length=1, max_length=200, examples=["vision/resnet"])]


def _body(kind: str) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}}},
        }
    }


@routes.get(
    "/models/{model}/bundle", needs=on_model("reader"), responses=BYTES, seconds=math.inf
)  # fmt: skip
def download_bundle(ask: Ask, model: ModelName, *, revision: RevisionQuery = None) -> Response:
    """A model with all its versions, refs, labels and reports, as a yard of its own in one file.

    With `revision`, only that version and its ancestors. The file is a backup
    (docs/spec/backup-1.md): another server takes it, and `yard restore` makes a yard of it.
    """
    room = Path(tempfile.mkdtemp(prefix="yard-bundle-"))
    try:
        file = bundle(ask.house, model, revision, room)
        return send_file(ask.request, file, name=f"{model.replace('/', '-')}.yard", room=room)
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        raise


@routes.post(
    "/bundles", needs=on_yard("none"), answers=Copied, largest_body=LARGEST, seconds=math.inf,
    extra=_body(_BYTES),
)  # fmt: skip
def upload_bundle(ask: Ask, *, model: ModelQuery = None, dry_run: bool = False) -> Copied:
    """Copy the models of a bundle into this yard; takes the role writer for each.

    Numbers that are taken become the next ones; refs and labels that differ stay as they are here,
    and are told as conflicts.

    Args:
        model: Only this one.
    """
    with received(ask, _BYTES) as file:
        ask = again(ask)
        done = read_bundle(
            ask.house, file, model, dry_run=dry_run,
            check=lambda name: known_name(ask.house, ask.caller, name, "writer"),
        )  # fmt: skip
    return replace(done, source="bundle", target=ask.base)


@routes.post(
    "/imports", needs=on_yard("none"), answers=Committed, status=201, largest_body=LARGEST,
    seconds=math.inf, extra=_body(_TAR),
)  # fmt: skip
def import_version(ask: Ask, *, model: ModelQuery = None) -> Committed:
    """Commit what an export holds, checked, and once only; takes the role writer.

    Args:
        model: Its name; as in the file if none is given.
    """
    with received(ask, _TAR) as file:
        ask = again(ask)
        if model is None:
            with file.open("rb") as opened:
                model = Archive(opened, file).told().model
        name = known_name(ask.house, ask.caller, model, "writer")
        return ask.yard.import_version(file, model=name)
