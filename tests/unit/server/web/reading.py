"""Templates as the contract sees them: what they ask of a page, and what stands in them bare."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import types
import typing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import meta, nodes

import modelyard.server
from modelyard.server.web.rendering import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ALONE",
    "CSS",
    "SERVER",
    "TEMPLATES",
    "bare",
    "free_names",
    "pages_of",
    "source",
    "unknown",
]

SERVER = Path(modelyard.server.__file__).parent
TEMPLATES = {path.name: path for path in sorted((SERVER / "web/templates").glob("*.html"))}
CSS = sorted([*(SERVER / "web/static").rglob("*.css"), *(SERVER / "web/templates").glob("*.css")])
ALONE = ("report.html",)
"""What is no page, but a file that somebody keeps: it has its style in itself."""
_KNOWN = {"range", "dict", "namespace", "cycler", "joiner", "_", "gettext", "ngettext"}
_LOOP = {"index", "index0", "first", "last", "length", "previtem", "nextitem", "revindex",
         "changed", "cycle", "depth", "depth0", "revindex0"}  # fmt: skip
_SAYS = ("title", "aria-label", "aria-description", "placeholder", "alt")
_NO_WORDS = ("code", "pre", "kbd", "script", "style", "samp")
_NAMES = {
    "modelyard",
    "JSON",
    "API",
    "CLI",
    "SDK",
    "Python",
    "git",
    "Git",
    "SHA-256",
    "URL",
    "UTC",
    "main",
    "p",
    "p50",
    "p95",
    "p99",
}
"""Names of things are the same in every language."""


def source(template: str) -> str:
    return TEMPLATES[template].read_text(encoding="utf-8")


# -- which page a template shows -------------------------------------------------------------------


def pages_of() -> dict[str, list[type]]:
    """The dataclasses that each template is rendered with, as the code says."""
    found: dict[str, list[type]] = {}
    for path in sorted(SERVER.rglob("*.py")):
        if "html" in (text := path.read_text(encoding="utf-8")):
            for template, name in _said(ast.parse(text)):
                module = importlib.import_module(_module(path))
                for each in name.split("|"):
                    value = getattr(module, each.strip(), None)
                    if dataclasses.is_dataclass(value) and value not in found.get(template, []):
                        found.setdefault(template, []).append(value)  # type: ignore[arg-type]
    return found


def _module(path: Path) -> str:
    inside = path.relative_to(SERVER.parent.parent).with_suffix("")
    return ".".join(part for part in inside.parts if part != "__init__")


def _said(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(template, class) of `@pages.page(PATH, TEMPLATE)` and `html(ask, TEMPLATE, Class(...))`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for one in node.decorator_list:
                if isinstance(one, ast.Call) and ast.unparse(one.func).endswith(".page"):
                    yield _text(one.args[1]), ast.unparse(node.returns or ast.Constant(None))
            made = {
                target.id: ast.unparse(step.value.func)
                for step in ast.walk(node)
                if isinstance(step, ast.Assign) and isinstance(step.value, ast.Call)
                for target in step.targets if isinstance(target, ast.Name)
            }  # fmt: skip
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and len(call.args) > 2 and _text(call.args[1]):
                    shown = call.args[2]
                    if isinstance(shown, ast.Call):
                        yield _text(call.args[1]), ast.unparse(shown.func)
                    elif isinstance(shown, ast.Name) and shown.id in made:
                        yield _text(call.args[1]), made[shown.id]


def _text(node: ast.expr) -> str:
    plain = isinstance(node, ast.Constant) and str(node.value).endswith(".html")
    return str(node.value) if plain else ""  # type: ignore[attr-defined]


# -- what is asked of it ---------------------------------------------------------------------------


def free_names(template: str) -> set[str]:
    """Names that a template takes from outside."""
    parsed = environment("en").parse(source(template))
    own = {name for kind in _BINDS for step in parsed.find_all(kind) for name in _bound(step)}
    return meta.find_undeclared_variables(parsed) - _KNOWN - own


_BINDS = (nodes.Import, nodes.FromImport, nodes.Macro, nodes.Assign, nodes.AssignBlock)


def _bound(step: nodes.Node) -> list[str]:
    """Names that a step of a template gives."""
    if isinstance(step, nodes.Import):
        return [step.target]
    if isinstance(step, nodes.FromImport):
        return [name if isinstance(name, str) else name[1] for name in step.names]
    if isinstance(step, nodes.Macro):
        return [step.name]
    target = step.target  # type: ignore[attr-defined]
    return [name.name for name in [target, *target.find_all(nodes.Name)] if hasattr(name, "name")]


def unknown(template: str, page: type) -> list[str]:
    """Attributes that the template asks for and that the page's values have not."""
    walk = _Walk({"page": page})
    walk.body(environment("en").parse(source(template)).body)
    return walk.wrong


