"""`Model` and `Version`: cheap handles over any `Yard`, as people hold them in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from modelyard.core.version import human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from modelyard.core.diff import Diff
    from modelyard.core.evaluation import Choice, Comparison, Evaluation
    from modelyard.core.transfer import Copied, Exported
    from modelyard.core.trust import TrustAll
    from modelyard.core.version import (
        CheckedOut,
        Committed,
        ModelInfo,
        Progress,
        RefInfo,
        RefMove,
        VersionDetail,
        VersionInfo,
    )
    from modelyard.core.yard import Yard

__all__ = ["Model", "Version"]


class Model:
    """A model by its `name`. Nothing is fetched before it is asked for."""

    __slots__ = ("name", "yard")

    def __init__(self, yard: Yard, name: str) -> None:
        self.yard = yard
        self.name = name

    def commit(
        self,
        source: Path | str | object,
        *,
        message: str = "",
        branch: str | None = None,
        parent: Version | str | int | None = None,
        only: Sequence[str] = (),
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        author: str | None = None,
        kind: Literal["model", "dataset"] = "model",
        data: object = None,
        serializer: str | None = None,
        example: Any = None,
        scan: bool = True,
        progress: Callable[[Progress], None] | None = None,
    ) -> Version:
        """Store a file, folder or object as the next version; see `Yard.commit`."""
        done = self.yard.commit(
            self.name, source,
            message=message, branch=branch, parent=_revision(parent), only=only, metrics=metrics,
            params=params, labels=labels, author=author, kind=kind, data=data,
            serializer=serializer, example=example, scan=scan, progress=progress,
        )  # fmt: skip
        return Version(self.yard, done.model, done.number, done)

    def __getitem__(self, revision: str | int) -> Version:
        """The version that a number, branch, tag, alias or commit means. NotFound: `no-version`."""
        info = self.yard.resolve(self.name, revision)
        return Version(self.yard, info.model, info.number, info)

    def __iter__(self) -> Iterator[Version]:
        """All versions, newest first."""
        for info in self.yard.log(self.name):
            yield Version(self.yard, info.model, info.number, info)

    @property
    def info(self) -> ModelInfo:
        """What `yard list` shows of it. NotFound: `no-model`."""
        return self.yard.model_info(self.name)

    @property
    def latest(self) -> Version:
        """The version with the highest number that is not deleted."""
        return self["latest"]

    def log(self, revision: str | int | None = None) -> Iterator[VersionInfo]:
        """Ancestors of a revision, children first; without one, all versions."""
        return self.yard.log(self.name, revision)

    def refs(self) -> tuple[RefInfo, ...]:
        """All branches, tags and aliases."""
        return self.yard.refs(self.name)

    def branch(self, name: str, revision: Version | str | int | None = None) -> RefInfo:
        """Make a branch. Conflict: `ref-exists`."""
        return self.yard.branch(self.name, name, _revision(revision))

    def tag(self, name: str, revision: Version | str | int | None = None) -> RefInfo:
        """Make a tag, which never moves. Conflict: `ref-exists`."""
        return self.yard.tag(self.name, name, _revision(revision))

    def alias(self, name: str, revision: Version | str | int | None = None) -> RefInfo:
        """Point an alias at a version; where it pointed stays in the reflog."""
        return self.yard.alias(self.name, name, _revision(revision))

    def rollback(self, alias: str, *, to: Version | str | int | None = None) -> RefInfo:
        """Point an alias back: to where it pointed before, or to `to`."""
        return self.yard.rollback(self.name, alias, to=_revision(to))

    def reflog(self, ref: str | None = None) -> Iterator[RefMove]:
        """Every move of one ref, or of all, newest first."""
        return self.yard.reflog(self.name, ref)

    def revert(self, revision: Version | str | int, *, branch: str | None = None) -> Version:
        """A new version with the content of an old one."""
        done = self.yard.revert(self.name, _revision(revision), branch=branch)
        return Version(self.yard, done.model, done.number, done)

    def merge(
        self, source: Version | str | int, *, into: str = "main", message: str = ""
    ) -> Version:
        """Bring what `source` changed into a branch. Conflict: `merge-conflict`."""
        done = self.yard.merge(self.name, _revision(source), into=into, message=message)
        return Version(self.yard, done.model, done.number, done)

    def mix(
        self,
        sources: Sequence[Version | str | int],
        *,
        method: str,
        base: Version | str | int | None = None,
        weights: Sequence[float] | None = None,
        density: float | None = None,
        scale: float | None = None,
        seed: int | None = None,
        into: str | None = None,
        message: str = "",
        progress: Callable[[Progress], None] | None = None,
    ) -> Version:
        """Mix the weights of several versions into a new one; see `Yard.mix`."""
        done = self.yard.mix(
            self.name, [_revision(source) for source in sources],
            method=method, base=_revision(base), weights=weights, density=density, scale=scale,
            seed=seed, into=into, message=message, progress=progress,
        )  # fmt: skip
        return Version(self.yard, done.model, done.number, done)

    def diff(self, a: Version | str | int, b: Version | str | int, **options: Any) -> Diff:
        """What changed from `a` to `b`."""
        first, second = (f"{self.name}@{_revision(side)}" for side in (a, b))
        return self.yard.diff(first, second, **options)

    def evaluations(self, revision: Version | str | int | None = None) -> Iterator[Evaluation]:
        """Evaluations of a version, or of all that live, newest first."""
        return self.yard.evaluations(self.name, _revision(revision))

    def compare(self, *revisions: Version | str | int, **options: Any) -> Comparison:
        """Versions on the data that all were evaluated on; see `Yard.compare`."""
        return self.yard.compare(self.name, [_revision(each) for each in revisions], **options)

    def best(self, metric: str, **options: Any) -> Choice:
        """The best version by a metric, or those that tie; see `Yard.best`."""
        return self.yard.best(self.name, metric=metric, **options)

    def checkout(
        self, revision: Version | str | int, dest: Path | str, **options: Any
    ) -> CheckedOut:
        """Write a version's files into a folder; see `Yard.checkout`."""
        return self.yard.checkout(self.name, _revision(revision), dest, **options)

    def label(
        self, *, add: Mapping[str, str] | None = None, remove: Sequence[str] = ()
    ) -> Mapping[str, str]:
        """Set and remove labels of the model; those it has then."""
        return self.yard.label(self.name, add=add, remove=remove)

    def copy_to(self, target: Yard | Path | str, **options: Any) -> Copied:
        """Copy all versions into another yard; see `Yard.copy_to`."""
        return self.yard.copy_to(target, self.name, **options)

    def __repr__(self) -> str:
        return f"{self.yard!r}.model({self.name!r})"

    def __str__(self) -> str:
        return self.name

    def _repr_html_(self) -> str:
        rows = [info for info, _ in zip(self.yard.log(self.name), range(20), strict=False)]
        return _table(
            self.name,
            ["version", "message", "author", "size", "new", "refs"],
            [
                [v.title, v.message, v.author, human_size(v.size), human_size(v.new_bytes),
                 ", ".join(v.refs)]
                for v in rows
            ],
        )  # fmt: skip


