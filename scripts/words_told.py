"""Patterns of sentences that code writes in English, and that pages tell in another language.

A pattern is what an f-string says, with names in braces for what is filled in:
`f"trial {trial.number} failed: {why}"` is `trial {number} failed: {why}`.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["patterns"]

_FIELD = re.compile(r"\{(\w*)[^{}]*\}")
_WORD = re.compile(r"[A-Za-z]{2,}")
_SHORT = 3
_CODE = re.compile(r"\\|\bimport |\.\*|\w\[\w| \| ")
_DESCRIPTION = re.compile(r"^\s*description: (.+)$", re.MULTILINE)


def patterns(code: str) -> Iterator[str]:
    """What a module says in two words or more; without docstrings, types and hints."""
    for text in _said(ast.parse(code)):
        if "\n" in text:  # a recipe
            yield from _DESCRIPTION.findall(text)
        elif _is_sentence(text):
            yield text


def _is_sentence(text: str) -> bool:
    """Two words at least, or one and what is filled in."""
    plain = _FIELD.sub("", text)
    words = _WORD.findall(plain)
    enough = len(words) > 1 or (plain != text and any(len(word) > _SHORT for word in words))
    return " " in text and enough and not _CODE.search(text)


def _said(node: ast.AST) -> Iterator[str]:
    if _is_silent(node):
        return
    parts = list(_parts(node)) if isinstance(node, ast.expr) else []
    if any(isinstance(part, str) for part in parts):
        yield _joined(parts)
        for part in parts:
            if isinstance(part, ast.expr):
                yield from _said(part)
        return
    for child in ast.iter_child_nodes(node):
        yield from _said(child)


def _is_silent(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.keyword):
        return node.arg == "hint"
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).startswith("re.")
    return isinstance(node, ast.arg)  # its type


def _parts(node: ast.expr) -> Iterator[str | ast.expr]:
    """Texts, and what stands between them; nothing if it is no text."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield part.value
            else:
                yield from _parts(part)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for side in (node.left, node.right):
            yield from list(_parts(side)) or [side]


def _joined(parts: list[str | ast.expr]) -> str:
    """One pattern; what is filled in side by side is filled in as one."""
    names: list[str] = []
    made = ""
    for part in parts:
        if not isinstance(part, str):
            made += "" if made.endswith("}") else f"{{{_own(_name(part), names)}}}"
        else:
            made += _FIELD.sub(lambda found: f"{{{_own(found[1] or 'it', names)}}}", part)
    return made


def _name(node: ast.expr) -> str:
    """The last word of what is filled in."""
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_")
    if isinstance(node, ast.Name):
        return node.id.strip("_")
    if isinstance(node, ast.Call):
        return _name(node.args[0]) if node.args else _name(node.func)
    return "it"


def _own(name: str, names: list[str]) -> str:
    """A name that is not taken yet."""
    found = name
    while found in names:
        found = f"{name}{sum(known.startswith(name) for known in names) + 1}"
    names.append(found)
    return found
