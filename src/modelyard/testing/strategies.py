"""Hypothesis strategies: names good and bad, tensors, models and their edits, folder trees."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from modelyard.testing.models import Array, Tensors, safetensors_bytes, to_bfloat16

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = [
    "EDITS",
    "dtypes",
    "edit",
    "edited",
    "few",
    "folder_trees",
    "hostile_names",
    "model_names",
    "models",
    "ref_names",
    "safetensors_files",
    "tensors",
]

_DTYPES = (
    "bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
    "float32", "float64", "bfloat16",
)  # fmt: skip
_NASTY = (
    "a b.bin", "été.txt", "模型.bin", "emoji😀.md", "-rf", "--", "~", "a;b", "$HOME", "a'b\".txt",
    "%41.bin", "a#b?c", "con.txt", "a*b", "trailing", " lead", "UPPER.TXT", "x" * 120, ".hidden",
    ".gitignore", "e\u0301.txt", "\u202egpj.exe", "@", "{}",
)  # fmt: skip
_FOLDERS = ("", "a/", "a/b/c/", "ünïcode/", "deep/" * 12, "sp ace/", ".dot/")
_HOSTILE = (
    "", ".", "..", "../x", "a/../b", "/etc/passwd", "a//b", "a/", "/a", "a b", "a\x00b", "a\nb",
    "~root", "a\\b", "C:\\x", "a@1", "a:b", "a?b", "a#b", "-flag", ".hidden", "a.git", "x.lock",
    "模型", "a\u202eb", "%2e%2e", "a/b/c", "x" * 5000, "'; drop table models; --", "${HOME}", "*",
)  # fmt: skip


def few(examples: int) -> settings:
    """Settings of a property that works on real files: fewer examples, no deadline."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,  # a suite is inherited by several test classes
            HealthCheck.too_slow,
        ],
    )


def model_names() -> SearchStrategy[str]:
    inner = string.ascii_letters + string.digits + "-_."
    part = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,20}[A-Za-z0-9])?", fullmatch=True)
    dotted = st.text(inner, min_size=1, max_size=20).map(lambda text: f"a{text}z").filter(_plain)
    name = st.one_of(part, dotted)
    return st.one_of(name, st.tuples(name, name).map("/".join))


def _plain(text: str) -> bool:
    return ".." not in text and not text.endswith((".git", ".lock"))


def ref_names() -> SearchStrategy[str]:
    """Names that git allows and that read as no version."""
    word = st.from_regex(r"[g-z][A-Za-z0-9._+=,-]{0,12}[g-z]", fullmatch=True)
    odd = st.sampled_from(["β-试验", "feature/x", "v1.0", "release-2.x", "user/ann/try"])
    return st.one_of(word.filter(lambda text: _plain(text) and ".lock" not in text), odd)


def hostile_names() -> SearchStrategy[str]:
    """Names that no model may have."""
    return st.sampled_from(_HOSTILE)


def dtypes() -> SearchStrategy[str]:
    return st.sampled_from(_DTYPES)


@st.composite
def tensors(draw: DrawFn, *, largest: int = 64, dtype: str | None = None) -> Array:
    """A tensor of up to three dimensions, empty and scalar ones too; values come from a seed."""
    shape = tuple(draw(st.lists(st.integers(0, largest), max_size=3)))
    if np.prod(shape) > largest**2:
        shape = shape[:2]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return _values(rng, shape, dtype or draw(dtypes()))


def _values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    weights = rng.normal(0.0, 0.05, shape)
    if dtype == "bfloat16":
        return to_bfloat16(np.asarray(weights, dtype="<f4"))
    if dtype == "bool":
        return np.asarray(weights > 0)
    if dtype.startswith("float"):
        return np.asarray(weights, dtype=dtype)
    return np.asarray(np.abs(weights) * 1000, dtype=dtype)


@st.composite
def models(draw: DrawFn, *, largest: int = 64) -> Tensors:
    """A model of one to six tensors."""
    names = st.from_regex(r"(layer|block|fc)[0-9]\.(weight|bias)", fullmatch=True)
    return draw(st.dictionaries(names, tensors(largest=largest), min_size=1, max_size=6))


@st.composite
def edited(draw: DrawFn, model: Tensors) -> Tensors:
    """What training, surgery and conversion do to a model; sometimes nothing."""
    return edit(model, draw(st.sampled_from(EDITS)), draw(st.integers(0, 2**32 - 1)))


def edit(model: Tensors, kind: str, seed: int) -> Tensors:
    """One of `EDITS`, the same for the same seed."""
    return _EDITS[kind](dict(model), np.random.default_rng(seed))


def _pick(model: Tensors, rng: np.random.Generator) -> str:
    return sorted(model)[int(rng.integers(len(model)))]


def _move_all(model: Tensors, rng: np.random.Generator) -> Tensors:
    return {name: _moved(values, rng) for name, values in model.items()}


def _move_one(model: Tensors, rng: np.random.Generator) -> Tensors:
    name = _pick(model, rng)
    return {**model, name: _moved(model[name], rng)}


def _moved(values: Array, rng: np.random.Generator) -> Array:
    if values.dtype.kind != "f":
        return values
    return np.asarray(values * (1 + rng.normal(0.0, 1e-3, values.shape)), dtype=values.dtype)


def _insert(model: Tensors, rng: np.random.Generator) -> Tensors:
    return {f"new{rng.integers(1000)}.weight": _values(rng, (7, 5), "float32"), **model}


def _rename(model: Tensors, rng: np.random.Generator) -> Tensors:
    old = _pick(model, rng)
    return {f"renamed.{name}" if name == old else name: v for name, v in model.items()}


def _retype(model: Tensors, rng: np.random.Generator) -> Tensors:
    name = _pick(model, rng)
    values = model[name]
    return {**model, name: values.astype("float64") if values.dtype.kind == "f" else values}


def _reshape(model: Tensors, rng: np.random.Generator) -> Tensors:
    name = _pick(model, rng)
    return {**model, name: model[name].reshape(-1)}


def _remove(model: Tensors, rng: np.random.Generator) -> Tensors:
    if len(model) > 1:
        del model[_pick(model, rng)]
    return model


def _reorder(model: Tensors, _: np.random.Generator) -> Tensors:
    return dict(reversed(model.items()))


def _nothing(model: Tensors, _: np.random.Generator) -> Tensors:
    return model


_EDITS: dict[str, Callable[[Tensors, np.random.Generator], Tensors]] = {
    "insert": _insert, "move all": _move_all, "move one": _move_one, "nothing": _nothing,
    "remove": _remove, "rename": _rename, "reorder": _reorder, "reshape": _reshape,
    "retype": _retype,
}  # fmt: skip


EDITS = tuple(sorted(_EDITS))


def safetensors_files() -> SearchStrategy[bytes]:
    return models(largest=16).map(safetensors_bytes)


@st.composite
def folder_trees(draw: DrawFn) -> dict[str, bytes]:
    """Files by path, with names that trip shells, git and Windows; no path is in another's way."""
    paths = draw(
        st.lists(
            st.tuples(st.sampled_from(_FOLDERS), st.sampled_from(_NASTY)).map("".join),
            min_size=1, max_size=8, unique_by=lambda path: path.casefold(),
        )
    )  # fmt: skip
    content = st.one_of(
        st.binary(max_size=40), st.text(max_size=40).map(str.encode), safetensors_files()
    )
    return {path: draw(content) for path in paths}