class Version:
    """One version. `number` and `commit` never change; everything else is asked for."""

    __slots__ = ("_known", "commit", "model", "new_bytes", "number", "size", "yard")

    def __init__(self, yard: Yard, model: str, number: int, known: VersionInfo | Committed) -> None:
        self.yard = yard
        self.model = model
        self.number = number
        self.commit = known.commit
        self.size = known.size
        self.new_bytes = known.new_bytes
        self._known = known

    @property
    def created(self) -> bool:
        """False if a commit found nothing new and this is the version that was there."""
        return bool(getattr(self._known, "created", True))

    @property
    def info(self) -> VersionInfo:
        """The version as lists and logs show it, asked for anew."""
        return self.yard.resolve(self.model, self.number)

    @property
    def detail(self) -> VersionDetail:
        """Files, tensors, params, metadata, findings, signature, card."""
        return self.yard.show(self.model, self.number)

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.info.metrics

    @property
    def params(self) -> Mapping[str, Any]:
        return self.detail.params

    def load(
        self,
        *,
        trusted: Iterable[str] | TrustAll | None = None,
        isolated: bool = False,
        into: object = None,
    ) -> Any:
        """The Python object again; see `Yard.load`."""
        return self.yard.load(
            self.model, self.number, trusted=trusted, isolated=isolated, into=into
        )

    def update(
        self,
        *,
        params: Mapping[str, Any] | None = None,
        structure: Any = None,
        optimizer: Mapping[str, Any] | None = None,
        fit: object = None,
        target: str | None = None,
        **options: Any,
    ) -> Version:
        """A new version of the same object, changed; see `Yard.update`."""
        done = self.yard.update(
            self.model, self.number,
            params=params, structure=structure, optimizer=optimizer, fit=fit, target=target,
            **options,
        )  # fmt: skip
        return Version(self.yard, done.model, done.number, done)

    def evaluate(self, data: str | Path, target: str, **options: Any) -> Evaluation:
        """Measure it on data, and keep the result; see `Yard.evaluate`."""
        return self.yard.evaluate(self.model, self.number, data=data, target=target, **options)

    def evaluations(self) -> Iterator[Evaluation]:
        """What it was measured to be, newest first."""
        return self.yard.evaluations(self.model, self.number)

    def checkout(
        self,
        dest: Path | str,
        *,
        files: Sequence[str] = (),
        progress: Callable[[Progress], None] | None = None,
    ) -> CheckedOut:
        """Write the files into a folder, whole or not at all."""
        return self.yard.checkout(self.model, self.number, dest, files=files, progress=progress)

    def copy_to(self, target: Yard | Path | str, **options: Any) -> Copied:
        """Copy it and its ancestors into another yard; see `Yard.copy_to`."""
        return self.yard.copy_to(target, self.model, self.number, **options)

    def export(self, file: Path | str) -> Exported:
        """Write it into a tar file; see `Yard.export`."""
        return self.yard.export(self.model, self.number, file)

    def tensor(self, name: str) -> np.ndarray:
        """One tensor; only its chunks are read."""
        return self.yard.tensor(self.model, self.number, name)

    def open(self, path: str) -> BinaryIO:
        """One file as a seekable file object; only what is read is fetched."""
        return self.yard.open(self.model, self.number, path)

    def diff(self, other: Version | str | int, **options: Any) -> Diff:
        """What changed from this version to another."""
        return self.yard.diff(str(self.title), f"{self.model}@{_revision(other)}", **options)

    def label(
        self, *, add: Mapping[str, str] | None = None, remove: Sequence[str] = ()
    ) -> Mapping[str, str]:
        """Set and remove labels of this version; those it has then."""
        return self.yard.label(self.model, self.number, add=add, remove=remove)

    @property
    def title(self) -> str:
        """`flowers/iris@1`."""
        return f"{self.model}@{self.number}"

    def __repr__(self) -> str:
        return f"{self.yard!r}.model({self.model!r})[{self.number}]"

    def __str__(self) -> str:
        new = human_size(self.new_bytes)
        return f"{self.title} {self.commit[:7]} {human_size(self.size)} ({new} new)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.commit == other.commit

    def __hash__(self) -> int:
        return hash(self.commit)

    def _repr_html_(self) -> str:
        detail = self.detail
        rows = [[f.path, human_size(f.size), f.format, f.sha256[:12]] for f in detail.files]
        return _table(str(self), ["file", "size", "format", "sha256"], rows)


def _revision(value: Version | str | int | None) -> str | int | None:
    return value.number if isinstance(value, Version) else value


def _table(title: str, heads: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows
    )
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"
