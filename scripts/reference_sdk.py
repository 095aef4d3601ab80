"""The page of the Python SDK, from signatures, docstrings and the texts below fields."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from pathlib import Path

from reference_words import WORDS

__all__ = ["lacking", "sdk_page"]

_PACKAGE = Path(__file__).resolve().parent.parent / "src" / "modelyard"
_HANDLES = {
    "Yard": "core/yard.py", "Model": "core/handles.py", "Version": "core/handles.py",
    "Deployments": "core/deploying.py", "Monitoring": "core/watching.py",
    "Optimizations": "core/optimizing.py",
}  # fmt: skip
_VALUES = (
    "core/version.py", "core/diff.py", "core/evaluation.py", "core/explanation.py", "core/stats.py",
    "core/tensor.py", "core/deployment.py", "core/monitoring.py", "core/optimization.py",
)  # fmt: skip
_MADE_BY_HAND = (
    "DeploymentSpec", "Share", "Rollout", "Limits", "Recipe", "Step", "Goal", "Constraint",
)  # fmt: skip
"""Values that people make, and import for it."""
_WIDTH = 96

_INTRODUCTION = """\
# The Python SDK

This page is made from the code by `make docs`. [From Python](../guides/sdk.md) shows how to use it.

Public are `modelyard.open`, `modelyard.create`, `modelyard.explain`, `modelyard.optimize`,
`modelyard.suggest`, `modelyard.predict`, `modelyard.predict_file`, `modelyard.watch`, `Model`,
`Version`, `Yard`, `TRUST_ALL` and `errors`, `DeploymentSpec`, `Share`, `Rollout` and `Limits`,
`Recipe`, `Step`, `Goal` and `Constraint`, and the values that they give.
A revision is a number, the name of a branch, tag or alias, a commit (7 or more hex digits) or
`latest`; where it may be None, that is the tip of `main`, or else the latest version.
"""

_TRUST = """\
## modelyard.TRUST_ALL

Given as `trusted=`, it lets a file import and call whatever it names: for files that you made
yourself. Otherwise name what you trust, `trusted=["module.Class", ...]`; a refusal lists the names.
[Trust](../guides/trust.md) says what runs when.
"""

_ERRORS = """\
## modelyard.errors

{doc}

