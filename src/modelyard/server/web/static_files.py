"""Style, scripts and pictures of our own: read once, named by their content, kept by browsers."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.responses import Response

from modelyard.errors import NotFound
from modelyard.server.routing import PUBLIC, Routes
from modelyard.server.state import Ask

__all__ = ["address", "routes"]

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""Our own table: the machine's may say anything, or nothing."""
_URL = re.compile(rb'url\("([a-z0-9./-]+)"\)')
_PACKED = (".png", ".woff2")
"""Types that gzip makes no smaller."""

routes = Routes("static", prefix="")


@dataclass(frozen=True, slots=True)
class _File:
    digest: str
    plain: bytes
    packed: bytes
    media_type: str


@cache
def _files() -> dict[str, _File]:
    paths = sorted(path for path in _FOLDER.rglob("*") if path.suffix in _TYPES)
    styles = [path for path in paths if path.suffix == ".css"]
    found: dict[str, _File] = {}
    for path in [path for path in paths if path not in styles] + styles:
        content = path.read_bytes()
        if path in styles:  # they name fonts by their addresses
            content = _URL.sub(lambda m: _named(m, found), content)
        found[path.relative_to(_FOLDER).as_posix()] = _File(
            hashlib.sha256(content).hexdigest()[:16], content,
            gzip.compress(content, 9, mtime=0), _TYPES[path.suffix],
        )  # fmt: skip
    return found


def _named(match: re.Match[bytes], files: dict[str, _File]) -> bytes:
    """Beside its style a file has an address of its own, which browsers keep as well."""
    name = match[1].decode()
    return f'url("../{files[name].digest}/{name}")'.encode()


def address(prefix: str, name: str) -> str:
    """Where a file is; another address as soon as its content is another."""
    return f"{prefix}/static/{_files()[name].digest}/{name}"


@routes.get("/static/{digest}/{name:path}", needs=PUBLIC, hidden=True)
def show_static(ask: Ask, digest: str, name: str) -> Response:
    """A file as it was when its address was given out, or as it is now."""
    file = _files().get(name)
    if file is None:
        raise NotFound("no-route", "there is no such file here")
    lasts = "public, max-age=31536000, immutable" if digest == file.digest else "no-cache"
    headers = {"cache-control": lasts, "vary": "accept-encoding"}
    body = file.plain
    packs = not name.endswith(_PACKED)
    if packs and "gzip" in ask.request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        body = file.packed
    return Response(body, 200, headers, file.media_type)
