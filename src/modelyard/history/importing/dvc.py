"""A git repository with DVC as a history: commits that change an output which DVC tracks."""

from __future__ import annotations

import json
import math
import re
from fnmatch import fnmatch
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from modelyard.core.manifest import Manifest
from modelyard.core.merge import REGULAR
from modelyard.core.plain_yaml import NotPlain, plain_yaml
from modelyard.history.importing.git import GitSource
from modelyard.history.importing.steps import SourceFile, Step

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Protocol

    from modelyard.history.importing.git import Found
    from modelyard.history.importing.gitmirror import Mirror

    class Cache(Protocol):
        """Where DVC keeps bytes, by MD5."""

        def get(self, md5: str, room: Path) -> Path | None:
            """A file with these bytes, checked; None if there is none."""


__all__ = ["DvcSource"]

_LARGEST = 1 << 20
_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?\Z")
_CARDS = ("README.md",)


class DvcSource(GitSource):
    """Reads `.dvc` files and `dvc.lock`; every file below an output is a file of the version.

    Args:
        only: Outputs like these; all of them if there are none.
    """

    def __init__(
        self, mirror: Mirror, cache: Cache, room: Path, *, path: str = "", only: Sequence[str] = ()
    ) -> None:
        self._cache = cache
        self._room = room
        self._only = tuple(only)
        self._outs = lru_cache(1024)(self._outs_of)
        self._folders = lru_cache(256)(self._folder_of)
        super().__init__(mirror, path=path)

    def content(self, file: SourceFile, room: Path) -> bytes | Path | None:
        system, _, name = file.key.partition(":")
        if system != "md5":
            return super().content(file, room)
        found = self._cache.get(name, room)
        if found is None:
            self.omissions.add(f"MD5 {name}", "it is neither in the cache nor in the remote")
        return found

    @property
    def _is_whole(self) -> bool:
        return False

    def _mark(self, commit: bytes) -> Hashable:
        root = self._root(commit)
        outs = self._outs(root) if root is not None else ()
        return outs or None

    def _files_of(self, commit: bytes, origin: str) -> Mapping[str, SourceFile]:
        root = self._root(commit)
        if root is None:
            return {}
        found: dict[str, SourceFile] = {}
        for path, md5 in self._outs(root):
            if not md5.endswith(".dir"):
                found[path] = SourceFile(f"md5:{md5}", REGULAR)
                continue
            inside = self._folders(md5)
            if inside is None:
                self.omissions.add(path, "the list of its files is missing", origin)
            for name, part in inside or ():
                found[f"{path}/{name}"] = SourceFile(f"md5:{part}", REGULAR)
        for name, mode, sha in self._rows(root):
            if name in _CARDS and name not in found and mode != 0o040000:
                found[name] = self._file(mode, sha)
        return found

    def _step(self, commit: Found, origin: str, parents: tuple[str, ...]) -> Step:
        from dataclasses import replace

        step = super()._step(commit, origin, parents)
        root = self._root(commit.sha)
        return step if root is None else replace(step, manifest=self._manifest(root, origin))

    # -- what DVC wrote --------------------------------------------------------------------------

    def _outs_of(self, root: bytes) -> tuple[tuple[str, str], ...]:
        """Path and MD5 of every output that is wanted, in order."""
        found: dict[str, str] = {}
        for path, sha in self._told(root):
            folder = path.rpartition("/")[0]
            for out in _outs_in(self._yaml(sha), is_lock=path.endswith("dvc.lock")):
                whole = _joined(folder, str(out.get("path", "")))
                md5 = str(out.get("md5", ""))
                if whole is None or not _MD5.match(md5) or not self._is_wanted(whole):
                    continue
                found[whole] = md5
        return tuple(sorted(found.items()))

    def _told(self, root: bytes) -> Iterator[tuple[str, bytes]]:
        """The files that DVC keeps in git."""
        stack = [(root, "")]
        while stack:
            tree, before = stack.pop()
            for name, mode, sha in self._rows(tree):
                if mode == 0o040000:
                    stack.append((sha, f"{before}{name}/"))
                elif name == "dvc.lock" or (name.endswith(".dvc") and name != ".dvc"):
                    yield before + name, sha

    def _is_wanted(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return not self._only or any(fnmatch(path, g) or fnmatch(name, g) for g in self._only)

    def _folder_of(self, md5: str) -> tuple[tuple[str, str], ...] | None:
        """Names and MD5s of the files of an output that is a folder."""
        place = self._cache.get(md5, self._room)
        if place is None or place.stat().st_size > 64 * _LARGEST:
            return None
        try:
            told = json.loads(place.read_bytes())
            rows = [(str(part["relpath"]), str(part["md5"])) for part in told]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return tuple(sorted((name, part) for name, part in rows if _MD5.match(part)))

    def _manifest(self, root: bytes, origin: str) -> Manifest:
        """Params that dvc.lock tells of, and numbers of the metrics files beside it."""
        params: dict[str, Any] = {}
        metrics: dict[str, float] = {}
        files = {name: sha for name, mode, sha in self._rows(root) if mode != 0o040000}
        lock = self._yaml(files["dvc.lock"]) if "dvc.lock" in files else {}
        for stage in _maps(lock.get("stages")):
            for told in _maps(stage.get("params")):
                params.update({k: v for k, v in told.items() if isinstance(k, str)})
        for name in _metric_files(self._yaml(files["dvc.yaml"]) if "dvc.yaml" in files else {}):
            if name in files:
                metrics.update(_numbers(self._yaml(files[name])))
        try:
            made = Manifest(params=params, metrics=metrics)
            made.encode()
        except ValueError as error:
            self.omissions.add("params and metrics", str(error), origin)
            return Manifest()
        return made

    def _yaml(self, sha: bytes) -> dict[str, Any]:
        """YAML, or JSON, which is YAML too; without aliases, which could stand for billions."""
        if self._objects.size(sha)[1] > _LARGEST:
            return {}
        text = self._objects.get(sha)[1].decode("utf-8", "replace")
        try:
            content = plain_yaml(text)
        except NotPlain:
            return {}
        return content if isinstance(content, dict) else {}


def _outs_in(content: Mapping[str, Any], *, is_lock: bool) -> Iterator[Mapping[str, Any]]:
    if not is_lock:
        yield from _maps(content.get("outs"))
        return
    for stage in _maps(content.get("stages")):
        yield from _maps(stage.get("outs"))


def _maps(found: Any) -> list[dict[str, Any]]:
    """The mappings in a list, or in a mapping's values."""
    values = found.values() if isinstance(found, dict) else found
    return [v for v in values if isinstance(v, dict)] if values and not isinstance(
        values, str | int | float) else []  # fmt: skip


def _metric_files(content: Mapping[str, Any]) -> list[str]:
    """Names in dvc.yaml: at its top, and in its stages."""
    lists = [content.get("metrics")]
    lists += [stage.get("metrics") for stage in _maps(content.get("stages"))]
    found: list[str] = []
    for names in lists:
        for name in names if isinstance(names, list) else ():
            found += [name] if isinstance(name, str) else [str(key) for key in name or ()]
    return found


def _numbers(content: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and prefix.count(".") < 5:
            found.update(_numbers(value, f"{name}."))
        elif isinstance(value, int | float) and not isinstance(value, bool | str):
            found.update({name: value} if math.isfinite(value) else {})
    return found


def _joined(folder: str, path: str) -> str | None:
    """The path of an output from the top; None if it leads out."""
    parts = folder.split("/") if folder else []
    if path.startswith("/") or "://" in path:
        return None
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts) or None
