"""The view of one version: facts, files, tensors, findings, card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.cli.text import Block, Column, Line, Span, Spans, Table
from modelyard.cli.views import words
from modelyard.cli.views.evaluations import evaluation_lines, evaluations_json
from modelyard.cli.views.explanations import explanation_lines
from modelyard.core.version import human_size
from modelyard.core.wire import builtins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelyard.core.evaluation import Evaluation
    from modelyard.core.explanation import Explanation
    from modelyard.core.version import FileInfo, RefInfo, VersionDetail

__all__ = ["DetailView"]

FIRST_TENSORS = 20


@dataclass(frozen=True, slots=True)
class DetailView:
    """Everything about one version."""

    detail: VersionDetail
    every_tensor: bool = False
    refs: Sequence[RefInfo] = ()
    """Of the model: people see those that point elsewhere too."""
    evaluations: Sequence[Evaluation] = ()
    """Newest first."""
    explanation: Explanation | None = None

    def json(self) -> object:
        detail: Any = builtins(self.detail)
        measured = {
            "evaluations": evaluations_json(self.evaluations), "explanation": self.explanation
        }  # fmt: skip
        return detail.pop("version") | detail | measured

    def lines(self) -> Iterator[Block]:
        yield from _head(self.detail, self.refs)
        yield from evaluation_lines(self.evaluations)
        if self.explanation is not None:
            yield ""
            yield from explanation_lines(self.explanation, first=5)
        yield from _structure(self.detail)
        yield from self._tables()
        yield from _findings(self.detail)
        yield from _card(self.detail.card)

    def ids(self) -> Iterator[str]:
        yield self.detail.version.title

    def _tables(self) -> Iterator[Block]:
        files = sorted(self.detail.files, key=lambda file: file.path)
        columns = [Column("files"), Column("size", right=True), Column("format"), Column("sha256")]
        yield ""
        yield Table(columns, [_file(file) for file in files])
        tensors = self.detail.tensors
        shown = tensors if self.every_tensor else tensors[:FIRST_TENSORS]
        if not shown:
            return
        several = len({tensor.file for tensor in tensors}) > 1
        yield ""
        yield Table(
            [Column("tensors", flexible=True), Column("dtype"), Column("shape")],
            [
                [f"{t.file}: {t.name}" if several else t.name, t.dtype, words.shape(t.shape)]
                for t in shown
            ],
        )
        if left := len(tensors) - len(shown):
            yield Span(f"... and {left:,} more: add --all", "dim")


def _file(file: FileInfo) -> Spans:
    return [file.path, human_size(file.size), file.format, Span(file.sha256[:12], "dim")]


def _head(detail: VersionDetail, refs: Sequence[RefInfo]) -> Iterator[Line]:
    version = detail.version
    elsewhere = [f"{ref.name}={ref.number}" for ref in refs if ref.number != version.number]
    yield [Span(version.title, "bold"), f" {version.commit[:7]} on {version.branch}"]
    if version.deleted:
        yield Span(f"deleted {words.minute(version.deleted)}", "bad")
    for line in version.message.strip().splitlines():
        yield f"  {line}".rstrip()
    facts = {
        "refs": [Span(", ".join(version.refs), "good")] if version.refs else "",
        "elsewhere": [Span(", ".join(elsewhere), "good")] if elsewhere else "",
        "author": version.author,
        "time": words.minute(version.time),
        "parents": ", ".join(map(str, version.parents)),
        "size": words.sizes(version.size, version.new_bytes),
        "framework": version.framework or "",
        "metrics": words.pairs(version.metrics),
        "params": _params(detail.params),
        "labels": words.pairs(version.labels),
        "object": _object(detail),
        "inputs": _tensors_of(detail.signature, "inputs"),
        "outputs": _tensors_of(detail.signature, "outputs"),
        "from": ", ".join(str(edge) for edge in detail.lineage),
        "data": ", ".join(_data(role, text) for role, text in detail.data.items()),
        "code": _code(detail.code),
    }
    yield from (words.fact(name, text) for name, text in facts.items() if text)


def _params(params: Mapping[str, Any]) -> str:
    """A few lines of them: of many, those that say something come first."""
    if len(params) <= _PARAMS:
        return words.pairs(params)
    telling = {k: v for k, v in params.items() if v is not None and not isinstance(v, bool)}
    shown = dict(list({**telling, **params}.items())[:_PARAMS])
    return f"{words.pairs(shown)}, ... {len(params) - len(shown):,} more: --json"


def _object(detail: VersionDetail) -> str:
    saved = detail.saved
    return f"{saved['class']} as {saved['serializer']}" if saved else ""


def _tensors_of(signature: Any, side: str) -> str:
    """`sepal float64, petal float64`: at most a line of them."""
    try:
        told = [f"{t['name']} {t['dtype']}{_lengths(t['shape'])}" for t in signature[side]]
    except (TypeError, KeyError):
        return ""
    more = f", ... ({len(told)} in all)" if len(told) > _INPUTS else ""
    return ", ".join(told[:_INPUTS]) + more


def _lengths(shape: Sequence[int]) -> str:
    """` [n, 10]`; nothing for one value a row."""
    lengths = ("n" if length < 0 else str(length) for length in shape)
    return f" [{', '.join(lengths)}]" if list(shape) != [-1] else ""


def _data(role: str, text: str) -> str:
    name, _, digest = text.rpartition(" sha256:")
    return f"{role}: {name} ({digest[:12]})"


def _code(code: Mapping[str, str]) -> str:
    if not code:
        return ""
    file = f" {code['file']}" if "file" in code else ""
    return code.get("commit", "")[:7] + file + (" (changed since)" if "changed" in code else "")


def _structure(detail: VersionDetail) -> Iterator[Line]:
    lines = detail.saved.get("structure", ())
    if not lines:
        return
    yield ""
    yield Span("structure", "dim")
    yield from (f"  {line}" for line in lines[:FIRST_TENSORS])
    if left := len(lines) - FIRST_TENSORS:
        yield from ([Span(f"  ... and {left:,} more", "dim")] if left > 0 else [])


_INPUTS = 6
_PARAMS = 12
_FEW = 3
"""More findings that only inform than this are told in one line."""


def _findings(detail: VersionDetail) -> Iterator[Line]:
    styles = {"danger": "bad", "warning": "warn", "info": "dim"}
    if detail.findings:
        yield ""
    known = [f.message for f in detail.findings if f.severity == "info"]
    if len(known) > _FEW:
        yield [
            Span("info", "dim"),
            f": {known[0]}, and {len(known) - 1} more that are known as safe",
        ]
    for finding in detail.findings:
        if finding.severity == "info" and len(known) > _FEW:
            continue
        where = f" ({finding.where})" if finding.where else ""
        yield [Span(finding.severity, styles[finding.severity]), f": {finding.message}{where}"]


def _card(card: str) -> Iterator[Line]:
    """The card as it was written, without its YAML head: that is shown as labels."""
    body = card.replace("\r\n", "\n")
    if body.startswith("---\n") and "\n---\n" in body[3:]:
        body = body[3:].partition("\n---\n")[2]
    if body.strip():
        yield ""
        yield from (line.expandtabs().rstrip() for line in body.strip().split("\n"))
