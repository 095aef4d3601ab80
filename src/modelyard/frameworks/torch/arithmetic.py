"""New tensors out of others, still unread: the arithmetic behind a plan's steps."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.tensor import ITEMSIZE, numpy_dtype
from modelyard.formats.values import decoded
from modelyard.frameworks.torch.checks import bad, fields_in, is_counts, shape_in, told
from modelyard.frameworks.torch.tensorfile import Array, Lazy, nbytes_of, raw_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FLOATS", "casted", "encoded", "joined", "new", "parts_of", "reshaped"]

Json = Any

FLOATS = ("float16", "bfloat16", "float32", "float64")
_MOST = 1 << 33
"""Elements that a step may add."""


def new(name: str, what: Json) -> Lazy:
    fields = fields_in(f"add {name}", what, {"shape", "dtype"}, {"fill", "normal"})
    shape = shape_in(f"add {name}", fields["shape"])
    dtype = fields["dtype"]
    if dtype not in ITEMSIZE or raw_dtype(dtype) is None or dtype.startswith("float8"):
        raise bad(f"add {name}: {str(dtype)[:40]!r} is no dtype that can be filled")
    if prod(shape) > _MOST:
        raise bad(f"add {name}: {prod(shape)} elements are too many")
    if "fill" in fields and "normal" in fields:
        raise bad(f"add {name}: fill or normal, not both")
    if "normal" in fields:
        make = _normal(name, dtype, shape, fields["normal"])
    else:
        make = _constant(name, dtype, shape, fields.get("fill", 0))
    return Lazy(dtype, shape, nbytes_of(dtype, shape), make)


def _constant(name: str, dtype: str, shape: tuple[int, ...], value: Json) -> Callable[[], Array]:
    if not isinstance(value, bool | int | float):
        raise bad(f"add {name}: fill is a number, not {str(value)[:40]!r}")
    floats = dtype in FLOATS or dtype.startswith("complex")
    if isinstance(value, float) and not floats:
        raise bad(f"add {name}: {value} is no {dtype}")
    try:
        element = encoded(np.array([value], np.float64 if floats else None), dtype)
    except (OverflowError, ValueError, TypeError):
        raise bad(f"add {name}: {value} does not fit {dtype}") from None
    if not floats and int(element[0]) != int(value):
        raise bad(f"add {name}: {value} does not fit {dtype}")
    return lambda: np.broadcast_to(element, shape)


def _normal(name: str, dtype: str, shape: tuple[int, ...], value: Json) -> Callable[[], Array]:
    if dtype not in FLOATS:
        raise bad(f"add {name}: normal values need a float dtype, not {dtype}")
    numbers = isinstance(value, list) and len(value) == 3
    numbers = numbers and all(isinstance(x, int | float) and abs(x) < 1e30 for x in value)
    if not numbers or value[1] < 0 or not isinstance(value[2], int) or value[2] < 0:
        raise bad(f"add {name}: normal is [mean, standard deviation, seed]")
    mean, deviation, seed = value

    def make() -> Array:
        found = np.random.default_rng(seed).normal(mean, deviation, shape)
        return encoded(np.asarray(found), dtype)

    return make


def reshaped(name: str, tensor: Lazy, wanted: tuple[int, ...]) -> Lazy:
    if raw_dtype(tensor.dtype) is None:
        raise bad(f"reshape {name}: {tensor.dtype} can't be taken apart")
    elements, known = prod(tensor.shape), prod(size for size in wanted if size >= 0)
    if -1 in wanted and known and elements % known == 0:
        wanted = tuple(elements // known if size < 0 else size for size in wanted)
    if -1 in wanted or prod(wanted) != elements:
        raise bad(f"reshape {name}: {told(tensor)} does not become {list(wanted)}")
    return Lazy(tensor.dtype, wanted, tensor.nbytes, lambda: tensor.values().reshape(wanted))


def parts_of(name: str, tensor: Lazy, into: list[str], axis: int, sizes: Json) -> dict[str, Lazy]:
    length = tensor.shape[axis]
    if sizes is None:
        if length % len(into):
            raise bad(f"split {name}: {told(tensor)} has no {len(into)} equal parts")
        sizes = [length // len(into)] * len(into)
    if not is_counts(sizes) or len(sizes) != len(into) or sum(sizes) != length:
        raise bad(f"split {name}: sizes must be {len(into)} numbers with the sum {length}")
    if raw_dtype(tensor.dtype) is None:
        raise bad(f"split {name}: {tensor.dtype} can't be taken apart")
    parts: dict[str, Lazy] = {}
    start = 0
    for part, size in zip(into, sizes, strict=True):
        parts[part] = _slice(tensor, axis, start, start + size)
        start += size
    return parts


def _slice(tensor: Lazy, axis: int, start: int, end: int) -> Lazy:
    where = (slice(None),) * axis + (slice(start, end),)
    shape = (*tensor.shape[:axis], end - start, *tensor.shape[axis + 1 :])
    nbytes = nbytes_of(tensor.dtype, shape) if tensor.dtype in ITEMSIZE else prod(shape)
    return Lazy(tensor.dtype, shape, nbytes, lambda: tensor.values()[where])


def joined(name: str, sources: list[str], parts: list[Lazy], axis: int) -> Lazy:
    first = parts[0]
    if raw_dtype(first.dtype) is None:
        raise bad(f"join {name}: {first.dtype} can't be put together")
    for source, part in zip(sources, parts, strict=True):
        around = [(*p.shape[:axis], *p.shape[axis + 1 :]) for p in (first, part)]
        fits = len(part.shape) == len(first.shape) and around[0] == around[1]
        if not fits or part.dtype != first.dtype:
            raise bad(f"join {name}: {source} is {told(part)}, but {sources[0]} is {told(first)}")
    length = sum(part.shape[axis] for part in parts)
    shape = (*first.shape[:axis], length, *first.shape[axis + 1 :])
    nbytes = sum(part.nbytes for part in parts)
    return Lazy(
        first.dtype, shape, nbytes,
        lambda: np.concatenate([part.values() for part in parts], axis),
    )  # fmt: skip


def casted(name: str, tensor: Lazy, dtype: Json) -> Lazy:
    if dtype not in ITEMSIZE:
        raise bad(f"cast {name}: {str(dtype)[:40]!r} is no dtype")
    if tensor.dtype == dtype:
        return tensor
    target, source = numpy_dtype(dtype), tensor.dtype
    to_float = dtype in FLOATS
    wide = to_float and (source in FLOATS or source.startswith(("int", "uint", "float8", "bool")))
    whole = target is not None and target.kind in "iu" and source.startswith(("int", "uint"))
    if not wide and not whole:
        raise bad(f"cast {name}: {source} does not become {dtype}")

    def values() -> Array:
        raw = np.ascontiguousarray(tensor.values())
        flat = decoded(raw.tobytes(), source, numpy_dtype(source))
        if flat is None:
            raise bad(f"cast {name}: {source} can't be read")
        if whole and not np.array_equal(flat.astype(target), flat):
            raise bad(f"cast {name}: a value does not fit {dtype}")
        return encoded(flat, dtype).reshape(tensor.shape)

    return Lazy(dtype, tensor.shape, nbytes_of(dtype, tensor.shape), values)


def encoded(values: Array, dtype: str) -> Array:
    """Numbers as raw values of a dtype; bfloat16 rounds to the nearest, ties to even."""
    with np.errstate(over="ignore", invalid="ignore"):
        known = numpy_dtype(dtype)
        if known is not None:
            return values.astype(known)
        bits = values.astype("<f4").view("<u4")
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = (bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(0x40)
    is_nan = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    found: Array = np.where(is_nan, quiet, rounded).astype("<u2")
    return found