@dataclass
class _Walk:
    """Follows the types of names through loops and settings, as far as they are known."""

    types: dict[str, Any]
    wrong: list[str] = field(default_factory=list)

    def body(self, steps: list[nodes.Node]) -> None:
        for step in steps:
            self.step(step)

    def step(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.For):
            inner = _Walk(dict(self.types), self.wrong)
            inner.bind(node.target, _item(self.of(node.iter)))
            inner.types["loop"] = None
            inner.body([*([node.test] if node.test else []), *node.body])
            self.body(node.else_)
        elif isinstance(node, nodes.Macro):
            inner = _Walk(
                {**self.types, **dict.fromkeys((a.name for a in node.args), None)}, self.wrong
            )
            inner.body(node.body)
        elif isinstance(node, nodes.Assign):
            self.bind(node.target, self.of(node.node))
        elif isinstance(node, nodes.Expr):
            self.of(node)
        else:
            for child in node.iter_child_nodes():
                self.step(child)

    def bind(self, target: nodes.Node, given: Any) -> None:
        if isinstance(target, nodes.Name):
            self.types[target.name] = given
        elif isinstance(target, nodes.Tuple):
            parts = typing.get_args(given) if typing.get_origin(given) is tuple else ()
            fit = len(parts) == len(target.items) and ... not in parts
            for number, each in enumerate(target.items):
                self.bind(each, parts[number] if fit else None)

    def of(self, node: nodes.Node) -> Any:
        """The type of an expression; None if it is not known."""
        if isinstance(node, nodes.Name):
            return self.types.get(node.name)
        if isinstance(node, nodes.Getattr):
            return self.attribute(self.of(node.node), node)
        if isinstance(node, nodes.Getitem):
            whole = self.of(node.node)
            self.of(node.arg)
            if isinstance(node.arg, nodes.Slice):
                return whole
            return _item(whole, of_values=True)
        if isinstance(node, nodes.Call):
            for child in [*node.args, *(pair.value for pair in node.kwargs)]:
                self.of(child)
            made = self.of(node.node)
            return made if not callable(made) or isinstance(made, type) else None
        if isinstance(node, nodes.CondExpr):
            self.of(node.test)
            first, second = self.of(node.expr1), node.expr2 and self.of(node.expr2)
            return first or second
        for child in node.iter_child_nodes():
            self.of(child)
        return None

    def attribute(self, given: Any, node: nodes.Getattr) -> Any:
        known = [t for t in _members(given) if t not in (None, type(None), Any)]
        found = [_attribute(one, node.attr) for one in known]
        if known and not any(has for has, _ in found):
            names = " | ".join(getattr(one, "__name__", str(one)) for one in known)
            self.wrong.append(f"line {node.lineno}: {names} has no .{node.attr}")
        return next((kind for has, kind in found if has), None)


def _members(given: Any) -> tuple[Any, ...]:
    union = typing.get_origin(given) in (typing.Union, types.UnionType)
    return typing.get_args(given) if union else (given,)


