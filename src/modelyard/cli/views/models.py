"""Views of models, refs and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.cli.text import Block, Column, Span, Spans, Table
from modelyard.cli.views import words
from modelyard.core.version import human_size
from modelyard.core.wire import builtins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.core.version import ModelInfo, RefInfo, VersionInfo

__all__ = ["LabelsView", "ModelView", "ModelsView", "RefView", "RefsView", "VersionView"]


@dataclass(frozen=True, slots=True)
class ModelsView:
    """All models of a yard."""

    models: Sequence[ModelInfo]

    def json(self) -> object:
        return {"items": list(self.models)}

    def lines(self) -> Iterator[Block]:
        if not self.models:
            yield "no models"
            return
        titles = ("model", "latest", "size", "updated", "refs", "about")
        columns = [
            Column(title, right=title in ("latest", "size"), flexible=title in ("refs", "about"))
            for title in titles
        ]
        yield Table(columns, [_model(model) for model in self.models])

    def ids(self) -> Iterator[str]:
        return (model.name for model in self.models)


def _model(model: ModelInfo) -> Spans:
    refs = ", ".join(f"{ref.name}={ref.number}" for ref in model.refs)
    about = [words.first_line(model.description), words.pairs(model.labels)]
    return [
        Span(model.name, "bold"),
        "-" if model.latest is None else str(model.latest),
        human_size(model.size),
        words.minute(model.updated),
        Span(refs, "good"),
        ", ".join(text for text in about if text),
    ]


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model, after something was done to it."""

    model: ModelInfo
    done: str
    """What was done, and to what: `deleted vision/resnet`."""

    def json(self) -> object:
        return self.model

    def lines(self) -> Iterator[Block]:
        versions = words.count(self.model.versions, "version")
        yield f"{self.done}: {versions}"

    def ids(self) -> Iterator[str]:
        yield self.model.name


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version, after something was done to it."""

    version: VersionInfo
    done: str

    def json(self) -> object:
        return self.version

    def lines(self) -> Iterator[Block]:
        yield [f"{self.done} ", Span(self.version.title, "bold")]

    def ids(self) -> Iterator[str]:
        yield self.version.title


@dataclass(frozen=True, slots=True)
class RefsView:
    """The refs of one kind."""

    model: str
    refs: Sequence[RefInfo]
    noun: str

    def json(self) -> object:
        return {"items": list(self.refs)}

    def lines(self) -> Iterator[Block]:
        if not self.refs:
            yield f"{self.model} has no {self.noun}"
            return
        columns = [Column(self.noun), Column("version", right=True), Column("commit")]
        yield Table(columns, [_ref(ref) for ref in self.refs])

    def ids(self) -> Iterator[str]:
        return (ref.name for ref in self.refs)


def _ref(ref: RefInfo) -> Spans:
    return [Span(ref.name, "good"), str(ref.number), Span(ref.commit[:7], "dim")]


@dataclass(frozen=True, slots=True)
class RefView:
    """One ref after it was made, moved or deleted."""

    model: str
    ref: RefInfo
    old: int | None = None
    """Where it pointed before."""
    deleted: bool = False

    def json(self) -> object:
        fields: Any = builtins(self.ref)
        return {"model": self.model, **fields, "old": self.old}

    def lines(self) -> Iterator[Block]:
        ref = self.ref
        named: Spans = [f"{ref.kind} ", Span(ref.name, "good")]
        version = Span(f"{self.model}@{ref.number}", "bold")
        if self.deleted:
            yield ["deleted ", *named, ", which pointed at ", version]
            return
        was = "" if self.old in (None, ref.number) else f" (was {self.old})"
        yield [*named, " points at ", version, was]

    def ids(self) -> Iterator[str]:
        yield f"{self.model}@{self.ref.number}"


@dataclass(frozen=True, slots=True)
class LabelsView:
    """The labels of a model, or of one version."""

    model: str
    number: int | None
    labels: Mapping[str, str]

    def json(self) -> object:
        return {"model": self.model, "number": self.number, "labels": dict(self.labels)}

    def lines(self) -> Iterator[Block]:
        whose = self.model if self.number is None else f"{self.model}@{self.number}"
        yield [Span(whose, "bold"), " ", words.pairs(self.labels) or "has no labels"]

    def ids(self) -> Iterator[str]:
        return (f"{key}={text}" if text else key for key, text in self.labels.items())
