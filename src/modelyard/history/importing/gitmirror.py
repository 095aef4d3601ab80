"""A bare copy of a git repository in a folder of ours, and what git-lfs keeps beside it."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from modelyard.errors import InvalidInput, ModelyardError, NotFound
from modelyard.history.importing.tools import check_source, git, git_command, run, shown_url

__all__ = ["Mirror", "clone"]

_SCHEMES = ("http", "https", "ssh", "git", "file")
_SCP = re.compile(r"[\w.-]+@[\w.-]+:[^:]")


@dataclass
class Mirror:
    """A bare repository without hooks and without settings of the source."""

    folder: Path
    source: str
    local: Path | None
    """The source, if it is a folder of this machine."""
    _fetched: bool = field(default=False, init=False)

    @property
    def shown(self) -> str:
        return shown_url(self.source) if self.local is None else str(self.local)

    def lfs_object(self, oid: str) -> Path | None:
        """The file that a git-lfs pointer stands for; git-lfs is asked once for all of them."""
        found = self._look(oid)
        if found is None and not self._fetched:
            self._fetched = True
            self._fetch()
            found = self._look(oid)
        return found

    def _look(self, oid: str) -> Path | None:
        inside = Path("lfs", "objects", oid[:2], oid[2:4], oid)
        places = [self.folder / inside]
        if self.local is not None:
            places += [self.local / ".git" / inside, self.local / inside]
        for place in places:
            if place.is_file() and not place.is_symlink() and _sha256(place) == oid:
                return place
        return None

    def _fetch(self) -> None:
        """All objects of all branches and tags; what can't be had is told file by file later."""
        if shutil.which("git-lfs") is None:
            return
        command = git_command(
            self.folder, ["-c", f"lfs.url={self._endpoint()}", "lfs", "fetch", "--all", "origin"]
        )
        try:
            run(command, source=self.source)
        except ModelyardError:
            return

    def _endpoint(self) -> str:
        """Where git-lfs looks by itself; a repository's .lfsconfig can't send it elsewhere."""
        if self.local is not None:
            return f"file://{self.local}"
        if self.source.startswith(("http://", "https://")):
            base = self.source.rstrip("/")
            return f"{base if base.endswith('.git') else base + '.git'}/info/lfs"
        return self.source


def clone(source: str, room: Path) -> Mirror:
    """Copy a repository: branches and tags, nothing else.

    Raises:
        InvalidInput: `bad-source`, `shallow-repository`.
        NotFound: `no-repository`.
        Denied: `source-denied`.
        Unavailable: `source-unreachable`.
    """
    if not _SCP.match(source):
        check_source(source, _SCHEMES)
    local = _local(source)
    if local is not None and not local.exists():
        raise NotFound("no-repository", f"there is no folder {local}")
    folder = room / "mirror.git"
    place = str(local) if local is not None else source
    options = ("--bare", "--quiet", "--no-local", "--no-hardlinks", "--no-recurse-submodules")
    git(None, "clone", *options, "--", place, str(folder), source=source)
    if (folder / "shallow").exists():
        raise InvalidInput(
            "shallow-repository", f"{shown_url(source)} holds only the last part of its history",
            hint="git fetch --unshallow there brings the rest",
        )  # fmt: skip
    return Mirror(folder, source, local)


def _local(source: str) -> Path | None:
    if source.startswith("file://"):
        return Path(unquote(urlsplit(source).path))
    if "://" in source or (_SCP.match(source) and not Path(source).exists()):
        return None
    return Path(source).expanduser().resolve()


def _sha256(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
