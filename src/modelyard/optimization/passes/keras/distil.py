"""`keras-distil`: a narrower Keras model learns what the model says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelyard.errors import Unsupported
from modelyard.formats.reading import printable
from modelyard.optimization.passes.interface import Made, Option, Range
from modelyard.optimization.passes.keras import networks
from modelyard.optimization.passes.keras.states import carried, counted_anew
from modelyard.optimization.passes.torch.networks import number, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.optimization.state import Model, Rows, Subject, Work

__all__ = ["PASS"]

Json = Any
Array = np.ndarray[Any, Any]

_SIDES = ("units", "filters")
_STEPS = 4_000
_BATCH = 32
_ROUNDS = 4
_LOSSES = {"softmax": "categorical_crossentropy", "sigmoid": "binary_crossentropy"}


class Distil:
    """Options beyond `width` and `rate`: `epochs`, `hard` (0.3: how much the target counts beside
    what the model says; 0 to 1)."""

    NAME = "keras-distil"
    KIND: Literal["model"] = "model"
    LINEAGE: LineageKind = "distilled-from"
    SUMMARY = "Trains a narrower copy of a Keras model on what the model says"

    def why_not(self, subject: Subject) -> str | None:
        """It takes models of Keras, and rows."""
        if not subject.rows:
            return "a student learns from rows, and there are none"
        return networks.why_no_network(subject)

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """`width`: share of the units and filters of each layer; `rate` of learning."""
        del subject
        return {
            "width": Range(0.1, 0.9, 0.5),
            "rate": Range(5e-4, 5e-3, 2e-3, log=True),
        }

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        """Distil (Hinton et al. 2015, arXiv:1503.02531): the student learns probabilities, which
        tell more than labels. Layers stay of their kind and in their order; only the last keeps
        its width. The teacher is the version that is improved.

        Raises:
            InvalidInput: `bad-pass-option`; `bad-inputs` of training.
            Unsupported: `not-improvable`: a narrower copy can't be built; `no-extra`.
        """
        width = number(params, "width", 0.5, 0.01, 1.0)
        rate = number(params, "rate", 2e-3, 1e-6, 1.0)
        hard = number(params, "hard", 0.3, 0.0, 1.0)
        rows = work.train
        if rows is None or not len(rows):
            return Made(model=None, why="a student learns from rows, and there are none")
        network = networks.network_in(model)
        teacher = networks.network_in(work.source) if work.source.saved.framework == "keras" else (
            network
        )  # fmt: skip
        student = _narrower(network, width, work.seed)
        before, after = _size(network), _size(student)
        if after >= before:
            return Made(model=None, why="its layers can't be narrower")
        steps = max(1, len(rows) // _BATCH)
        epochs = whole(params, "epochs", max(3, min(60, _STEPS // steps)), 1, 10_000)
        _learned(student, teacher, rows, hard, rate, epochs, model, work)
        return Made(
            model=networks.saved(networks.bare(student), model, work),
            notes=(f"{after:,} of {before:,} weights are left",),
        )


def _narrower(network: Any, width: float, seed: int) -> Any:
    """The same layers, not trained, with fewer units and filters; the last keeps its own.

    So do frozen ones, and all that can't be learned is handed on: a student would go on without it.
    """
    from modelyard.frameworks.keras.library import keras
    from modelyard.frameworks.keras.rebuilding import made

    config = copy.deepcopy(network.get_config())
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or any(
        "layers" in (each.get("config") or {}) for each in layers
    ):
        raise Unsupported(
            "not-improvable", "only models of plain layers, one after the other or in a graph, can "
            "be made narrower",
        )  # fmt: skip
    wide = [each["config"] for each in layers if any(s in each["config"] for s in _SIDES)]
    for each in layers:
        each.pop("build_config", None)
    for settings in wide[:-1]:
        for side in _SIDES if settings.get("trainable", True) else ():
            if isinstance(settings.get(side), int):
                settings[side] = max(1, round(settings[side] * width))
    keras().utils.set_random_seed(seed % 2**32)
    try:
        with counted_anew():
            student = made(type(network), config)
    except MemoryError:
        raise
    except Exception as error:  # layers of other people raise what they like
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Unsupported(
            "not-improvable", f"a narrower copy can't be built: {printable(lines[0], 200)}"
        ) from None
    if _ends(student) != _ends(network):
        raise Unsupported("not-improvable", "a narrower copy would give outputs of other widths")
    lost = carried(network, student)
    if lost:
        raise Unsupported(
            "not-improvable", f"what the layer {printable(lost[0], 60)} keeps can't be learned, "
            "and layers before it would be narrower",
            hint="let it train (trainable=True)",
        )  # fmt: skip
    return student


def _ends(network: Any) -> list[tuple[Any, ...]]:
    return [tuple(each.shape) for each in getattr(network, "outputs", None) or ()]


def _learned(
    student: Any, teacher: Any, rows: Rows, hard: float, rate: float, epochs: int, model: Model,
    work: Work,
) -> None:  # fmt: skip
    from modelyard.frameworks.keras.library import keras
    from modelyard.frameworks.keras.tensors import role_of
    from modelyard.frameworks.keras.training import trained
    from modelyard.runtimes.keras import open as open_network

    outputs = open_network(teacher, model.signature).predict(rows.inputs).outputs
    role = role_of(teacher)
    if role is None and len(outputs) != 1:
        raise Unsupported("not-improvable", "a model with several outputs can't be distilled")
    said = outputs.get("probability", outputs.get("prediction"))
    said = next(iter(outputs.values())) if said is None else said
    if role == "sigmoid":
        said = said[:, 1:]
    wanted = _mixed(np.asarray(said, np.float32), rows.target, hard, role)
    student.compile(keras().optimizers.Adam(rate), _LOSSES.get(role or "", "mean_squared_error"))
    done = 0
    for turn in range(1, _ROUNDS + 1):
        upto = epochs * turn // _ROUNDS
        if upto > done:
            trained(student, rows.inputs, wanted, epochs=upto - done, seed=work.seed + turn)
            good = networks.right(student, work.valid, work, model)
            work.tell(f"epoch {upto} of {epochs}", good)
            done = upto


def _mixed(said: Array, target: Array | None, hard: float, role: str | None) -> Array:
    """What the student is to say: mostly what the teacher says, partly what is true."""
    if target is None or role is None or target.dtype.kind not in "biuf":
        return said
    if role == "softmax":
        whole_ = target.astype(np.int64)
        if (
            not np.array_equal(whole_, target)
            or not 0 <= whole_.min() <= whole_.max() < (said.shape[1])
        ):
            return said
        true = np.eye(said.shape[1], dtype=np.float32)[whole_]
    else:
        true = target.astype(np.float32).reshape(said.shape)
    return (1 - hard) * said + np.float32(hard) * true


def _size(network: Any) -> int:
    return sum(int(np.prod(each.shape)) for each in network.weights)


PASS = Distil()
