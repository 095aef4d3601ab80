"""`to-onnx`: models of any library as ONNX graphs, refused where the two disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from modelyard.core.extras import need
from modelyard.errors import InvalidInput, ModelyardError, Unsupported
from modelyard.optimization.passes.interface import Made
from modelyard.optimization.passes.onnx.parity import Parity, compared
from modelyard.optimization.passes.onnx.protos import EXTRA, is_graph, model_of_proto
from modelyard.optimization.passes.onnx.rows import known_rows, made_up
from modelyard.runtimes import runtime_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelyard.core.lineage import LineageKind
    from modelyard.core.table import Table
    from modelyard.optimization.passes.interface import Option
    from modelyard.optimization.state import Model, Subject, Work

__all__ = ["PASS", "converters"]

Json = Any
_ROWS = 256
_MADE_UP = 32
_TOLERANCE = 1e-4
_CONVERTED = ("torch", "sklearn", "xgboost", "lightgbm", "keras", "transformers")


class _ToOnnx:
    """ONNX Runtime answers single rows much faster than the libraries that train."""

    NAME = "to-onnx"
    KIND: Literal["algorithm", "data", "model"] = "model"
    LINEAGE: LineageKind = "updated-from"
    SUMMARY = "the model as an ONNX graph, checked to answer the same"

    def why_not(self, subject: Subject) -> str | None:
        if is_graph(subject.framework, subject.serializer):
            return "it is an ONNX graph already"
        if subject.framework not in _CONVERTED:
            return f"models of {subject.framework} can't be converted to ONNX"
        return None

    def options(self, subject: Subject) -> Mapping[str, Option]:
        """None; a recipe may name `tolerance` and `columns`."""
        del subject
        return {}

    def run(self, model: Model, params: Mapping[str, Json], work: Work) -> Made:
        if is_graph(model.saved.framework, model.saved.serializer):
            return Made(model=None, why="it is an ONNX graph already")
        need("onnx", EXTRA)
        need("onnxruntime", EXTRA)
        tolerance = _number(params.get("tolerance", _TOLERANCE))
        rows = known_rows(model, work, _ROWS)
        if rows is None:
            rows = made_up(model.signature, _MADE_UP, work.seed)
        obj = model.load()
        proto, way, parity = _first(obj, model, rows, tolerance, bool(params.get("columns", True)))
        details = {} if parity is None else {"parity": parity.encode()}
        made = model_of_proto(proto, work.folder(), like=model, details=details)
        note = f"converted by {way}; not compared: there are no rows"
        if parity is not None:
            note = (
                f"converted by {way}; on {parity.rows} rows numbers differ by at most "
                f"{parity.max_difference:.2g}"
            )
            if parity.labels_equal is not None:
                note = f"{note}, {parity.labels_equal:.2%} equal labels"
        return Made(model=made, notes=(note,))


PASS = _ToOnnx()


def converters(
    obj: Any, model: Model, rows: Table | None, *, columns: bool = True,
    wanted: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, Callable[[], Any]]]:  # fmt: skip
    """Ways to convert an object, by name, in the order in which they are tried.

    Args:
        wanted: What the object says of the rows, if it was asked.

    Raises:
        Unsupported: `not-improvable`: there is none; `no-extra`.
    """
    framework = model.saved.framework
    if framework == "sklearn":
        from modelyard.optimization.passes.onnx.from_tables import estimator_graphs

        names = _columns(obj, model, rows) if columns else None
        return estimator_graphs(obj, rows, names, wanted)
    if framework in ("xgboost", "lightgbm"):
        from modelyard.optimization.passes.onnx.from_tables import boosting_graphs

        names = _columns(obj, model, rows) if columns else None
        return boosting_graphs(obj, framework, names, wanted)
    if framework == "torch":
        from modelyard.optimization.passes.onnx.from_torch import torch_graphs

        if rows is None:
            raise Unsupported(
                "not-improvable", "nobody knows what the module takes",
                hint="commit it with example=ROWS, or give data",
            )  # fmt: skip
        return torch_graphs(obj, model.signature, rows, columns=columns)
    if framework == "keras":
        from modelyard.optimization.passes.onnx.from_keras import keras_graphs

        return keras_graphs(obj, model.signature, columns=columns)
    if framework == "transformers":
        from modelyard.optimization.passes.onnx.from_transformers import transformers_graphs

        return transformers_graphs(obj, rows)
    raise Unsupported("not-improvable", f"models of {framework} can't be converted to ONNX")


def _columns(obj: Any, model: Model, rows: Table | None) -> tuple[str, ...] | None:
    """The columns that it takes by name, as the data spells them."""
    names = runtime_of(model.saved.framework, obj, model.signature).about.features
    if names is not None and rows is not None and not set(names) <= set(rows.names):
        return rows.names if len(rows.names) == len(names) else None
    return names


def _first(
    obj: Any, model: Model, rows: Table | None, tolerance: float, columns: bool
) -> tuple[Any, str, Parity | None]:
    """The first conversion that answers as the object does. Unsupported: the last reason."""
    wanted = None
    if rows is not None:
        wanted = runtime_of(model.saved.framework, obj, model.signature).predict(rows).outputs
    why: ModelyardError | None = None
    for way, convert in converters(obj, model, rows, columns=columns, wanted=wanted):
        try:
            proto = convert()
            if rows is None or wanted is None:
                return proto, way, None
            parity = compared(wanted, _answers(proto, model, rows))
            parity.refuse(tolerance)
        except (Unsupported, InvalidInput) as error:
            why = error if why is None or not _says_much(why) else why
        else:
            return proto, way, parity
    if isinstance(why, Unsupported):
        raise why
    raise Unsupported("not-improvable", str(why) if why else "it can't be converted") from why


def _says_much(error: ModelyardError) -> bool:
    """A converter that is for other kinds of models tells nothing of why this one failed."""
    return not error.message.endswith(("is no ensemble of trees", "is no pipeline"))


def _answers(proto: Any, model: Model, rows: Table) -> Mapping[str, Any]:
    with runtime_of("onnx", proto, model.signature) as runtime:  # type: ignore[attr-defined]
        found = runtime.predict(rows).outputs
        one = runtime.predict(rows.take(slice(0, 1))).outputs  # a batch of another size
    if any(len(values) != 1 for values in one.values()):
        raise Unsupported("not-improvable", "the converted model takes batches of one size only")
    return dict(found)


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InvalidInput(
            "bad-pass-option", f"tolerance is a number above 0, not {value!r:.40}",
            hint="to-onnx: {tolerance: 0.0001}",
        )  # fmt: skip
    return float(value)
