"""Changing the tensors of a model by a small declarative plan, without torch.

A plan is a list of steps, done in order; each is one word with what it needs:

    - rename: {"layers.*.attn": "h.*.attn"}
    - drop: ["head.*"]
    - add: {"head.bias": {"shape": [10], "dtype": "float32", "fill": 0.0}}
    - add: {"head.weight": {"shape": [10, 64], "dtype": "float32", "normal": [0.0, 0.02, 7]}}
    - reshape: {"w": [4, -1]}
    - split: {"qkv.weight": {"into": ["q.weight", "k.weight", "v.weight"], "axis": 0}}
    - join: {"qkv.weight": {"from": ["q.weight", "k.weight", "v.weight"], "axis": 0}}
    - cast: {"*": "bfloat16"}
    - shard: {"max_size": "200MB"}     # of files only
    - unshard: true

A name stands for that tensor and for all below it (`head` for `head.weight`); a `*` for one part
between dots. bfloat16 and float8 are moved by their bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.tensor import numpy_dtype
from modelyard.frameworks.torch.checks import bad
from modelyard.frameworks.torch.operations import OPERATIONS
from modelyard.frameworks.torch.rewriting import FILE_STEPS, rewrite
from modelyard.frameworks.torch.tensorfile import Lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.frameworks.torch.operations import Tensors

__all__ = ["apply", "rewrite", "steps_of"]

Json = Any
_WORDS = (*OPERATIONS, *FILE_STEPS)


def steps_of(plan: Json) -> list[tuple[str, Json]]:
    """The steps of a plan. InvalidInput `bad-structure` names the words that there are."""
    if isinstance(plan, dict):
        plan = [{word: content} for word, content in plan.items()]
    if not isinstance(plan, list) or not plan:
        raise bad("a plan is a list of steps such as {'rename': {'old': 'new'}}")
    steps = []
    for step in plan:
        if not isinstance(step, dict) or len(step) != 1:
            raise bad(f"a step is one word and what it needs, not {str(step)[:80]}")
        word, content = next(iter(step.items()))
        if word not in _WORDS:
            raise bad(f"no step is named {str(word)[:40]!r}")
        steps.append((word, content))
    return steps


def apply(tensors: Mapping[str, Any], plan: Json) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The plan done on tensors in memory, of numpy or of torch.

    Returns:
        The tensors as they are then, of the same kind, and sentences on what was done. Tensors
        that no step touches are the very objects that were given.

    Raises:
        InvalidInput: `bad-structure`, naming the tensor and what is there.
    """
    is_torch = any(type(tensor).__module__.startswith("torch") for tensor in tensors.values())
    if is_torch:
        from modelyard.frameworks.torch.tensors import lazies_of, tensor_of

        lazies, unwrap = lazies_of(tensors), tensor_of
    else:
        lazies, unwrap = {name: _lazy(name, array) for name, array in tensors.items()}, _array
    known = {id(lazy): tensors[name] for name, lazy in lazies.items()}
    changed, sentences = run(lazies, steps_of(plan))
    for lazy in changed.values():
        if id(lazy) not in known:
            known[id(lazy)] = unwrap(lazy)
    return {name: known[id(lazy)] for name, lazy in changed.items()}, sentences


def run(tensors: Tensors, steps: list[tuple[str, Json]]) -> tuple[Tensors, tuple[str, ...]]:
    """All steps on tensors; those that are about files are refused."""
    sentences = []
    for word, content in steps:
        if word in FILE_STEPS:
            raise bad(f"{word} is about files, not about an object in memory")
        tensors, sentence = OPERATIONS[word](tensors, content)
        sentences.append(sentence)
    return tensors, tuple(sentences)


def _lazy(name: str, value: Any) -> Lazy:
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise bad(f"{name} has dtype {array.dtype}: no numbers")
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return Lazy(array.dtype.name, array.shape, array.nbytes, lambda: little)


def _array(lazy: Lazy) -> Any:
    if numpy_dtype(lazy.dtype) is None:
        raise bad(f"numpy has no {lazy.dtype}")
    return np.array(lazy.values())