def _attribute(owner: Any, name: str) -> tuple[bool, Any]:
    """Whether a type has an attribute, and what its type is."""
    plain = typing.get_origin(owner) or owner
    if not isinstance(plain, type):
        return True, None
    if typing.get_origin(owner) and name in ("items", "values", "keys"):
        return True, _mapping(owner, name)
    if dataclasses.is_dataclass(plain) or issubclass(plain, msgspec.Struct):
        told = typing.get_type_hints(plain, localns=_names_beside(plain))
        if name in told:
            return True, told[name]
    value = inspect.getattr_static(plain, name, None)
    if isinstance(value, property):
        hints = typing.get_type_hints(value.fget, localns=_names_beside(plain))
        return True, hints.get("return")
    return value is not None, None


def _names_beside(owner: type) -> dict[str, Any]:
    """Names that its module imports for type checkers only."""
    text = inspect.getsource(importlib.import_module(owner.__module__))
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            try:
                module = importlib.import_module(node.module)
            except ImportError:
                continue
            found |= {a.asname or a.name: getattr(module, a.name, Any) for a in node.names}
    return found


def _mapping(owner: Any, name: str) -> Any:
    key, value = (*typing.get_args(owner), Any, Any)[:2]
    of = {"items": tuple[key, value], "values": value, "keys": key}[name]  # type: ignore[valid-type]
    return list[of]  # type: ignore[valid-type]


def _item(given: Any, *, of_values: bool = False) -> Any:
    """What a loop over a value, or an index into it, gives."""
    for one in _members(given):
        origin, parts = typing.get_origin(one), typing.get_args(one)
        if origin is None or not parts or origin is typing.Literal:
            continue
        if origin is tuple:
            return parts[0] if len(parts) == 2 and parts[1] is ... else None
        if len(parts) == 2:
            return parts[1 if of_values else 0]
        return parts[0]
    return None


# -- what stands in it bare ------------------------------------------------------------------------


@dataclass
class _Bare(HTMLParser):
    """Text and attributes with letters that nobody can translate, and how elements look."""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in _NO_WORDS:
            self.open.append(tag)
        self.words += [
            f'{name}="{value}"'
            for name, value in attrs
            if name in _SAYS and _says(value or "") and not _is_example(name, value or "")
        ]

    def handle_endtag(self, tag: str) -> None:
        if self.open and tag == self.open[-1]:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open and _says(data):
            self.words.append(data.strip())


def _says(text: str) -> bool:
    words = re.findall(r"[^\W\d_][\w-]*", re.sub(r"%[-+,.\d]*[sdgfei]", "", text))
    return any(word not in _NAMES for word in words)


def _is_example(name: str, value: str) -> bool:
    """`vision/*, nlp/bert` where names go is the same in every language."""
    is_name = " " not in value and value == value.lower()
    return name == "placeholder" and (is_name or any(c in value for c in "/@*="))


def bare(template: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Untranslated words of a template, and all (tag, attribute, value) in it."""
    parser = _Bare()
    parser.feed(_flat(source(template)))
    parser.close()
    return parser.words, parser.attributes


def _flat(text: str) -> str:
    """The template without what Jinja does; strings that an expression shows stay in place."""
    env = environment("en")
    made, shown, translated, inside = [], [], False, ""
    for _, kind, value in env.lex(text):
        if kind == "block_begin":
            inside, shown = "block", []
        elif kind == "variable_begin":
            inside, shown = "variable", []
        elif kind == "block_end":
            first = next((v for k, v in shown if k == "name"), "")
            translated = first == "trans" or (translated and first != "endtrans")
            inside = ""
        elif kind == "variable_end":
            made.append("" if translated else _shown(shown))
            inside = ""
        elif inside:
            if kind != "whitespace":
                shown.append((kind, value))
        elif kind == "data" and not translated:
            made.append(value)
    return "".join(made)


def _shown(tokens: list[tuple[str, str]]) -> str:
    """Strings of an expression that it shows itself: not in calls, subscripts or comparisons."""
    depth, found, before = 0, [], ""
    for kind, value in tokens:
        if value in ("(", "[", "{"):
            depth += 1
        elif value in (")", "]", "}"):
            depth -= 1
        elif kind == "string" and depth == 0 and before not in ("==", "!=", "in"):
            found.append(value[1:-1])
        before = value
    return " ".join(found)
