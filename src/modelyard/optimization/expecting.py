"""What each recipe usually gives, by the kind of model: measured ratios, told as ranges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modelyard.optimization.ladders import NETWORKS, has_trees
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Expected", "Facts", "expectations"]

_PACKED: Final = frozenset({
    "QuantizeLinear", "DequantizeLinear", "MatMulInteger", "ConvInteger", "DynamicQuantizeLinear",
    "com.microsoft.MatMulNBits", "com.microsoft::MatMulNBits", "MatMulNBits", "QLinearConv",
    "com.microsoft.DynamicQuantizeLSTM", "com.microsoft.MatMulIntegerToFloat",
})  # fmt: skip
_WEIGHTY: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "Gather"})
_SHORT: Final = frozenset(
    {"int8", "uint8", "int4", "uint4", "float16", "bfloat16", "float8_e4m3fn"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the files of a version tell."""

    framework: str
    serializer: str
    class_name: str
    size: int
    """Bytes."""
    structure: tuple[str, ...] = ()
    operators: Mapping[str, int] = field(default_factory=dict)
    """Of an ONNX graph."""
    dtypes: Mapping[str, int] = field(default_factory=dict)
    """Numbers that tensors hold, by dtype."""

    @property
    def is_graph(self) -> bool:
        return self.framework == "onnx" or self.serializer == "onnx"

    @property
    def is_packed(self) -> bool:
        """Whether most of its numbers have few bits already."""
        if any(name in _PACKED for name in self.operators):
            return True
        short = sum(count for dtype, count in self.dtypes.items() if dtype in _SHORT)
        return short > 0.5 * max(sum(self.dtypes.values()), 1)

    @property
    def is_loose(self) -> bool:
        """Whether its files are objects of which nobody knows the class before they are loaded."""
        return self.framework == "sklearn" and not self.class_name

    @property
    def has_trees(self) -> bool:
        return has_trees(self.class_name, self.structure)

    @property
    def convolves(self) -> bool:
        return "Conv" in self.operators or any("Conv" in line for line in self.structure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A recipe, and what it may be hoped to give."""

    recipe: str
    score: float
    gains: Mapping[str, str]
    why: tuple[str, ...]
    needs_target: bool = False
    needs_rows: bool = False
    """Whether nothing tells what rows it takes, so that some are needed."""
    smaller: bool = False
    """Whether it is for size."""
    faster: bool = False
    """Whether it is for speed."""


def expectations(facts: Facts) -> Iterator[Expected]:
    """Recipes that may help such a model."""
    if facts.is_graph:
        yield from _graph(facts)
    elif facts.framework in NETWORKS:
        yield from _network(facts)
    elif facts.framework in ("sklearn", "xgboost", "lightgbm"):
        yield from _estimator(facts)


def _graph(facts: Facts) -> Iterator[Expected]:
    if facts.is_packed:
        return
    if _WEIGHTY.isdisjoint(facts.operators):
        return
    kind = "convolutions" if facts.convolves else "matrix products"
    yield Expected(
        recipe="int8", score=0.8, smaller=True, faster=True,
        gains={"size": "3.5x to 4x smaller", "latency_p50": "up to 3x faster, where the processor "
               "has VNNI", "quality": "0 to 0.5 points lost"},
        why=(f"its weights are 32-bit floats, most of them of {kind}",),
    )  # fmt: skip


def _network(facts: Facts) -> Iterator[Expected]:
    if facts.class_name in ("builtins.dict", "") and facts.framework == "torch":
        return  # tensors alone: there is no network to convert
    if facts.is_packed:
        return
    where = "torch" if facts.framework != "keras" else "Keras"
    yield Expected(
        recipe="onnx", score=0.6, faster=True,
        gains={"latency_p50": "2x to 5x faster at one row", "quality": "the same answers"},
        why=(f"most of what a single row costs {where} is spent around the network, not in it",),
    )  # fmt: skip
    yield Expected(
        recipe="int8", score=0.75, smaller=True, faster=True,
        gains={"size": "3.5x to 4x smaller", "latency_p50": "3x to 8x faster at one row",
               "quality": "0 to 0.5 points lost"},
        why=("its weights are 32-bit floats; 8 bits mostly do",),
    )  # fmt: skip
    if facts.framework == "torch" and facts.class_name.startswith("torch.nn."):
        yield Expected(
            recipe="prune", score=0.65, smaller=True, needs_target=True,
            gains={"stored": "10x to 18x smaller", "quality": "-0.5 to +0.5 points"},
            why=("most weights of such networks hardly count, and zeros take no room in a store",),
        )  # fmt: skip
        yield Expected(
            recipe="distil", score=0.5, smaller=True, faster=True, needs_target=True,
            gains={"size": "15x to 40x smaller", "latency_p50": "3x to 10x faster at one row",
                   "quality": "0 to 1 point lost"},
            why=("a smaller network of the same kind can learn most of what it knows",),
        )  # fmt: skip


def _estimator(facts: Facts) -> Iterator[Expected]:
    if facts.is_loose:
        yield from _loose()
        return
    name = facts.class_name.rpartition(".")[2] or facts.framework
    if facts.has_trees:
        quick = "40x to 400x" if "Forest" in name or "ExtraTrees" in name else "10x to 100x"
        yield Expected(
            recipe="onnx", score=0.85, faster=True, smaller=True,
            gains={"latency_p50": f"{quick} faster at one row", "size": "2x to 10x smaller",
                   "quality": "the same answers"},
            why=(f"{name} walks its trees one by one; as a graph one operator walks all",),
        )  # fmt: skip
    if facts.has_trees and (_may(facts, "trim") or _may(facts, "shrink")):
        yield Expected(
            recipe="trees", score=0.6, faster=True, smaller=True, needs_target=True,
            gains={"size": "2x to 8x smaller", "quality": "0 to 0.5 points lost"},
            why=("mostly a part of the trees is enough",),
        )  # fmt: skip
    if not facts.has_trees and facts.framework == "sklearn":
        yield Expected(
            recipe="onnx", score=0.6, faster=True,
            gains={"latency_p50": "5x to 20x faster at one row", "quality": "the same answers"},
            why=(f"what {name} costs at one row is mostly checks of scikit-learn",),
        )  # fmt: skip
        if "neural_network" in facts.class_name:
            yield Expected(
                recipe="int8", score=0.7, smaller=True, faster=True,
                gains={"size": "8x to 16x smaller", "latency_p50": "5x to 20x faster at one row",
                       "quality": "0 to 0.5 points lost"},
                why=("its weights, and those of its optimizer, are floats; 8 bits mostly do",),
            )  # fmt: skip
    if _may(facts, "tune"):
        yield Expected(
            recipe="tune", score=0.5, needs_target=True, gains={"quality": "0 to 2 points gained"},
            why=("its parameters may not be the best for the data",),
        )  # fmt: skip
    yield from _from_rows()


def _may(facts: Facts, name: str) -> bool:
    """Whether a pass may help such a model, were there data for it."""
    subject = Subject(
        framework=facts.framework, serializer=facts.serializer, class_name=facts.class_name,
        size=facts.size, task="classification", rows=1000, columns=10, classes=2, has_target=True,
        structure=facts.structure, operators=facts.operators,
    )  # fmt: skip
    return pass_named(name).why_not(subject) is None


def _loose() -> Iterator[Expected]:
    """Of an object whose class nobody knows: no parameters, no trees."""
    yield Expected(
        recipe="onnx", score=0.6, faster=True, needs_rows=True,
        gains={"latency_p50": "5x or more faster at one row", "quality": "the same answers"},
        why=("what objects of scikit-learn cost at one row is mostly checks",),
    )  # fmt: skip
    yield from _from_rows()


def _from_rows() -> Iterator[Expected]:
    """What begins with the data, whatever the object."""
    yield Expected(
        recipe="choose", score=0.4, needs_target=True, gains={"quality": "0 to 3 points gained"},
        why=("another algorithm, or several together, may suit the data better",),
    )  # fmt: skip
    yield Expected(
        recipe="data", score=0.3, needs_target=True, gains={"quality": "0 to 2 points gained"},
        why=("rows that are wrong, double or missing cost quality",),
    )  # fmt: skip
