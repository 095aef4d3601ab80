"""A version out of a form, as curl and browsers send it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import msgspec

from modelyard.core.decoding import decode_json
from modelyard.errors import InvalidInput
from modelyard.history.paths import check_path
from modelyard.server.api.bodies import received
from modelyard.server.multipart import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.server.multipart import Part
    from modelyard.server.state import Ask

__all__ = ["FORM", "Upload", "uploaded", "write_file"]

T = TypeVar("T")

_FIELDS = ("message", "branch", "parent", "kind", "metrics", "params", "labels", "scan")

FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array", "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "Each file's name is its path in the version.",
                        },
                        "message": {"type": "string"},
                        "branch": {"type": "string"},
                        "parent": {"type": "string"},
                        "kind": {"type": "string", "enum": ["model", "dataset"]},
                        "metrics": {"type": "string", "description": "JSON: numbers by name."},
                        "params": {"type": "string", "description": "JSON: values by name."},
                        "labels": {"type": "string", "description": "JSON: texts by name."},
                        "scan": {
                            "type": "string", "enum": ["true", "false"],
                            "description": "Nothing: what others may get is always scanned.",
                        },
                    },
                },
                "encoding": {"files": {"contentType": "application/octet-stream"}},
            }
        },
    }
}  # fmt: skip
"""For the OpenAPI document."""


@dataclass(slots=True)
class Upload:
    """What a form holds."""

    folder: Path
    """With all files."""
    message: str = ""
    branch: str | None = None
    parent: str | None = None
    kind: Literal["model", "dataset"] = "model"
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def uploaded(ask: Ask) -> Iterator[Upload]:
    """The form that a request brings. InvalidInput: `bad-form`, `bad-path`."""
    with received(ask, "multipart/form-data") as body:
        folder = body.with_name("files")
        folder.mkdir()
        content_type = ask.request.headers.get("content-type", "")
        with parts_of(body, content_type) as parts:
            fields = {part.name: part.text() for part in parts if part.filename is None}
            files = [part for part in parts if part.filename is not None]
            if unknown := (fields.keys() | {part.name for part in files}) - {*_FIELDS, "files"}:
                raise InvalidInput(
                    "bad-form", f"the form has the field {min(unknown)[:80]!r}",
                    hint=f"files, {', '.join(_FIELDS)}",
                )  # fmt: skip
            for part in files:
                write_file(folder, part.filename or "", part)
        body.unlink()
        yield _upload(folder, fields)


def _upload(folder: Path, fields: Mapping[str, str]) -> Upload:
    kind = fields.get("kind", "model")
    scan = fields.get("scan", "true")
    if kind not in ("model", "dataset"):
        raise InvalidInput("bad-form", "kind is model or dataset")
    if scan not in ("true", "false"):
        raise InvalidInput("bad-form", "scan is true or false")
    return Upload(
        folder, fields.get("message", ""), fields.get("branch") or None,
        fields.get("parent") or None, cast("Any", kind), _json(fields, "metrics", dict[str, float]),
        _json(fields, "params", dict[str, Any]), _json(fields, "labels", dict[str, str]),
    )  # fmt: skip


def _json(fields: Mapping[str, str], name: str, cls: type[T]) -> T:
    try:
        return decode_json(fields.get(name) or "{}", cls)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise InvalidInput("bad-form", f"{name} is no JSON object of the right sort: {error}",
                           hint='such as {"accuracy": 0.93}') from None  # fmt: skip


def write_file(folder: Path, path: str, part: Part) -> None:
    """Put a file of a form at its path. InvalidInput: `bad-path`."""
    check_path(path)
    place = folder / path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as out:
            for piece in part.pieces():
                out.write(piece)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InvalidInput("bad-path", f"two files of the form are called {path[:120]!r}") from None
