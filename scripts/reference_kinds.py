"""Every kind of error and of finding that the code can make, with a sentence and a hint."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from reference_source import Bound, Call, Leaf, Module, Source, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ERRORS", "PACKAGE", "Way", "kinds", "source", "ways"]

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "modelyard"
ERRORS = (
    "InvalidInput", "NotFound", "Conflict", "Denied", "Unavailable", "Corrupt", "Unsupported",
)  # fmt: skip
_FIELDS = {
    **dict.fromkeys((*ERRORS, "ModelyardError"), ("kind", "message", "hint")),
    "Failure": ("kind", "message", "hint", "code"),
    "Finding": ("kind", "severity", "message", "where"),
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which an error, a failure or a finding comes about."""

    made: str
    """Its class."""
    kind: str | None
    """None if it can't be told."""
    message: str
    """With what varies as `{...}`."""
    hint: str
    severity: str
    """Of a finding."""
    where: str
    """File and line."""
    distance: int
    """0 if kind and message are written in one file, 1 if the message is where the kind is kept."""


def source() -> Source:
    """modelyard without what it gives to tests."""
    return Source.read(PACKAGE, without=("testing",))


def ways(code: Source, made: str) -> Iterator[Way]:
    """All ways to make one class, in the order of files and lines."""
    for call in [*code.calls[made], *_of_subclasses(code, made)]:
        if made != "Finding" or call.place.module.path.startswith("formats/"):
            yield from _told(code, made, call, {})


def kinds(found: list[Way]) -> dict[str, list[Way]]:
    """Ways by kind, in the order of the alphabet; first those that say it in words of their own."""
    grouped: dict[str, list[Way]] = {}
    for way in sorted(
        found, key=lambda way: (way.kind or "", way.distance, way.message[:1] == "{")
    ):
        if way.kind is not None:
            grouped.setdefault(way.kind, []).append(way)
    return grouped


def _of_subclasses(code: Source, made: str) -> Iterator[Call]:
    for call in code.calls["super().__init__"]:
        owner = call.place.owner
        if owner and made in map(name_of, owner.bases) and call.place.module.path != "errors.py":
            yield call


def _told(code: Source, made: str, call: Call, bound: Bound) -> Iterator[Way]:
    fields = {}
    for name, value in zip(_FIELDS[made], call.node.args, strict=False):
        fields[name] = Leaf(value, call.place)
    for keyword in call.node.keywords:
        if keyword.arg:
            fields[keyword.arg] = Leaf(keyword.value, call.place)
    if "kind" not in fields or _is_passed_on(fields["kind"]):
        return
    rows = code.rows(call, name_of(fields["kind"].node))
    if rows and not rows[0].keys() <= bound.keys():
        for row in rows:
            yield from _told(code, made, call, bound | row)
        return
    ends = {name: code.leaves(leaf, bound) for name, leaf in fields.items()}
    for leaf in [*ends.get("kind", ()), *ends.get("message", ())]:
        asked = code.parameter(leaf, bound)
        callers = code.callers(*asked) if asked else []
        if asked and callers:
            for caller in callers:
                yield from _told(code, made, call, bound | code.bind(asked[0], caller))
            return
    yield from _ways(code, made, call, ends, bound)


def _ways(
    code: Source, made: str, call: Call, ends: dict[str, list[Leaf]], bound: Bound
) -> Iterator[Way]:
    message = _first(ends.get("message", []))
    where = f"{call.place.module.path}:{call.node.lineno}"
    for leaf in ends.get("kind", []):
        kind = _text(leaf.node)
        hints = [hint for hint in ends.get("hint", []) if _fits(call, hint, kind)]
        yield Way(
            made=made, kind=kind, where=where,
            message=template(code, message, bound) if message else "",
            hint=template(code, _first(hints), bound) if hints else "",
            severity=template(code, _first(ends.get("severity", [])), bound),
            distance=_distance(leaf, message, bound),
        )  # fmt: skip


