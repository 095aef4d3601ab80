"""`yard import mlflow`: registered models with their versions, aliases, params and metrics."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.core.imports import Imported, ImportedModel, LeftOut
from modelyard.core.manifest import Manifest
from modelyard.core.merge import REGULAR
from modelyard.core.names import MAIN, ModelName
from modelyard.errors import InvalidInput, NotFound
from modelyard.history.importing.steps import Omissions, SourceFile, SourceRef, Step
from modelyard.registry.finding import label
from modelyard.registry.foreign.tracking import Registered, Run, TrackedVersion
from modelyard.registry.histories.bringing import bring
from modelyard.registry.histories.names import fit_labels, fit_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelyard.core.version import Progress
    from modelyard.registry.foreign.tracking import Tracking
    from modelyard.registry.house import House

__all__ = ["import_mlflow", "open_tracking"]

_CARD = "README.md"
_STAGES = ("Staging", "Production")
_INTERNAL = "mlflow."


def import_mlflow(
    house: House,
    source: str,
    only: str | None = None,
    *,
    rename: str | None = None,
    token: str | None = None,
    login: tuple[str, str] | None = None,
    report: Callable[[Progress], None] = lambda _progress: None,
) -> Imported:
    """Bring registered models; numbers stay where they are free.

    Args:
        source: A folder `mlruns`, a file `mlflow.db`, or the URL of a tracking server.
        only: The one registered model to bring; all of them if None.
        rename: What it is called here.

    Raises:
        InvalidInput: `bad-mlflow`.
        NotFound: `no-repository`, `no-registered-model`.
        Denied: `source-denied`.
    """
    started = time.monotonic()
    if rename is not None and only is None:
        raise InvalidInput("bad-mlflow", "a name is for one model", hint="name the model too")
    tracking = open_tracking(source, token=token, login=login)
    done: list[ImportedModel] = []
    taken: set[str] = set()
    try:
        done += (
            _bring(house, tracking, model, rename, taken, report) for model in tracking.models(only)
        )
    finally:
        tracking.close()
    if only is not None and not done:
        raise NotFound("no-registered-model", f"{tracking.shown} has no registered model {only}")
    return Imported(
        source=tracking.shown, system="mlflow", models=tuple(done),
        seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip


def open_tracking(
    source: str, *, token: str | None = None, login: tuple[str, str] | None = None
) -> Tracking:
    """The store of an MLflow, whatever it is."""
    if source.startswith(("http://", "https://")):
        from modelyard.registry.foreign.mlflowweb import WebTracking

        return WebTracking(source, token=token, login=login)
    place = Path(source.removeprefix("sqlite:///").removeprefix("file://")).expanduser().resolve()
    if place.is_dir():
        inside = [place / "mlflow.db", place / "mlruns" / "models"]
        if not (place / "models").is_dir() and inside[0].is_file():
            place = inside[0]
        elif not (place / "models").is_dir() and inside[1].is_dir():
            place = place / "mlruns"
    if place.is_dir():
        from modelyard.registry.foreign.mlruns import FolderTracking

        return FolderTracking(place)
    if place.is_file():
        from modelyard.registry.foreign.mlflowdb import DatabaseTracking

        return DatabaseTracking(place)
    raise NotFound("no-repository", f"there is no folder or file {place}")


def _bring(
    house: House,
    tracking: Tracking,
    model: Registered,
    rename: str | None,
    taken: set[str],
    report: Callable[[Progress], None],
) -> ImportedModel:
    if model.is_prompt:
        why = "it is a prompt, not a model"
        return ImportedModel(model=model.name, left_out=(LeftOut(name=model.name, reason=why),))
    name = _name(model.name, rename, taken)
    taken.add(name.text)
    source = _Versions(tracking, model)
    try:
        done = bring(house, source, name, origin=tracking.shown, report=report)
    except InvalidInput as error:
        if error.kind != "nothing-to-import":
            raise
        left = source.omissions.all() or (LeftOut(name=model.name, reason="it has no versions"),)
        return ImportedModel(model=name.text, left_out=left)
    renamed = dict(done.renamed)
    if name.text != model.name:
        renamed[f"model {model.name}"] = name.text
    tags = {key: value for key, value in model.tags.items() if not key.startswith(_INTERNAL)}
    labels = fit_labels(tags, renamed)
    if labels and done.versions:
        label(house, name.text, None, labels, ())
    return ImportedModel(
        model=done.model, versions=done.versions, known=done.known, refs=done.refs,
        renamed=renamed, new_bytes=done.new_bytes, left_out=done.left_out,
        conflicts=done.conflicts, warnings=done.warnings,
    )  # fmt: skip


def _name(name: str, rename: str | None, taken: set[str]) -> ModelName:
    if rename is not None:
        return ModelName.parse(rename)
    try:
        wanted = ModelName.parse(name).text
    except InvalidInput:
        wanted = fit_model(name)
    base, number = wanted, 2
    while wanted in taken:
        wanted, number = f"{base}-{number}", number + 1
    return ModelName.parse(wanted)


class _Versions:
    """The versions of one registered model, as a history without branches."""

    def __init__(self, tracking: Tracking, model: Registered) -> None:
        self.omissions = Omissions()
        self._tracking = tracking
        self._model = model
        self._origins: dict[int, str] = {}
        self._files: dict[str, Mapping[str, tuple[str, int]]] = {}
        self._made: dict[str, bytes] = {}

    def steps(self) -> Iterator[Step]:
        before: tuple[str, ...] = ()
        for version in self._model.versions:
            origin = f"mlflow:{self._model.name[:180]}/{version.number}@{version.created}"
            place = self._place(version)
            files = self._tracking.files(place)
            if isinstance(files, str):
                self.omissions.add(f"version {version.number}", files)
                continue
            self._files[origin] = files
            self._origins[version.number] = origin
            yield self._step(version, origin, before)
            before = (origin,)

    def files(self, step: Step) -> Mapping[str, SourceFile]:
        found = {
            path: SourceFile(f"{origin_key}", REGULAR)
            for path, (origin_key, _size) in self._files[step.origin].items()
        }
        if _CARD not in found and (card := self._card(step.origin)):
            key = f"made:{step.origin}"
            self._made[key] = card.encode()
            found[_CARD] = SourceFile(key, REGULAR)
        return found

    def content(self, file: SourceFile, room: Path) -> bytes | Path | None:
        if file.key in self._made:
            return self._made[file.key]
        found = self._tracking.read(file.key, room)
        if found is None:
            self.omissions.add(file.key, "it can't be read any more")
        return found

    def git_object(self, sha: bytes) -> tuple[int, bytes]:
        raise KeyError(sha)

    def refs(self) -> list[SourceRef]:
        """The newest version, the aliases, and the newest version of each stage."""
        if not self._origins:
            return []
        found = [SourceRef(MAIN, "branch", self._origins[max(self._origins)])]
        for alias, number in self._model.aliases.items():
            if number in self._origins:
                found.append(SourceRef(alias, "alias", self._origins[number]))
            else:
                self.omissions.add(f"alias {alias}", f"version {number} is not here")
        for stage in _STAGES:
            there = [
                v.number for v in self._model.versions
                if v.stage == stage and v.number in self._origins
            ]  # fmt: skip
            if there:
                found.append(SourceRef(stage.lower(), "alias", self._origins[max(there)]))
        return found

    def _place(self, version: TrackedVersion) -> str:
        place = version.place
        if place.startswith("models:/m-"):
            logged = self._tracking.logged(place.removeprefix("models:/"))
            return logged.place if logged else place
        if place.startswith("runs:/"):
            key, _, rest = place.removeprefix("runs:/").partition("/")
            run = self._tracking.run(key)
            return f"{run.place}/{rest}" if run else place
        return place

    def _step(self, version: TrackedVersion, origin: str, before: tuple[str, ...]) -> Step:
        run = (self._tracking.run(version.run) if version.run else None) or Run()
        logged = (self._tracking.logged(version.model_id) if version.model_id else None) or Run()
        labels = {k: v for k, v in version.tags.items() if not k.startswith(_INTERNAL)}
        if version.stage not in ("", "None"):
            labels["stage"] = version.stage
        if version.run:
            labels["mlflow.run"] = version.run
        author = version.user or run.user or "unknown"
        return Step(
            origin=origin, parents=before, branch=MAIN, author=author,
            time=version.created * 1000,
            message=version.description or f"Version {version.number} of {self._model.name}",
            labels=labels, manifest=self._manifest(version, run, logged), number=version.number,
        )  # fmt: skip

    def _manifest(self, version: TrackedVersion, run: Run, logged: Run) -> Manifest:
        title = f"version {version.number}"
        params: dict[str, Any] = {}
        for name, text in {**run.params, **logged.params}.items():
            if _is_name(name):
                params[name] = _parsed(text)
            else:
                self.omissions.add(f"param {name}", "its name can't be kept", title)
        metrics = {}
        for name, value in {**run.metrics, **logged.metrics}.items():
            if math.isfinite(value) and _is_name(name):
                metrics[name] = value
            else:
                self.omissions.add(f"metric {name}", f"it is {value}", title)
        made = Manifest(params=params, metrics=metrics)
        try:
            made.encode()
        except InvalidInput as error:
            self.omissions.add(f"params of {title}", error.message)
            return Manifest(metrics=metrics)
        return made

    def _card(self, origin: str) -> str:
        """A model card of what MLflow calls descriptions."""
        number = int(origin.rpartition("/")[2].partition("@")[0])
        own = next((v.description for v in self._model.versions if v.number == number), "")
        parts = [f"# {self._model.name}", self._model.description]
        if own:
            parts += [f"## Version {number}", own]
        return "\n\n".join(part for part in parts if part) + "\n" if len(parts) > 2 or (
            self._model.description) else ""  # fmt: skip


def _is_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= 200


def _parsed(text: str) -> Any:
    """MLflow keeps params as text; a number is one here, so that it can be searched for."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    finite = isinstance(value, int | float) and math.isfinite(value)
    return value if finite and str(value) == text else text
