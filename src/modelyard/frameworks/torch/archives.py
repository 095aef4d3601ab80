"""Exported programs (`.pt2`): what `torch.export.load` would run, found out before it is asked.

The loader unpickles members that the archive flags as pickles, gives strings of the graph to
sympy's parser (which evaluates them), compiles guards as Python, and looks up the targets of calls
by name in torch. So here a graph may only call tensor operators, its expressions may only be
arithmetic over sizes, and every pickle in it only tensors; what is more needs trust.
"""

from __future__ import annotations

import ast
import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.interface import Budget
from modelyard.formats.reading import parse_json, printable
from modelyard.formats.zips import Member, members, unpack
from modelyard.frameworks.torch.pickles import names_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.trust import Trust

__all__ = ["check_archive"]

Json = Any

_JSON_LIMIT = 100_000_000
_PICKLE_LIMIT = 1_000_000_000
_DEPTH = 200
_OPERATOR = re.compile(r"torch\.ops\.(aten|prims)\.[a-z0-9_]+\.[A-Za-z0-9_]+")
_REACHING_OUT = ("torch.ops.aten.from_file.",)
_PYTHON = frozenset({
    "_operator.add", "_operator.sub", "_operator.mul", "_operator.truediv", "_operator.floordiv",
    "_operator.mod", "_operator.pow", "_operator.neg", "_operator.pos", "_operator.abs",
    "_operator.eq", "_operator.ne", "_operator.lt", "_operator.le", "_operator.gt",
    "_operator.ge", "_operator.and_", "_operator.or_", "_operator.not_", "_operator.getitem",
    "torch.sym_int", "torch.sym_float", "torch.sym_max", "torch.sym_min", "torch.sym_not",
    "torch.sym_ite", "torch.sym_sum", "torch._sym_sqrt", "torch._check", "torch._check_is_size",
    "math.ceil", "math.floor", "math.trunc",
})  # fmt: skip
_MEMBER = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)"
    r"|models/[a-z0-9_]+\.json|data/sample_inputs/[a-z0-9_]+\.pt"
    r"|data/weights/([a-z0-9_]+_weights_config\.json|weight_[0-9]+)"
    r"|data/constants/([a-z0-9_]+_constants_config\.json|tensor_[0-9]+)"
    r"|extra/[^\\]*"
)
"""Members that torch writes, as it writes them: it finds them without regard to case."""
_RECORD = re.compile(r"(weight|tensor)_[0-9]+")
_TENSORS = re.compile(
    r"torch\._utils\._rebuild_(tensor_v2|tensor_v3|parameter)|collections\.OrderedDict|torch\.Size"
    r"|torch\.[A-Z][A-Za-z0-9]*Storage|torch\.storage\.(UntypedStorage|TypedStorage)"
)
"""What pickles in an archive may name: tensors and nothing more."""
_WIDTHS = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 9: 4, 10: 8, 11: 16, 12: 1, 13: 2, 28: 2,
    29: 1, 30: 1, 31: 1, 32: 1, 33: 1, 34: 4, 35: 8,
}  # fmt: skip
"""Bytes of an element by torch's number of the type."""
_PLAIN = re.compile(r"[A-Za-z0-9_.\-+:]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYMBOL = re.compile(r"[a-z]{1,4}[0-9]{1,9}")
_CHARACTERS = re.compile(r"[A-Za-z0-9_\[\]'().,<>=!+\-*/% ]*")
_FREE_TEXT = frozenset({"metadata", "as_string", "as_strings", "torch_version"})
"""Keys whose texts are data: torch keeps them as they are, or prints them quoted."""
_SYMPY = frozenset({
    "Symbol", "Integer", "Float", "Rational", "Max", "Min", "Mod", "PythonMod", "FloorDiv",
    "CeilDiv", "CleanDiv", "ModularIndexing", "FloorToInt", "CeilToInt", "TruncToInt",
    "IntTrueDiv", "FloatTrueDiv", "ToFloat", "Add", "Mul", "Abs", "Eq", "Ne", "Equality",
    "Unequality", "LessThan", "GreaterThan", "StrictLessThan", "StrictGreaterThan", "And", "Or",
    "Not", "Where", "oo", "int_oo", "Identity", "BooleanTrue", "BooleanFalse", "true", "false",
})  # fmt: skip
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Load,
    ast.Constant, ast.keyword, ast.Tuple, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv,
    ast.Mod, ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE,
    ast.Gt, ast.GtE,
)  # fmt: skip