def _distance(kind: Leaf, message: Leaf | None, bound: Bound) -> int:
    if message is None or kind.place.module is message.place.module:
        return 0
    here = _functions(message.place.module)
    return 1 if any(function in here for function, _ in bound) else 2


@cache
def _functions(module: Module) -> frozenset[ast.AST]:
    return frozenset(node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef))


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _first(found: list[Leaf]) -> Leaf | None:
    """The first that says something."""
    said = [end for end in found if not (isinstance(end.node, ast.Constant) and not end.node.value)]
    return said[0] if said else None


def _fits(call: Call, hint: Leaf, kind: str | None) -> bool:
    """Whether a hint is for a kind, where `hint = ... if kind == "disk-full" else ...` decides."""
    for function in call.place.functions:
        for node in ast.walk(function):
            if isinstance(node, ast.IfExp) and hint.node in (node.body, node.orelse):
                test = ast.unparse(node.test)
                if test.startswith("kind == "):
                    return (test == f"kind == {kind!r}") == (hint.node is node.body)
    return True


def _is_passed_on(leaf: Leaf) -> bool:
    """`error.kind` of an error that was caught or given: it is told where it was made."""
    if not (isinstance(leaf.node, ast.Attribute) and leaf.node.attr == "kind"):
        return False
    name = name_of(leaf.node.value)
    nodes = [node for function in leaf.place.functions for node in ast.walk(function)]
    return any(
        (isinstance(node, ast.ExceptHandler) and node.name == name)
        or (isinstance(node, ast.arg) and node.arg == name and _is_error(node.annotation))
        for node in nodes
    )


def _is_error(annotation: ast.expr | None) -> bool:
    return annotation is not None and name_of(annotation) in (*ERRORS, "ModelyardError")


def template(code: Source, leaf: Leaf | None, bound: Bound) -> str:
    """What a text says, with `{word}` for what is filled in."""
    if leaf is None:
        return ""
    node = leaf.node
    if isinstance(node, ast.Constant):
        return "" if node.value is None else str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _hole(code, Leaf(part.value, leaf.place), bound)
            if isinstance(part, ast.FormattedValue)
            else template(code, Leaf(part, leaf.place), bound)
            for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = (Leaf(side, leaf.place) for side in (node.left, node.right))
        return "".join(template(code, side, bound) for side in sides)
    if isinstance(node, ast.IfExp) and "" in map(_text, (node.body, node.orelse)):
        return ""  # an addition that may be missing
    return f"{{{_word(node)}}}"


def _hole(code: Source, leaf: Leaf, bound: Bound) -> str:
    ends = code.leaves(leaf, bound)
    words = [word for end in ends if (word := _text(end.node))]
    if len(ends) <= 3 and len(words) == len(ends):
        return words[0] if len(words) == 1 else f"{{{' or '.join(dict.fromkeys(words))}}}"
    if len(ends) == 1 and (isinstance(ends[0].node, ast.JoinedStr) or _is_number(leaf, ends[0])):
        return template(code, ends[0], bound)
    return f"{{{_word(leaf.node)}}}"


def _is_number(leaf: Leaf, end: Leaf) -> bool:
    """A limit that has a name: `_LARGEST_PAGE`."""
    return name_of(leaf.node).isupper() and isinstance(end.node, ast.Constant)


def _word(node: ast.expr) -> str:
    """A word for what an expression gives: the name in it that says most."""
    if isinstance(node, ast.Call) and name_of(node.func) == "len":
        return "count"
    if isinstance(node, ast.Call) and node.args:
        return _word(node.args[-1])
    if isinstance(node, ast.Call):
        return _word(node.func.value) if isinstance(node.func, ast.Attribute) else "..."
    if isinstance(node, ast.Subscript):
        return _word(node.value)
    if isinstance(node, ast.BinOp):
        return _word(node.left)
    if isinstance(node, ast.BoolOp):
        return _word(node.values[0])
    return name_of(node).strip("_").lower() or "..."
