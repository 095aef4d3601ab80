"""An MLflow file store: folders, YAML files and one small file for each tag, param and metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.core.plain_yaml import NotPlain, plain_yaml
from modelyard.errors import InvalidInput
from modelyard.registry.foreign.localfiles import LocalFiles
from modelyard.registry.foreign.tracking import DELETED, Registered, Run, TrackedVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["FolderTracking"]

_LARGEST = 1 << 20
"""Bytes of a YAML file or a tag that are read."""


class FolderTracking:
    """Reads `mlruns`. InvalidInput: `bad-mlflow` if the folder is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = LocalFiles(folder)
        self.shown = str(folder)
        if not (folder / "models").is_dir():
            raise InvalidInput(
                "bad-mlflow", f"{folder} holds no registered models of MLflow",
                hint="name a folder mlruns, a file mlflow.db, or the URL of a tracking server",
            )  # fmt: skip

    def close(self) -> None: ...

    def models(self, name: str | None) -> Iterator[Registered]:
        for folder in sorted((self._folder / "models").iterdir()):
            told = _yaml(folder / "meta.yaml") if folder.is_dir() else {}
            if told and name in (None, told.get("name")):
                yield self._model(folder, told)

    def run(self, key: str) -> Run | None:
        folder = self._one(f"*/{key}")
        if folder is None:
            return None
        told = _yaml(folder / "meta.yaml")
        user = _small(folder / "tags" / "mlflow.user") or _text(told.get("user_id"))
        return self._told(folder, user, _text(told.get("artifact_uri")))

    def logged(self, key: str) -> Run | None:
        folder = self._one(f"*/models/{key}")
        if folder is None:
            return None
        told = _yaml(folder / "meta.yaml")
        place = _text(told.get("artifact_location")) or str(folder / "artifacts")
        return self._told(folder, "", place)

    def files(self, place: str) -> Mapping[str, tuple[str, int]] | str:
        return self._files.files(place)

    def read(self, key: str, room: Path) -> bytes | Path | None:
        return self._files.read(key)

    def _one(self, pattern: str) -> Path | None:
        key = pattern.rpartition("/")[2]
        if not key.replace("-", "").isalnum():
            return None
        return next(iter(sorted(self._folder.glob(pattern))), None)

    def _model(self, folder: Path, told: Mapping[str, Any]) -> Registered:
        versions = (self._version(place) for place in folder.glob("version-*") if place.is_dir())
        aliases = {
            file.name: int(text)
            for file in sorted((folder / "aliases").glob("*"))
            if (text := _small(file)).isdigit()
        }
        return Registered(
            name=_text(told.get("name")), description=_text(told.get("description")),
            tags=_smalls(folder / "tags"), aliases=aliases,
            versions=tuple(sorted(
                (v for v in versions if v.stage != DELETED and v.number), key=lambda v: v.number
            )),
        )  # fmt: skip

    def _version(self, folder: Path) -> TrackedVersion:
        told = _yaml(folder / "meta.yaml")
        number = _text(told.get("version"))
        source = _text(told.get("source"))
        return TrackedVersion(
            number=int(number) if number.isdigit() else 0,
            created=int(told.get("creation_timestamp") or 0), user=_text(told.get("user_id")),
            description=_text(told.get("description")), stage=_text(told.get("current_stage")),
            source=source, place=_text(told.get("storage_location")) or source,
            run=_text(told.get("run_id")), model_id=_text(told.get("model_id")),
            tags=_smalls(folder / "tags"),
        )  # fmt: skip

    def _told(self, folder: Path, user: str, place: str) -> Run:
        metrics = {}
        for name, text in _smalls(folder / "metrics").items():
            words = text.strip().splitlines()[-1].split() if text.strip() else []
            if len(words) > 1:
                metrics[name] = float(words[1])
        return Run(user=user, place=place, params=_smalls(folder / "params"), metrics=metrics)


def _yaml(file: Path) -> dict[str, Any]:
    """A YAML file without aliases, which could stand for a billion laughs."""
    try:
        content = plain_yaml(_small(file))
    except NotPlain:
        return {}
    return content if isinstance(content, dict) else {}


def _smalls(folder: Path) -> dict[str, str]:
    """The files of a folder, whose names may hold slashes."""
    if not folder.is_dir():
        return {}
    return {
        file.relative_to(folder).as_posix(): _small(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }


def _small(file: Path) -> str:
    if not file.is_file() or file.is_symlink():
        return ""
    with file.open("rb") as opened:
        return opened.read(_LARGEST).decode("utf-8", "replace")


def _text(value: object) -> str:
    return "" if value is None else str(value)
