"""The source as syntax trees, with just enough looking up to tell where a value comes from."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Call", "Leaf", "Module", "Place", "Source", "name_of"]

Bound = dict[tuple[ast.FunctionDef, str], "Leaf"]
"""What a caller passes for each parameter of a function."""


@dataclass(frozen=True, slots=True)
class Module:
    """A file of the package."""

    path: str
    """Below the package, with slashes: `formats/onnx.py`."""
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Place:
    """What surrounds an expression."""

    module: Module
    owner: ast.ClassDef | None = None
    functions: tuple[ast.FunctionDef, ...] = ()
    """From the outermost to the innermost."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """An expression where it stands."""

    node: ast.expr
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """A call where it stands."""

    node: ast.Call
    place: Place


@dataclass
class Source:
    """All modules, and who calls what by which name."""

    modules: list[Module] = field(default_factory=list)
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    classes: dict[str, list[tuple[ast.ClassDef, Module]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    functions: dict[str, list[tuple[ast.FunctionDef, Place]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    @classmethod
    def read(cls, package: Path, *, without: Sequence[str] = ()) -> Source:
        """Every module of a package but those below some folders."""
        source = cls()
        for path in sorted(package.rglob("*.py")):
            inside = path.relative_to(package)
            if inside.parts[0] in without:
                continue
            module = Module(inside.as_posix(), ast.parse(path.read_text(encoding="utf-8")))
            source.modules.append(module)
            source._gather(module.tree, Place(module))
        return source

    def _gather(self, node: ast.AST, place: Place) -> None:
        for child in ast.iter_child_nodes(node):
            inner = place
            if isinstance(child, ast.Call):
                self.calls[_callee(child)].append(Call(child, place))
            elif isinstance(child, ast.ClassDef):
                self.classes[child.name].append((child, place.module))
                inner = Place(place.module, child)
            elif isinstance(child, ast.FunctionDef):
                self.functions[child.name].append((child, place))
                inner = Place(place.module, place.owner, (*place.functions, child))
            self._gather(child, inner)

    def callers(self, function: ast.FunctionDef, place: Place) -> list[Call]:
        """Calls of a function, or of the class that it builds."""
        owner = place.owner if function in (place.owner.body if place.owner else ()) else None
        name = owner.name if owner and function.name == "__init__" else function.name
        found = [call for call in self.calls[name] if function not in call.place.functions]
        if owner is not None and function.name != "__init__":
            found = [call for call in found if isinstance(call.node.func, ast.Attribute)]
        elif owner is None:
            found = [call for call in found if _knows(call, name, place.module)]
        if name.startswith("_") or (owner is not None and owner.name.startswith("_")):
            return [call for call in found if call.place.module is place.module]
        return found

    def leaves(
        self, leaf: Leaf, bound: Bound, seen: frozenset[ast.expr] = frozenset()
    ) -> list[Leaf]:
        """The expressions that one may stand for, as far as they can be followed."""
        node, place = leaf.node, leaf.place
        if node in seen:
            return []
        if isinstance(node, ast.IfExp):
            further = [Leaf(part, place) for part in (node.body, node.orelse)]
        elif isinstance(node, ast.BoolOp):
            further = [Leaf(part, place) for part in node.values]
        elif isinstance(node, ast.Name):
            further = self._origins(node, place, bound)
        elif isinstance(node, ast.Attribute):
            further = self._attribute(node, place)
        else:
            further = []
        found = [end for part in further for end in self.leaves(part, bound, seen | {node})]
        return found or [leaf]

    def parameter(self, leaf: Leaf, bound: Bound) -> tuple[ast.FunctionDef, Place] | None:
        """The function whose caller decides a value, if that is so and nobody was asked yet."""
        if not isinstance(leaf.node, ast.Name):
            return None
        for depth in range(len(leaf.place.functions), 0, -1):
            function = leaf.place.functions[depth - 1]
            if leaf.node.id in parameters(function):
                outer = Place(
                    leaf.place.module, leaf.place.owner, leaf.place.functions[: depth - 1]
                )
                return None if (function, leaf.node.id) in bound else (function, outer)
        return None

    def bind(self, function: ast.FunctionDef, call: Call) -> Bound:
        """What a call gives to each parameter; defaults where it says nothing."""
        names = parameters(function)
        given: Bound = {}
        for name, default in _defaults(function):
            given[function, name] = Leaf(default, Place(call.place.module))
        is_method = bool(names) and names[0] in ("self", "cls")
        for name, value in zip(names[is_method:], call.node.args, strict=False):
            given[function, name] = Leaf(value, call.place)
        for keyword in call.node.keywords:
            if keyword.arg in names:
                given[function, keyword.arg] = Leaf(keyword.value, call.place)
        return given

    def rows(self, call: Call, name: str) -> list[Bound]:
        """What the loop around a call gives to its names, row by row, if one of them is `name`.

        For `for kind, text in ((...), (...))`, and for the rows that a function of the file makes.
        """
        found: list[Bound] = []
        for function in call.place.functions:
            for loop in ast.walk(function):
                if not (isinstance(loop, ast.For) and isinstance(loop.target, ast.Tuple)):
                    continue
                names = [name_of(target) for target in loop.target.elts]
                if name in names and call.node in ast.walk(loop):
                    found += [
                        {(function, key): Leaf(v, at) for key, v in zip(names, row, strict=True)}
                        for row, at in self._rows(loop.iter, call.place)
                        if len(row) == len(names)
                    ]
        return found

    def _origins(self, node: ast.Name, place: Place, bound: Bound) -> list[Leaf]:
        for depth in range(len(place.functions), 0, -1):
            function = place.functions[depth - 1]
            if (function, node.id) in bound:
                return [bound[function, node.id]]
            here = Place(place.module, place.owner, place.functions[:depth])
            if found := [Leaf(value, here) for value in _assigned(function, node.id)]:
                return found
            if node.id in parameters(function):
                return []
        return self._global(node.id, place.module)

    def _global(self, name: str, module: Module) -> list[Leaf]:
        top = Place(module)
        if found := [Leaf(value, top) for value in _assigned(module.tree, name, deep=False)]:
            return found
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        other = self._module(node.module)
                        return self._global(alias.name, other) if other else []
        return []

    def _module(self, dotted: str) -> Module | None:
        path = dotted.partition(".")[2].replace(".", "/")
        names = (f"{path}.py", f"{path}/__init__.py".lstrip("/"))
        return next((module for module in self.modules if module.path in names), None)

    def _rows(self, rows: ast.expr, place: Place) -> Iterator[tuple[list[ast.expr], Place]]:
        if isinstance(rows, ast.Tuple | ast.List):
            yield from ((row.elts, place) for row in rows.elts if isinstance(row, ast.Tuple))
        elif isinstance(rows, ast.Call):
            for function, outer in self.functions[_callee(rows)]:
                if outer.module is place.module:
                    inner = Place(outer.module, outer.owner, (*outer.functions, function))
                    for node in ast.walk(function):
                        if isinstance(node, ast.Tuple) and isinstance(node.elts[0], ast.Constant):
                            yield node.elts, inner

    def _attribute(self, node: ast.Attribute, place: Place) -> list[Leaf]:
        """What the class of `self`, or of an annotated parameter, keeps under a name."""
        if not isinstance(node.value, ast.Name):
            return []
        if node.value.id == "self" and place.owner:
            return _kept(place.owner, place.module, node.attr)
        owners = self.classes.get(_annotation(node.value.id, place), [])
        return [leaf for owner, module in owners for leaf in _kept(owner, module, node.attr)]


def _knows(call: Call, name: str, home: Module) -> bool:
    """Whether a call by this name means the function of `home`, and not another of its name."""
    func = call.node.func
    dotted = home.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if isinstance(func, ast.Attribute):
        return isinstance(func.value, ast.Name) and func.value.id == dotted.rpartition(".")[2]
    if call.place.module is home:
        return True
    return (dotted, name) in _imports(call.place.module)


@cache
def _imports(module: Module) -> frozenset[tuple[str, str]]:
    """What a module imports from ours: the module, and the name that it has here."""
    return frozenset(
        ((node.module or "").removeprefix("modelyard."), alias.asname or alias.name)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


def parameters(function: ast.FunctionDef) -> list[str]:
    """Names of all parameters that can be told apart."""
    spec = function.args
    return [arg.arg for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]


def name_of(node: ast.expr) -> str:
    """The last word of a name: `Conflict` for `errors.Conflict`."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _callee(call: ast.Call) -> str:
    """Whom a call calls; `super().__init__` is told as such."""
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr == "__init__":
        return "super().__init__"
    return name_of(func)