def check_archive(file: BinaryIO, path: str, trust: Trust) -> None:
    """Look through an archive.

    Raises:
        Denied: `untrusted`: loading it would do more than build a graph of tensor operators.
        InvalidInput: `not-loadable`, `bad-zip`: it is no such archive.
    """
    entries = members(file, Budget().begun())
    root = entries[0].name.partition("/")[0] + "/" if entries else ""
    names = {member.name.removeprefix(root): member for member in entries}
    if "archive_format" not in names or "models/model.json" not in names:
        raise InvalidInput("not-loadable", f"{path} is no exported program of torch >= 2.8")
    for member in entries:
        if not member.name.startswith(root):
            trust.require_all(path, f"holds {printable(member.name)}, which lies outside")
    if len({member.name.casefold() for member in entries}) != len(entries):
        trust.require_all(path, "holds members that differ only in case")
    for name in names:
        _check_member(file, path, name, names, trust)


def _check_member(
    file: BinaryIO, path: str, name: str, names: dict[str, Member], trust: Trust
) -> None:
    where, member = f"{path}:{printable(name)}", names[name]
    if name.startswith(("data/aotinductor/", "executorch/")):
        trust.require_all(path, f"holds compiled code ({printable(name)})")
    elif name.startswith("models/"):
        _check_graph(_json(file, member, where), where, trust)
    elif name.startswith(("data/weights/", "data/constants/", "data/sample_inputs/")):
        base = name.rpartition("/")[2]
        if name.endswith("_config.json"):
            folder = name.removesuffix(base)
            sizes = {n.removeprefix(folder): m.size for n, m in names.items()}
            _check_payload(_json(file, member, where), sizes, where, trust)
        elif base.startswith(("custom_obj_", "opaque_obj_")):
            trust.require_all(path, f"holds an object that is no tensor ({printable(name)})")
        elif name.startswith("data/sample_inputs/") or base.endswith((".pt", ".pkl")):
            _check_pickle(file, member, where, trust)
    if not _MEMBER.fullmatch(name):
        trust.require_all(path, f"holds {printable(name)}, which torch does not write")


def _check_payload(config: Json, sizes: dict[str, int], where: str, trust: Trust) -> None:
    """Tensors that are flagged as pickles are unpickled without any limit.

    Args:
        sizes: Bytes of the records beside it: an empty one would be filled up with zeros.
    """
    entries = config.get("config") if isinstance(config, dict) else None
    if not isinstance(entries, dict):
        raise InvalidInput("not-loadable", f"{where} is no list of weights")
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("path_name"), str):
            raise InvalidInput("not-loadable", f"{where} is malformed")
        if "/" in entry["path_name"] or entry["path_name"].startswith("."):
            raise InvalidInput("not-loadable", f"{where} names {printable(entry['path_name'])}")
        if entry.get("use_pickle") not in (False, None):
            trust.require_all(where, f"says that {printable(name)} is a pickle")
        elif not _RECORD.fullmatch(entry["path_name"]):
            trust.require_all(where, f"names {printable(entry['path_name'])}, which is no tensor")
        elif not 0 <= _bytes_of(entry.get("tensor_meta")) <= sizes.get(entry["path_name"], -1):
            raise InvalidInput("not-loadable", f"{where}: {printable(name)} is cut")


def _bytes_of(meta: Json) -> int:
    """Bytes that a tensor needs; -1 where it does not say so."""
    sizes = meta.get("sizes") if isinstance(meta, dict) else None
    if not isinstance(sizes, list):
        return -1
    needed: int = _WIDTHS.get(meta["dtype"], -1) if type(meta.get("dtype")) is int else -1
    for size in sizes:
        length = size.get("as_int") if isinstance(size, dict) else None
        if type(length) is not int or not 0 <= length < 1 << 48 or needed < 0:
            return -1
        needed *= length
    return needed


