"""The structure of modules and dicts of tensors: shown by line, and changed by a plan."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats.reading import printable
from modelyard.frameworks.torch import plan as plans
from modelyard.frameworks.torch.checks import bad, fields_in, mapping
from modelyard.frameworks.torch.classes import CONTAINERS, known_class
from modelyard.frameworks.torch.kinds import kind_of, module_of
from modelyard.frameworks.torch.loading import set_modes, tie
from modelyard.frameworks.torch.tree import build, describe
from modelyard.frameworks.torch.trying import misfit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.trust import Trust

__all__ = ["lines", "rebuilt"]

Json = Any

_LINES = 5_000


def lines(obj: Any) -> tuple[str, ...]:
    """`path: Class(args)` for each layer; `name dtype [shape]` for each tensor of a dict."""
    kind = kind_of(obj)
    if kind == "state":
        return tuple(_tensor_line(name, tensor) for name, tensor in obj.items())[:_LINES]
    if kind == "program":
        return tuple(f"{node.name}: {node.target}" for node in obj.graph.nodes)[:_LINES]
    found = []
    for path, part in module_of(obj).named_modules():
        extra = " ".join(part.extra_repr().split())
        found.append(f"{path or '.'}: {type(part).__name__}({extra})")
        if len(found) >= _LINES:
            break
    return tuple(found)


def rebuilt(obj: Any, plan: Json, trust: Trust) -> tuple[Any, tuple[str, ...]]:
    """The object after a plan, and what became of it."""
    kind = kind_of(obj)
    if kind not in ("module", "pair", "state"):
        raise InvalidInput(
            "bad-structure", "compiled programs can't be changed", hint="commit the eager module"
        )
    replacing = _replacements(plan)
    if replacing is not None:
        return _replaced(obj, replacing, trust)
    if kind == "state":
        return plans.apply(obj, plan)
    return _changed_tensors(obj, plan)


def _changed_tensors(obj: Any, plan: Json) -> tuple[Any, tuple[str, ...]]:
    """Tensors that still fit go back into the module; else they are what is left of it."""
    module = module_of(obj)
    before = module.state_dict()
    tensors, sentences = plans.apply(before, plan)
    shapes = {name: tensor.shape for name, tensor in before.items()}
    dtypes = {name: tensor.dtype for name, tensor in before.items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
        said = "the tensors do not fit the module any more: the new version is a dict of tensors"
        return tensors, (*sentences, said)
    cast = any(tensor.dtype != dtypes[name] for name, tensor in tensors.items())
    trainable = {name: p.requires_grad for name, p in module.named_parameters()}
    module.load_state_dict(tensors, assign=True)
    tie(module, tensors)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(trainable.get(name, True))
    if kind_of(obj) == "pair" or cast:
        return module, (*sentences, *_left_optimizer(obj))
    return module, sentences


def _replacements(plan: Json) -> Mapping[str, Json] | None:
    """What the step `replace` names; it stands alone, since it is about modules."""
    steps = [plan] if isinstance(plan, dict) else plan
    if not isinstance(steps, list) or not any(
        isinstance(s, dict) and "replace" in s for s in steps
    ):
        return None
    if len(steps) != 1 or len(steps[0]) != 1:
        raise bad("replace changes modules: it can't stand beside steps that change tensors")
    return mapping("replace", steps[0]["replace"])


def _replaced(obj: Any, changes: Mapping[str, Json], trust: Trust) -> tuple[Any, tuple[str, ...]]:
    module = module_of(obj)
    tree = None if kind_of(obj) == "state" else describe(module)
    if tree is None:
        raise bad(
            "replace needs a module that is made of torch.nn alone",
            "change the module's own code, and commit it again",
        )
    before = copy.deepcopy(tree)
    for path, what in changes.items():
        _place(tree, path, _node(path, what, trust))
    state = module.state_dict()
    try:
        new = build(tree, meta=False)
        why = misfit(before, tree)
    except InvalidInput as error:
        raise bad(error.message, "class is one of torch.nn, args are its constructor's") from None
    if why is not None:
        raise bad(
            f"the module could not run any more: {why}",
            "what a layer takes must be what the one before it gives; one replace may name several",
        )
    own = new.state_dict()
    kept = {n: t for n, t in state.items() if n in own and own[n].shape == t.shape}
    new.load_state_dict(kept, strict=False, assign=True)
    tie(new, kept)
    frozen = [name for name, p in module.named_parameters() if not p.requires_grad]
    set_modes(new, {"frozen": [n for n in frozen if n in kept], "training": module.training})
    fresh, gone = [n for n in own if n not in kept], [n for n in state if n not in own]
    sentences = [f"replaced {path} by {what['class']}" for path, what in changes.items()]
    sentences.append(f"kept {len(kept)} of {len(own)} tensors")
    sentences += [f"new values: {', '.join(fresh[:8])}"] if fresh else []
    sentences += [f"gone: {', '.join(gone[:8])}"] if gone else []
    return new, (*sentences, *_left_optimizer(obj))


def _node(path: str, what: Json, trust: Trust) -> dict[str, Json]:
    fields = fields_in(f"replace {path}", what, {"class"}, {"args"})
    name, args = fields["class"], fields.get("args", {})
    if not isinstance(name, str) or not isinstance(args, dict):
        raise bad(f"replace {path}: class is a name, args are arguments by name")
    if known_class(name) is None or known_class(name).__name__ in CONTAINERS:  # type: ignore[union-attr]
        trust.require("the plan", [printable(name)])
        raise bad(f"replace {path}: {printable(name)} is no layer of torch.nn")
    return {"class": name, "args": {key: _argument(value) for key, value in args.items()}}


def _argument(value: Json) -> Json:
    """Lists of a plan are the tuples of constructors."""
    return {"tuple": value} if isinstance(value, list) else value


def _place(tree: Json, path: str, node: dict[str, Json]) -> None:
    *above, last = path.split(".")
    here = tree
    for step in [*above, last]:
        children = here.get("children", {})
        if step not in children:
            inside = ", ".join(children) or "no layers that can be replaced"
            raise bad(f"replace: there is no {path}", f"there: {inside}")
        parent, here = here, children[step]
    parent["children"][last] = node


def _left_optimizer(obj: Any) -> tuple[str, ...]:
    if kind_of(obj) != "pair":
        return ()
    return ("the optimizer was left behind: it belonged to the weights as they were",)


def _tensor_line(name: str, tensor: Any) -> str:
    return f"{name} {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