def _defaults(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    first = len(positional) - len(spec.defaults)
    for arg, value in zip(positional[first:], spec.defaults, strict=True):
        yield arg.arg, value
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if default is not None:
            yield arg.arg, default


def _assigned(root: ast.AST, name: str, *, deep: bool = True) -> Iterator[ast.expr]:
    nodes = ast.walk(root) if deep else ast.iter_child_nodes(root)
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _paired(target, node.value, name)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            yield from _paired(node.target, node.value, name)


def _paired(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    """The part of an assignment that goes to a name: `a, b = 1, 2` gives 2 to `b`."""
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for inner, part in zip(target.elts, value.elts, strict=False):
            yield from _paired(inner, part, name)


def _annotation(name: str, place: Place) -> str:
    """The class that a parameter is said to be of."""
    for function in reversed(place.functions):
        spec = function.args
        for arg in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs):
            if arg.arg == name and arg.annotation is not None:
                return name_of(arg.annotation)
    return ""


def _kept(owner: ast.ClassDef, module: Module, attribute: str) -> list[Leaf]:
    """What a class keeps as an attribute: set in `__init__`, or one of the words of a Literal."""
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            place = Place(module, owner, (node,))
            return [
                Leaf(inner.value, place)
                for inner in ast.walk(node)
                if isinstance(inner, ast.Assign)
                and any(ast.unparse(target) == f"self.{attribute}" for target in inner.targets)
            ]
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == attribute:
            words = [n for n in ast.walk(node.annotation) if isinstance(n, ast.Constant)]
            return [Leaf(word, Place(module)) for word in words if isinstance(word.value, str)]
    return []