def _check_pickle(file: BinaryIO, member: Member, where: str, trust: Trust) -> None:
    data = unpack(file, member, _PICKLE_LIMIT)
    for finding in inspect(io.BytesIO(data), "inputs.pt").findings:
        if finding.severity != "info":
            trust.require_all(where, f"is not to be unpickled: {finding.message}")
    for name in names_in(io.BytesIO(data)):
        if not _TENSORS.fullmatch(name):
            trust.require_all(where, f"would import {printable(name)}")


def _check_graph(graph: Json, where: str, trust: Trust) -> None:
    targets, odd = [], []
    for key, text in _texts(graph, "", 0, where):
        if key in ("target", "as_operator"):
            if not _is_operator(text):
                targets.append(printable(text))
        elif key == "expr_str":
            if not _is_arithmetic(text):
                odd.append(f"evaluates {printable(text)!r}")
        elif key == "guards_code":
            if not _is_arithmetic(text, guard=True):
                odd.append(f"compiles {printable(text)!r}")
        elif key == "name":
            if not _IDENTIFIER.fullmatch(text):
                odd.append(f"is named {printable(text)!r}")
        elif key in ("in_spec", "out_spec"):
            odd += [
                f"is shaped by {printable(inner)!r}" for inner in _spec(text, where)
                if not _PLAIN.fullmatch(inner)
            ]  # fmt: skip
        elif not _PLAIN.fullmatch(text):
            odd.append(f"holds {printable(text)!r}")
    trust.require(where, targets, why="would call")
    if odd:
        trust.require_all(where, odd[0])


def _texts(value: Json, key: str, depth: int, where: str) -> Iterator[tuple[str, str]]:
    """Every text of the graph with the key that it stands under; also the keys themselves."""
    if depth > _DEPTH:
        raise InvalidInput("not-loadable", f"{where} is nested too deeply")
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key, depth + 1, where)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield "", name
            if name not in _FREE_TEXT:
                yield from _texts(item, name, depth + 1, where)


def _spec(text: str, where: str) -> Iterator[str]:
    """Texts of a structure of inputs or outputs: JSON inside JSON, twice."""
    found = parse_json(text.encode(), "not-loadable", Budget().begun())
    for key, inner in _texts(found, "", 0, where):
        if key == "context":
            context = parse_json(inner.encode(), "not-loadable", Budget().begun())
            yield from (name for _, name in _texts(context, "", 0, where))
        else:
            yield inner


def _is_operator(target: str) -> bool:
    if target.startswith(_REACHING_OUT):
        return False
    return target in _PYTHON or _OPERATOR.fullmatch(target) is not None


def _is_arithmetic(text: str, *, guard: bool = False) -> bool:
    """Whether an expression has only sizes, numbers and the functions that torch writes.

    Args:
        guard: It may ask for sizes of inputs too: `L['x'].size()[0]`.
    """
    if len(text) > 2000 or not _CHARACTERS.fullmatch(text):
        return False
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_is_known(node) or (guard and _is_size(node)) for node in nodes)


def _is_known(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in _SYMPY or _SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return _SYMBOL.fullmatch(node.value) is not None
        return isinstance(node.value, bool | int | float) and abs(node.value) < 1 << 63
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _SYMPY
    if isinstance(node, ast.keyword):
        return node.arg in ("positive", "integer", "nonnegative", "real", "evaluate")
    return isinstance(node, _NODES)


def _is_size(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "L"
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and _IDENTIFIER.fullmatch(node.value) is not None
    if isinstance(node, ast.Attribute):
        return node.attr in ("size", "stride", "storage_offset")
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and not node.args and not node.keywords
    return isinstance(node, ast.Subscript)


def _json(file: BinaryIO, member: Member, where: str) -> Json:
    try:
        data = unpack(file, member, _JSON_LIMIT)
        return parse_json(data, "not-loadable", Budget(max_memory=2_000_000_000).begun())
    except InvalidInput as error:
        raise InvalidInput("not-loadable", f"{where}: {error.message}") from None
