"""A version out of a page's form: files, a folder, and rows of names and values."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.names import parse_label
from modelyard.core.version import human_size
from modelyard.errors import InvalidInput
from modelyard.registry.collect import IGNORED
from modelyard.server.api.bodies import received
from modelyard.server.api.uploads import write_file
from modelyard.server.multipart import parts_of
from modelyard.server.web.acts import Form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.server.multipart import Part
    from modelyard.server.state import Ask

__all__ = ["LARGEST", "BrowserUpload", "browser_upload", "check_size"]

LARGEST = 5_000_000_000
"""Bytes of one form. A browser begins anew when its connection breaks; `yard commit` does not."""
_FILES, _FOLDER = "files", "folder"


@dataclass(frozen=True, slots=True)
class BrowserUpload:
    """What was filled in and sent."""

    folder: Path
    """With all files."""
    form: Form
    """The other fields."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def check_size(ask: Ask, model: str) -> None:
    """InvalidInput `too-large`, before anything is read."""
    told = ask.request.headers.get("content-length", "")
    size = int(told) if told.isascii() and told.isdigit() and len(told) < 20 else 0
    if size > LARGEST:
        raise InvalidInput(
            "too-large",
            f"these are {human_size(size)}, and a browser sends {human_size(LARGEST)} at most",
            hint=f"yard commit --yard {ask.base} {model} FOLDER sends any size, and only what"
            " is new",
        )  # fmt: skip


@contextmanager
def browser_upload(ask: Ask) -> Iterator[BrowserUpload]:
    """The form that a page sent. InvalidInput: `bad-form`, `bad-path`, `no-files`."""
    with received(ask, "multipart/form-data") as body:
        folder = body.with_name("files")
        folder.mkdir()
        fields: dict[str, list[str]] = {}
        count = 0
        with parts_of(body, ask.request.headers.get("content-type", "")) as parts:
            for part in parts:
                if part.filename is None:
                    fields.setdefault(part.name, []).append(part.text())
                elif part.filename:  # a field where nothing was chosen comes without a name
                    count += _written(folder, part)
        body.unlink()
        if not count:
            raise InvalidInput("no-files", "no file was chosen", hint="choose files or a folder")
        form = Form(fields)
        labels = dict(parse_label(f"{k}={v}" if v else k) for k, v in _rows(form, "label"))
        yield BrowserUpload(
            folder, form, {k: _number(k, v) for k, v in _rows(form, "metric")},
            {k: _scalar(v) for k, v in _rows(form, "param")}, labels,
        )  # fmt: skip


def _written(folder: Path, part: Part) -> int:
    path = part.filename or ""
    if part.name == _FOLDER:  # browsers put the chosen folder's own name in front
        path = path.partition("/")[2] or path
    elif part.name != _FILES:
        raise InvalidInput("bad-form", f"the form has the file {part.name[:80]!r}")
    if not IGNORED.isdisjoint(path.split("/")):
        return 0
    write_file(folder, path, part)
    return 1


def _rows(form: Form, name: str) -> list[tuple[str, str]]:
    """`name.key` and `name.value`, each as often as there are rows; empty ones are left out."""
    keys = [key.strip() for key in form.fields.get(f"{name}.key", [])]
    values = [value.strip() for value in form.fields.get(f"{name}.value", [])]
    if len(keys) != len(values):
        raise InvalidInput("bad-form", f"each {name} has a name and a value")
    for key, value in zip(keys, values, strict=True):
        if value and not key:
            raise InvalidInput("bad-form", f"the {name} {value[:40]!r} has no name")
    return [(key, value) for key, value in zip(keys, values, strict=True) if key]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(
            "bad-metric", f"the metric {name[:80]} is no number: {text[:40]!r}", hint="0.93"
        ) from None


def _scalar(text: str) -> Any:
    """A JSON number, truth value or null; anything else is text."""
    try:
        value = json.loads(text, parse_constant=float)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict | list | str) else value
