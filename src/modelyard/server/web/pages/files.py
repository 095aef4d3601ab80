"""The files of a version: a list, and a page for each with its text or picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from modelyard.registry.file_looks import (
    FileList,
    FileLook,
    list_files,
    look_at_file,
    picture_of,
)
from modelyard.registry.graph import Head, head_of
from modelyard.server.routing import on_model
from modelyard.server.state import Ask
from modelyard.server.web.twins import Pages, problem_page

__all__ = ["pages"]

pages = Pages("files")

_PATH = "{model:path}@{revision:path}"
Text = Annotated[str, Query(max_length=4000)]


@dataclass(frozen=True, slots=True)
class FilesPage:
    """Files of a version."""

    head: Head
    """The version."""
    files: FileList
    """Those that were looked for."""
    q: str
    """What was looked for in paths; empty for all."""


@dataclass(frozen=True, slots=True)
class FilePage:
    """One file of a version."""

    head: Head
    """The version."""
    look: FileLook
    """The file."""


@pages.page(f"/files/{_PATH}", "files.html", needs=on_model("reader"))
def list_version_files(
    ask: Ask,
    model: str,
    revision: str,
    *,
    q: Text = "",
    after: Annotated[int, Query(ge=0)] = 0,
) -> FilesPage:
    """The files of a version."""
    head = head_of(ask.house, model, revision)
    return FilesPage(
        head, list_files(ask.house, model, head.version.number, words=q, after=after), q
    )


@pages.page(f"/file/{_PATH}", "file.html", needs=on_model("reader"))
def show_file(ask: Ask, model: str, revision: str, *, name: Text) -> FilePage:
    """One file: its text or picture, or what is known of it."""
    head = head_of(ask.house, model, revision)
    return FilePage(head, look_at_file(ask.house, model, head.version.number, name))


@pages.get(
    f"/picture/{_PATH}", needs=on_model("reader"), hidden=True, refuse=problem_page
)  # fmt: skip
def show_picture(ask: Ask, model: str, revision: str, *, name: Text) -> Response:
    """The bytes of a picture, for the page of its file."""
    media, content = picture_of(ask.house, model, revision, name)
    headers = {
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return Response(content, 200, headers, media)
