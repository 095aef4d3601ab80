"""Asking a Subversion repository, by the real `svn` client."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from modelyard.errors import ModelyardError
from modelyard.history.importing.svnlog import Element, Revision, read_log, read_xml
from modelyard.history.importing.tools import check_source, run, shown_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SvnClient"]

_SCHEMES = ("http", "https", "svn", "svn+ssh", "file")
_AT_ONCE = 4
_TARGETS = 100
"""Paths that one call is asked about."""
_LINK = b"link "


class SvnClient:
    """One repository as of one revision.

    Args:
        source: A URL, a repository's folder, or a working copy.

    Raises:
        InvalidInput: `bad-source`.
        NotFound: `no-repository`.
        Denied: `source-denied`.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        entry = self._info(_url(source))
        self.url = entry.said("url")
        repository = entry.find("repository") or Element("", {})
        self._root = repository.said("root")
        self.uuid = repository.said("uuid")
        self.head = int(entry.attributes["revision"])
        self.prefix = unquote(self.url[len(self._root) :]).strip("/")
        """The path of what is imported, from the top of the repository."""

    @property
    def shown(self) -> str:
        return shown_url(self.url)

    def log(self) -> list[Revision]:
        """Every revision that touches what is imported, the oldest first."""
        out = self._svn("log", "--xml", "-v", "-r", f"1:{self.head}", f"{self.url}@{self.head}")
        return read_log(out)

    def kind(self, path: str, revision: int) -> str:
        """`file`, `dir`, or empty if there is nothing."""
        try:
            return self._info(self._at(path, revision)).attributes.get("kind", "")
        except ModelyardError:
            return ""

    def files_below(self, path: str, revision: int) -> list[str]:
        """Paths, relative to a folder."""
        out = self._svn("ls", "-R", "--xml", self._at(path, revision))
        return [
            entry.said("name")
            for entry in read_xml(out).every("entry")
            if entry.attributes.get("kind") == "file"
        ]

    def properties(self, paths: Sequence[str], revision: int) -> dict[str, dict[str, str]]:
        """Properties by path; paths that have none may be missing."""
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(paths), _TARGETS):
            some = paths[start : start + _TARGETS]
            targets = {self._at(path, revision).rpartition("@")[0]: path for path in some}
            out = self._svn("proplist", "--xml", "-v", *(self._at(path, revision) for path in some))
            for target in read_xml(out).every("target"):
                path = targets.get(target.attributes.get("path", ""))
                if path is not None:
                    found[path] = {p.attributes["name"]: p.text for p in target.every("property")}
        return found

    def cat(self, wanted: Mapping[Path, tuple[str, int]]) -> None:
        """Write files of some revisions to places of ours, a few at once."""

        def one(item: tuple[Path, tuple[str, int]]) -> None:
            place, (path, revision) = item
            command = self._command("cat", "--ignore-keywords", self._at(path, revision))
            run(command, source=self._source, out=place)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(one, wanted.items()))

    def export(self, path: str, revision: int, place: Path) -> None:
        """Write a whole folder; links are written as files that begin with `link `."""
        self._svn(
            "export", "-q", "--force", "--ignore-keywords", "--ignore-externals",
            self._at(path, revision), f"{place}@",
        )  # fmt: skip
        for folder, _, names in os.walk(place):
            for name in names:
                file = Path(folder, name)
                if file.is_symlink():
                    target = os.readlink(os.fsencode(file))
                    file.unlink()
                    file.write_bytes(_LINK + target)

    def _at(self, path: str, revision: int) -> str:
        return f"{self._root}/{quote(path)}@{revision}"

    def _info(self, target: str) -> Element:
        entry = read_xml(self._svn("info", "--xml", target)).find("entry")
        return entry or Element("entry", {"revision": "0"})

    def _svn(self, *arguments: str) -> bytes:
        return run(self._command(*arguments), source=self._source)

    def _command(self, *arguments: str) -> list[str]:
        return ["svn", "--non-interactive", "--no-auth-cache", *arguments]


def _url(source: str) -> str:
    """What `svn` understands, with a peg revision so that an `@` in it is no other."""
    check_source(source, _SCHEMES)
    if "://" in source:
        return f"{source.rstrip('/')}@HEAD"
    folder = Path(source).expanduser().resolve()
    if (folder / "db").is_dir() and (folder / "format").is_file():
        return f"file://{quote(str(folder))}@HEAD"
    return f"{folder}@" if shutil.which("svn") else str(folder)
