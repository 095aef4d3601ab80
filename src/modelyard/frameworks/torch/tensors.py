"""Tensors of torch to and from safetensors files, shared ones once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.core.extras import need
from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.reading import printable
from modelyard.frameworks.torch.tensorfile import Array, Lazy, aliases_of, raw_dtype, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.core.tensor import TensorInfo
    from modelyard.frameworks.interface import Files

__all__ = [
    "lazies_of",
    "lazy_of_tensor",
    "read_tensors",
    "tensor_infos",
    "tensor_of",
    "write_tensors",
]

Tensor = Any


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors of any layout in memory. InvalidInput: `not-savable`."""
    write(path, lazies_of(tensors), {"format": "pt"})


def read_tensors(files: Files, paths: tuple[str, ...]) -> dict[str, Tensor]:
    """Tensors of safetensors files; those that were saved shared come back shared.

    The values are those of the mapped file: nothing is copied until it is changed.

    Raises:
        InvalidInput: `not-loadable` and those of `formats.inspect`.
    """
    need("torch", "torch")
    load_file = need("safetensors.torch", "torch").load_file
    result: dict[str, Tensor] = {}
    for path in paths:
        with files.open(path) as file:
            found = inspect(file, path)
        if found.format != "safetensors":
            raise InvalidInput("not-loadable", f"{path} is {found.format}, not safetensors")
        names = [info.name for info in found.tensors]
        twice = next((name for name in names if name in result), None)
        if twice is not None:
            raise InvalidInput("not-loadable", f"{printable(twice)} is in two files")
        try:
            loaded = load_file(files.folder() / path)
        except Exception as error:
            message = f"{path} can't be read: {printable(str(error))}"
            raise InvalidInput("not-loadable", message) from None
        result.update((name, loaded[name]) for name in names)
        for name, kept in aliases_of(found.metadata.get("metadata", {}), result).items():
            result[name] = result[kept]
    return result


def tensor_infos(files: Files, paths: tuple[str, ...]) -> dict[str, TensorInfo]:
    """What files tell of their tensors, without reading them."""
    found: dict[str, TensorInfo] = {}
    for path in paths:
        with files.open(path) as file:
            found.update((info.name, info) for info in inspect(file, path).tensors)
    return found


def lazies_of(tensors: Mapping[str, Tensor]) -> dict[str, Lazy]:
    """Tensors that are one and the same in memory become the same `Lazy`."""
    made: dict[tuple[Any, ...], Lazy] = {}
    result: dict[str, Lazy] = {}
    for name, tensor in tensors.items():
        lazy = lazy_of_tensor(name, tensor)
        result[name] = made.setdefault(_place(tensor), lazy)
    return result


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """What two tensors have in common that are the same one."""
    if not tensor.numel():
        return (id(tensor),)
    views = (tensor.is_conj(), tensor.is_neg())
    return (
        tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, tensor.stride(), *views
    )  # fmt: skip


def lazy_of_tensor(name: str, tensor: Tensor) -> Lazy:
    """A tensor as raw bytes. InvalidInput `not-savable` for what has none (sparse, quantized)."""
    import torch

    odd = (
        "a meta tensor" if tensor.is_meta
        else "quantized" if tensor.is_quantized
        else "not dense" if tensor.layout != torch.strided
        else None
    )  # fmt: skip
    dtype = str(tensor.dtype).removeprefix("torch.")
    raw = raw_dtype(dtype)
    if odd is None and raw is None:
        odd = f"of dtype {dtype}"
    if odd is not None:
        raise InvalidInput(
            "not-savable", f"{name} is {odd}: safetensors has no room for it",
            hint="serializer='torch'",
        )  # fmt: skip

    def values() -> Array:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        assert raw is not None
        found: Array = plain.reshape(-1).view(torch.uint8).numpy()
        return found.view(raw).reshape(tuple(tensor.shape))

    size = tensor.numel() * tensor.element_size()
    return Lazy(dtype, tuple(tensor.shape), size, values)


def tensor_of(lazy: Lazy) -> Tensor:
    """A new tensor of these raw values."""
    import numpy as np
    import torch

    raw = np.array(lazy.values(), order="C", copy=True).reshape(-1).view(np.uint8)
    return torch.from_numpy(raw).view(getattr(torch, lazy.dtype)).reshape(lazy.shape)
