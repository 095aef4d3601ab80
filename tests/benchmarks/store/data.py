"""The five versions of reference/storage.md: the same bytes for the same size, on any machine.

(a) a transformer, (b) its last tenth changed, (c) every weight moved, (d) a tensor in front,
(e) the tensors of (a) as a torch zip. Values are N(0, sd) with one sd per tensor, 0.01 to 0.06.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from tests.benchmarks.store import safetensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["CASES", "DEFAULT_MB", "FRONT", "Case", "Dtype", "Plan", "file_name", "make"]

Case = Literal["a", "b", "c", "d", "e"]
Dtype = Literal["fp32", "bf16"]
Spec = tuple[str, tuple[int, ...]]

CASES: dict[str, str] = {
    "a": "base",
    "b": "last 10 % of tensors changed",
    "c": "all weights moved by 1e-3",
    "d": "tensor inserted in front",
    "e": "same tensors re-saved as .pt",
}
DEFAULT_MB: dict[str, int] = {"fp32": 685, "bf16": 544}
FRONT: Spec = ("adapter.front.weight", (1024, 137))


def file_name(case: str) -> str:
    return "model.pt" if case == "e" else "model.safetensors"


@dataclass(frozen=True, slots=True)
class Plan:
    """The tensors of (a): an embedding and as many layers as the size asks for."""

    dtype: Dtype
    megabytes: int

    @property
    def itemsize(self) -> int:
        return 4 if self.dtype == "fp32" else 2

    @property
    def hidden(self) -> int:
        return 1024 if self.megabytes >= 200 else 256

    def specs(self) -> list[Spec]:
        hidden, vocab = self.hidden, 32000 if self.megabytes >= 200 else 4000
        layer = 12 * hidden * hidden + 13 * hidden
        room = self.megabytes * 1_000_000 // self.itemsize - vocab * hidden
        specs: list[Spec] = [("embed.weight", (vocab, hidden))]
        for number in range(max(1, round(room / layer))):
            specs += _layer(f"layers.{number:02d}", hidden)
        return [*specs, ("norm.weight", (hidden,)), ("norm.bias", (hidden,))]


def _layer(prefix: str, hidden: int) -> list[Spec]:
    shapes: list[Spec] = [("ln1.weight", (hidden,)), ("ln1.bias", (hidden,))]
    for part in ("q", "k", "v", "o"):
        shapes += [(f"{part}.weight", (hidden, hidden)), (f"{part}.bias", (hidden,))]
    shapes += [("ln2.weight", (hidden,)), ("ln2.bias", (hidden,))]
    shapes += [("up.weight", (4 * hidden, hidden)), ("up.bias", (4 * hidden,))]
    shapes += [("down.bias", (hidden,)), ("down.weight", (hidden, 4 * hidden))]
    return [(f"{prefix}.{name}", shape) for name, shape in shapes]


def make(plan: Plan, case: str, folder: Path) -> Path:
    """The file of one case from (a) to (d), written unless it is there; (e) needs torch."""
    path = folder / case / file_name(case)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        specs = plan.specs()
        written = [FRONT, *specs] if case == "d" else specs
        kind = "F32" if plan.dtype == "fp32" else "BF16"
        listed = [(name, kind, shape) for name, shape in written]
        safetensors.write(path, listed, _arrays(plan, case, specs))
    return path


def _arrays(plan: Plan, case: str, specs: Sequence[Spec]) -> Iterator[np.ndarray]:
    changed = _last_tenth(specs) if case == "b" else {name for name, _ in specs}
    scale = {"b": 1e-2, "c": 1e-3}.get(case, 0.0)
    if case == "d":
        yield _store(plan, _values(*FRONT))
    for name, shape in specs:
        values = _store(plan, _values(name, shape))
        if scale and name in changed:
            values = _store(plan, _moved(_floats(plan, values), name, scale))
        yield values


def _last_tenth(specs: Sequence[Spec]) -> set[str]:
    """Whole tensors from the end that make up at most a tenth of the bytes."""
    room = sum(int(np.prod(shape)) for _, shape in specs) / 10
    names: set[str] = set()
    for name, shape in reversed(specs):
        room -= int(np.prod(shape))
        if room < 0:
            break
        names.add(name)
    return names


def _rng(name: str, *more: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), *more])


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = _rng(name)
    spread = np.float32(rng.uniform(0.01, 0.06))
    values = rng.standard_normal(shape, dtype=np.float32) * spread
    around_one = name.endswith(("ln1.weight", "ln2.weight", "norm.weight"))
    return values + np.float32(1) if around_one else values


def _moved(values: np.ndarray, name: str, scale: float) -> np.ndarray:
    noise = _rng(name, 1).standard_normal(values.shape, dtype=np.float32)
    return values * (np.float32(1) + np.float32(scale) * noise)


def _store(plan: Plan, values: np.ndarray) -> np.ndarray:
    return values if plan.dtype == "fp32" else to_bfloat16(values)


def _floats(plan: Plan, stored: np.ndarray) -> np.ndarray:
    return stored if plan.dtype == "fp32" else (stored.astype(np.uint32) << 16).view(np.float32)


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32 bit patterns, rounded to nearest even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