What can be raised is listed in [Errors and findings](errors.md).
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A field, attribute, property or method of a class."""

    name: str
    signature: str
    """Of a method, with its name; of others their type."""
    doc: str
    is_method: bool
    default: str = ""


@dataclass(frozen=True, slots=True)
class Public:
    """A public class."""

    name: str
    doc: str
    members: tuple[Member, ...]

    def told(self, member: Member) -> str:
        """What a member is, in its own words or in those that all values share."""
        shared = WORDS.get(f"{member.name}: {member.signature}", WORDS.get(member.name, ""))
        return member.doc or ("" if member.is_method else shared)

    def lacking(self) -> list[str]:
        """Members that are told neither so nor in the text of the class or of another member."""
        texts = " ".join([self.doc, *(member.doc for member in self.members)])
        return [
            f"{self.name}.{member.name}"
            for member in self.members
            if not self.told(member) and f"`{member.name}`" not in texts
        ]


def sdk_page() -> str:
    """The page of everything public."""
    handles = _handles()
    opening = [_function_section("__init__.py", name) for name in ("open", "create")]
    parts = [_INTRODUCTION, *opening]
    for public in handles:
        parts += _section(public, "##", handles[0])
    for public in _values():
        if public.name in _MADE_BY_HAND:
            parts += _section(public, "##", None)
    parts.append(_function_section("optimization/explain/explaining.py", "explain"))
    parts.append(_function_section("optimization/running.py", "optimize"))
    parts.append(_function_section("automation/suggesting.py", "suggest"))
    parts.append(_function_section("client/predicting.py", "predict"))
    parts.append(_function_section("client/predicting.py", "predict_file"))
    parts.append(_function_section("monitoring/opening.py", "watch"))
    parts.append(_TRUST)
    parts.append("## Values\n\nFrozen, and the same in Python, in JSON and on the command line.\n")
    for public in _values():
        if public.name not in _MADE_BY_HAND:
            parts += _section(public, "###", None)
    doc = ast.get_docstring(_tree("errors.py")) or ""
    parts.append(_ERRORS.format(doc=doc))
    return "\n".join(part for part in parts if part)


def lacking() -> list[str]:
    """What has no documentation, as `Class.member`."""
    return sorted(name for public in (*_handles(), *_values()) for name in public.lacking())


def _handles() -> list[Public]:
    found = []
    for name, path in _HANDLES.items():
        public = _public(_class(_tree(path), name), _tree(path))
        more = (ast.get_docstring(_tree(path)) or "").partition("\n\n")[2]
        found.append(replace(public, doc=f"{public.doc}\n\n{more}".strip()))
    return found


def _values() -> list[Public]:
    return [
        _public(node, tree)
        for tree in map(_tree, _VALUES)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def _tree(path: str) -> ast.Module:
    return ast.parse((_PACKAGE / path).read_text(encoding="utf-8"))


def _class(tree: ast.Module, name: str) -> ast.ClassDef:
    return next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)


def _public(node: ast.ClassDef, tree: ast.Module) -> Public:
    names = _Aliases(tree)
    members = []
    for number, child in enumerate(node.body):
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            below = node.body[number + 1 : number + 2]
            members.append(_field(child, child.target.id, below, names))
        elif isinstance(child, ast.FunctionDef):
            members += _function(child, names)
    return Public(node.name, ast.get_docstring(node) or "", tuple(members))


def _field(node: ast.AnnAssign, name: str, below: list[ast.stmt], names: _Aliases) -> Member:
    doc = ""
    if below and isinstance(below[0], ast.Expr) and isinstance(below[0].value, ast.Constant):
        doc = str(below[0].value.value)
    default = ""
    if node.value is not None:
        factory = re.fullmatch(r"field\(default_factory=(\w+)\)", ast.unparse(node.value))
        default = {"dict": "{}", "list": "[]"}[factory[1]] if factory else _code(node.value)
    return Member(name, names.text(node.annotation), doc, is_method=False, default=default)


def _function(node: ast.FunctionDef, names: _Aliases) -> list[Member]:
    doc = ast.get_docstring(node) or ""
    if node.name == "__init__":
        return [
            Member(target.attr, _given(inner.value, node, names), "", is_method=False)
            for inner in ast.walk(node)
            if isinstance(inner, ast.Assign)
            for target in inner.targets
            if isinstance(target, ast.Attribute) and not target.attr.startswith("_")
        ]
    is_special = node.name.startswith("__")
    if (node.name.startswith("_") and not is_special) or (is_special and not doc):
        return []
    if any(ast.unparse(decorator) == "property" for decorator in node.decorator_list):
        assert node.returns is not None
        return [Member(node.name, names.text(node.returns), doc, is_method=False)]
    return [Member(node.name, _signature(node, names), doc, is_method=True)]


def _given(value: ast.expr, function: ast.FunctionDef, names: _Aliases) -> str:
    """The type of an attribute: of the parameter that it is, or of the field of a version."""
    if isinstance(value, ast.Attribute):
        version = _class(_tree(_VALUES[0]), "VersionInfo")
        types = {ast.unparse(n.target): n for n in version.body if isinstance(n, ast.AnnAssign)}
        return names.text(types[value.attr].annotation)
    types_of = {arg.arg: arg.annotation for arg in function.args.args}
    annotation = types_of.get(ast.unparse(value))
    return names.text(annotation) if annotation else ""


class _Aliases(ast.NodeTransformer):
    """Short names for types, such as `Rev`, written out."""

    def __init__(self, tree: ast.Module) -> None:
        self._types = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._types.get(node.id, node)

    def text(self, annotation: ast.expr) -> str:
        """A type as people write it."""
        copy = ast.parse(ast.unparse(annotation), mode="eval")
        return _code(self.visit(copy).body)


def _code(node: ast.expr) -> str:
    return ast.unparse(node).replace("'", '"')


def _signature(node: ast.FunctionDef, names: _Aliases) -> str:
    spec = node.args
    plain = [*spec.posonlyargs, *spec.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(spec.defaults))
    pairs = zip(plain, [*defaults, *spec.defaults], strict=True)
    given = [_parameter(*pair, names) for pair in pairs]
    given = given[1:] if plain and plain[0].arg in ("self", "cls") else given
    if spec.kwonlyargs:
        given.append("*")
    pairs = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    given += [_parameter(*pair, names) for pair in pairs]
    if spec.kwarg:
        given.append(f"**{_parameter(spec.kwarg, None, names)}")
    returns = f" -> {names.text(node.returns)}" if node.returns else ""
    line = f"{node.name}({', '.join(given)}){returns}"
    if len(line) <= _WIDTH:
        return line
    return f"{node.name}(\n" + "".join(f"    {text},\n" for text in given) + f"){returns}"


def _parameter(arg: ast.arg, default: ast.expr | None, names: _Aliases) -> str:
    text = f"{arg.arg}: {names.text(arg.annotation)}" if arg.annotation else arg.arg
    return text if default is None else f"{text} = {_code(default)}"


def _function_section(path: str, name: str) -> str:
    tree = _tree(path)
    node = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
    signature = _signature(node, _Aliases(tree))
    doc = _markdown(ast.get_docstring(node) or "")
    return f"## modelyard.{name}\n\n```python\n{signature}\n```\n\n{doc}\n"


def _section(public: Public, level: str, inherited: Public | None) -> list[str]:
    parts = [f"{level} {public.name}\n\n{_markdown(public.doc)}\n", _table(public)]
    return parts + [_method(public, m, inherited) for m in public.members if m.is_method]


def _method(public: Public, member: Member, inherited: Public | None) -> str:
    doc = _markdown(member.doc)
    others = inherited.members if inherited and inherited.name != public.name else ()
    other = next((m for m in others if m.name == member.name), None)
    if not doc and other:
        doc = f"{_markdown(other.doc)}\n\nAs `Yard.{member.name}`.".strip()
    title = f"#### `{public.name}.{member.name}`"
    return f"{title}\n\n```python\n{member.signature}\n```\n\n{doc}".rstrip() + "\n"


def _table(public: Public) -> str:
    rows = [member for member in public.members if not member.is_method]
    if not rows:
        return ""
    lines = ["| name | type | |", "|---|---|---|"]
    for member in rows:
        kind = f"`{member.signature}`" if member.signature else ""
        kind += f" = `{member.default}`" if member.default else ""
        lines.append(f"| `{member.name}` | {_cell(kind)} | {_cell(public.told(member))} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _markdown(doc: str) -> str:
    """Google's sections as lists."""
    lines: list[str] = []
    inside = False
    for line in doc.splitlines():
        if line in ("Args:", "Raises:", "Returns:"):
            inside = True
            lines += [line, ""]
        elif inside and (entry := re.match(r"    (\w+): (.*)", line)):
            lines.append(f"- `{entry[1]}`: {entry[2]}")
        elif inside and line.startswith("    "):
            lines.append(f"  {line.strip()}")
        else:
            inside = inside and not line
            lines.append(line)
    return "\n".join(lines)
