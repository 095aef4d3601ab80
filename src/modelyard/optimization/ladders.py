"""Which passes fit a model, in the order in which they follow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modelyard.core.optimization import Step
from modelyard.optimization.passes import pass_named

if TYPE_CHECKING:
    from modelyard.optimization.state import Subject

__all__ = ["NETWORKS", "TREES", "auto_steps", "has_trees"]

NETWORKS: Final = ("torch", "keras", "transformers")
TREES: Final = (
    "Forest", "ExtraTrees", "Boosting", "DecisionTree", "ExtraTree", "XGB", "LGBM", "Booster",
)  # fmt: skip
"""Parts of the names of classes that hold trees."""


def auto_steps(subject: Subject) -> tuple[Step, ...]:
    """The ladder for a model: from what always pays to what must be searched for.

    Networks are pruned if there are right answers to learn from, become ONNX graphs, then take
    fewer bits: first 8, measured beforehand, then with the most sensitive layers left as floats.
    Trees are trimmed, then become graphs. Passes that say that they can't help are left out.
    """
    steps = tuple(step for step in _ladder(subject) if _may(step, subject))
    return steps or (Step("to-onnx"),)


def _ladder(subject: Subject) -> tuple[Step, ...]:
    graph = Step("graph", optional=True)
    if subject.framework == "onnx" or subject.serializer == "onnx":
        return (Step("quantize", optional=True), graph)
    if subject.serializer == "litert":
        return ()
    if subject.framework in ("torch", "transformers"):
        learns = subject.has_target and subject.rows > 0
        prune = (Step("prune", optional=True),) if learns else ()
        return (*prune, Step("to-onnx"), Step("quantize", optional=True), graph)
    if subject.framework == "keras":
        return (Step("to-onnx"), Step("quantize", optional=True), graph)
    if has_trees(subject.class_name, subject.structure):
        return (Step("trim", optional=True), Step("to-onnx"))
    if "neural_network" in subject.class_name:
        return (Step("to-onnx"), Step("quantize", optional=True))
    return (Step("to-onnx"),)


def has_trees(class_name: str, structure: tuple[str, ...] = ()) -> bool:
    """Whether a model, or a step of it, is made of trees."""
    names = (class_name.rpartition(".")[2], *structure)
    return any(word in name for name in names for word in TREES)


def _may(step: Step, subject: Subject) -> bool:
    """Graph and quantize are asked again once there is a graph."""
    return step.name in ("graph", "quantize") or pass_named(step.name).why_not(subject) is None
