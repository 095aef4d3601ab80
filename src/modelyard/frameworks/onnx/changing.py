"""ONNX graphs changed by a plan: names, outputs, batch size, opset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.onnx.naming import names_of, renamed
from modelyard.frameworks.onnx.reading import inputs_of
from modelyard.frameworks.onnx.sizes import LIMIT, size_of
from modelyard.frameworks.onnx.walking import graphs, library

if TYPE_CHECKING:
    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Json

__all__ = ["set_structure", "sweep"]

_PLAN = (
    'a plan holds some of {"rename_inputs": {"old": "new"}, "rename_outputs": {"old": "new"}, '
    '"drop_outputs": ["name"], "batch": "dynamic" or a number, "opset": a number}'
)
_FIRST_OPSET = 7


def set_structure(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """A copy after a plan, checked by ONNX itself. InvalidInput: `bad-structure`."""
    del trust
    steps = {
        "rename_inputs": _rename_inputs, "rename_outputs": _rename_outputs,
        "drop_outputs": _drop_outputs, "batch": _set_batch, "opset": _set_opset,
    }  # fmt: skip
    if not isinstance(plan, dict) or not plan or not set(plan) <= set(steps):
        raise _bad("the plan is no object of known steps")
    model = library().ModelProto()
    model.CopyFrom(obj)
    said: list[str] = []
    for name, step in steps.items():
        if name in plan:
            model = step(model, plan[name], said)
    if size_of(model) > LIMIT:
        said.append("the model is too large for ONNX's checker")
    else:
        _check(model)
    return model, tuple(said)


def _bad(message: str) -> InvalidInput:
    return InvalidInput("bad-structure", message, hint=_PLAN)


def _check(model: Any) -> None:
    onnx = library()
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise _bad(f"ONNX refuses the model: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return printable(str(error).strip().split("\n")[0], 200)


def _rename_inputs(model: Any, plan: Json, said: list[str]) -> Any:
    _rename(model, plan, [port.name for port in inputs_of(model)], "input", said)
    return model


def _rename_outputs(model: Any, plan: Json, said: list[str]) -> Any:
    _rename(model, plan, [value.name for value in model.graph.output], "output", said)
    return model


def _rename(model: Any, plan: Json, own: list[str], what: str, said: list[str]) -> None:
    if not isinstance(plan, dict) or not all(isinstance(v, str) and v for v in plan.values()):
        raise _bad(f"the new names of {what}s are no object of names")
    unknown = sorted(set(map(str, plan)) - set(own))
    if unknown:
        raise _bad(f"there is no {what} {unknown[0][:60]!r}; there are {', '.join(own[:20])}")
    taken = names_of(model) - set(plan)
    wrong = [new for new in plan.values() if new in taken or "\0" in new]
    if wrong or len(set(plan.values())) < len(plan):
        raise _bad(f"{(wrong or list(plan.values()))[0][:60]!r} is a name that the graph uses")
    renamed(model, plan)
    said += [f"{what} {old} is now {new}" for old, new in plan.items()]


def _drop_outputs(model: Any, plan: Json, said: list[str]) -> Any:
    own = [value.name for value in model.graph.output]
    if not isinstance(plan, list) or not all(isinstance(name, str) for name in plan):
        raise _bad("drop_outputs is no list of names")
    unknown = sorted(set(plan) - set(own))
    if unknown:
        raise _bad(f"there is no output {unknown[0][:60]!r}; there are {', '.join(own[:20])}")
    kept = [value for value in model.graph.output if value.name not in plan]
    if not kept:
        raise _bad("no output would be left")
    _replace(model.graph.output, kept)
    before = len(model.graph.node)
    sweep(model.graph)
    said += [f"output {name} is gone" for name in plan]
    said.append(f"{before - len(model.graph.node)} of {before} nodes were for it alone")
    return model


def _replace(field: Any, values: list[Any]) -> None:
    kept = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(kept)


def sweep(graph: Any) -> None:
    """Take away nodes and weights that no output needs."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
            for inner in graphs(_wrapped(node)):
                for below in inner.node:
                    needed.update(below.input)
                needed.update(value.name for value in inner.output)
    if len(kept) < len(graph.node):
        _replace(graph.node, kept[::-1])
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    if len(weights) < len(graph.initializer):
        _replace(graph.initializer, weights)
    _replace(graph.value_info, [value for value in graph.value_info if value.name in needed])


def _wrapped(node: Any) -> Any:
    graph = library().GraphProto()
    graph.node.append(node)
    return graph


def _set_batch(model: Any, plan: Json, said: list[str]) -> Any:
    """The first side of every input, and of every output that had the same."""
    if plan != "dynamic" and (type(plan) is not int or not 1 <= plan < 1 << 31):
        raise _bad(f'batch is "dynamic" or a number of rows, not {plan!r:.60}')
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in given]
    sides = [side for value in inputs if (side := _first_side(value)) is not None]
    if not sides:
        raise _bad("no input has rows")
    before = {_side_key(side) for side in sides}
    outputs = [side for value in model.graph.output if (side := _first_side(value)) is not None]
    for side in sides + [side for side in outputs if _side_key(side) in before]:
        if plan == "dynamic":
            side.dim_param = "batch"
        else:
            side.dim_value = plan
    del model.graph.value_info[:]  # they hold the old batch
    said.append("batch is dynamic" if plan == "dynamic" else f"batch is {plan}")
    return model


def _first_side(value: Any) -> Any:
    sides = value.type.tensor_type.shape.dim
    return sides[0] if len(sides) else None


def _side_key(side: Any) -> Any:
    return side.dim_value if side.HasField("dim_value") else side.dim_param or None


def _set_opset(model: Any, plan: Json, said: list[str]) -> Any:
    onnx = library()
    last = onnx.defs.onnx_opset_version()
    if type(plan) is not int or not _FIRST_OPSET <= plan <= last:
        raise _bad(f"opset is a number from {_FIRST_OPSET} to {last}, not {plan!r:.60}")
    before = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    if before is None:
        raise _bad("the model does not say its opset")
    if before == plan:
        return model
    if size_of(model) > LIMIT:
        raise _bad("the model is too large for ONNX's converter")
    _check(model)  # the converter trusts what it reads
    try:
        found = onnx.version_converter.convert_version(model, plan)
    except (onnx.version_converter.ConvertError, RuntimeError, ValueError, IndexError) as error:
        raise _bad(f"ONNX can't convert to opset {plan}: {_first_line(error)}") from None
    said.append(f"opset {before} became {plan}")
    return found
