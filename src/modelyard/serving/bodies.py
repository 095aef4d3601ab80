"""Bodies of `/predict` and `/invocations`: what people with curl send, and MLflow's shapes.

A body of `/predict` is JSON, and its rows may be written as they come: `{"rows": [[1, 2]]}`,
`{"records": [{"x": 1}]}`, a plain list of either, one plain record `{"x": 1}`, columns
`{"columns": {"x": [1]}}`, or whole tensors `{"inputs": {...}}`. CSV, JSON lines and Arrow streams
are taken too. `/invocations` takes what `mlflow models serve` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from modelyard.errors import InvalidInput
from modelyard.serving.casting import bad_inputs
from modelyard.serving.feeding import plan_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.serving.feeding import Fed, Plan
    from modelyard.serving.interface import Array, Feeds, Outputs, Served

__all__ = ["ARROW", "CSV", "JSON", "Kind", "read_body", "wished", "write_body"]

Kind = Literal["predict", "invocations"]

JSON: Final = "application/json"
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"

_TYPES: Final = {
    "": JSON, JSON: JSON, "text/json": JSON,
    "application/x-www-form-urlencoded": JSON,  # what curl says if it is told nothing
    CSV: CSV, "application/csv": CSV,
    ARROW: ARROW, "application/vnd.apache.arrow.file": ARROW,
    "application/x-ndjson": "lines", "application/jsonl": "lines", "application/jsonlines": "lines",
}  # fmt: skip
_ENVELOPES: Final[dict[str, type]] = {
    "rows": list, "records": list, "columns": dict, "inputs": dict
}  # fmt: skip
_MLFLOW: Final = ("dataframe_split", "dataframe_records", "instances", "inputs")
_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY


def read_body(
    kind: Kind, content_type: str | None, body: bytes, served: Served
) -> tuple[Feeds, int]:
    """The inputs of a request, and how many rows they are.

    Args:
        content_type: The header as it came.
        body: All of it, unpacked.

    Raises:
        InvalidInput: `wrong-media-type`; `bad-request`: it can't be read; `bad-inputs`,
            `no-column`, `no-rows`: the model can't take it.
        Unsupported: `no-extra`: Arrow without pyarrow.
    """
    plan = plan_of(served)
    media = _media(content_type)
    if media == JSON:
        value = _parsed(body)
        return _mlflow(plan, value) if kind == "invocations" else _predict(plan, value)
    if media == CSV:
        from modelyard.serving.tabular import from_csv

        return from_csv(plan, body)
    if kind == "invocations" or media is None:
        raise InvalidInput(
            "wrong-media-type", f"a body of {(content_type or '')[:80]!r} is not taken here",
            hint=f"send {JSON} or {CSV}" if kind == "invocations" else f"{JSON}, {CSV} or {ARROW}",
        )  # fmt: skip
    if media == "lines":
        lines = [line for line in bytes(body).splitlines() if line.strip()]
        return plan.of_records(_parsed(b"[" + b",".join(lines) + b"]"))
    from modelyard.serving.tabular import from_arrow

    return from_arrow(plan, body)


def write_body(
    kind: Kind, accept: str | None, served: Served, outputs: Outputs, rows: int
) -> tuple[bytes, str]:
    """An answer, and its content type.

    Args:
        accept: The header; where it names nothing (`*/*`), JSON is written. `wished` gives CSV
            for CSV and Arrow for Arrow.
    """
    if kind == "invocations":
        return _mlflow_answer(served, outputs), JSON
    media = _first(accept)
    if media in (CSV, ARROW) and served.rows:
        from modelyard.serving.tabular import to_arrow, to_csv

        body = to_csv(outputs, served.classes) if media == CSV else to_arrow(outputs)
        return body, f"{CSV}; charset=utf-8" if media == CSV else ARROW
    answer: dict[str, Any] = {"model": served.model, "version": served.number}
    if served.rows:
        answer["predictions"] = _records(outputs)
        if served.classes is not None and any(a.ndim > 1 for a in outputs.values()):
            answer["classes"] = list(served.classes)
    else:
        answer["outputs"] = {name: _contiguous(array) for name, array in outputs.items()}
    return orjson.dumps(answer, option=_NUMPY, default=_plain), JSON


def wished(accept: str | None, content_type: str | None) -> str:
    """What to answer with: as it is asked, or else as the request came."""
    if accept and "*/*" not in accept:
        return accept
    media = _media(content_type)
    return media if media in (CSV, ARROW) else accept or JSON


def _media(content_type: str | None) -> str | None:
    if content_type == JSON:
        return JSON
    return _TYPES.get((content_type or "").partition(";")[0].strip().lower())


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        said = str(error).partition("\n")[0][:200]
        raise InvalidInput("bad-request", f"the body is no JSON: {said}") from None


def _predict(plan: Plan, value: Any) -> Fed:
    if type(value) is list:
        return _listed(plan, value)
    if not isinstance(value, dict):
        raise bad_inputs("a body is an object or a list", plan.hint)
    if len(value) == 1:
        key = next(iter(value))
        inner: Any = value[key]
        fits = key not in plan.names and type(inner) is _ENVELOPES.get(key)
        if fits and key == "rows":
            return plan.of_rows(inner)
        if fits and key == "records":
            return plan.of_records(inner)
        if fits:
            return plan.of_columns(inner) if key == "columns" else plan.of_tensors(inner)
    return plan.of_records([value])


def _listed(plan: Plan, values: Sequence[Any]) -> Fed:
    """Records, or rows."""
    first = values[0] if values else None
    if type(first) is dict and first.keys() != {"b64"}:
        return plan.of_records(values)
    return plan.of_rows(values)


def _mlflow(plan: Plan, value: Any) -> Fed:
    keys = [key for key in _MLFLOW if key in value] if type(value) is dict else []
    if len(keys) != 1:
        raise InvalidInput(
            "bad-request",
            "the input must be a JSON object with exactly one of the fields 'dataframe_split',"
            " 'dataframe_records', 'instances' and 'inputs'", hint=plan.hint,
        )  # fmt: skip
    if value.get("params"):
        raise bad_inputs("this model takes no params", "leave 'params' out")
    given = value[keys[0]]
    if keys[0] == "dataframe_split":
        return _split(plan, given)
    if type(given) is list:
        return _listed(plan, given)
    if keys[0] == "inputs" and type(given) is dict:
        return plan.of_tensors(given)
    raise InvalidInput("bad-request", f"'{keys[0]}' should be a list")


def _split(plan: Plan, given: Any) -> Fed:
    if type(given) is not dict or type(given.get("data")) is not list:
        raise InvalidInput("bad-request", "'dataframe_split' should have 'columns' and 'data'")
    rows, columns = given["data"], given.get("columns")
    if columns is None:
        return plan.of_rows(rows)
    width = len(columns) if type(columns) is list else -1
    if any(type(row) is not list or len(row) != width for row in rows):
        raise InvalidInput("bad-request", "rows of 'data' should be as long as 'columns'")
    names = [str(name) for name in columns]
    return plan.of_records([dict(zip(names, row, strict=True)) for row in rows])


def _mlflow_answer(served: Served, outputs: Outputs) -> bytes:
    """`predictions`: of a classifier its labels alone, as MLflow's flavours give them."""
    spoken = next((name for name in ("label", "prediction") if name in outputs), None)
    if spoken is not None:
        found: Any = _contiguous(outputs[spoken])
    elif len(outputs) == 1:
        found = _contiguous(next(iter(outputs.values())))
    else:
        found = {name: _contiguous(array) for name, array in outputs.items()}
    return orjson.dumps({"predictions": found}, option=_NUMPY, default=_plain)


def _records(outputs: Outputs) -> list[dict[str, Any]]:
    """Rows of outputs; orjson writes numbers of numpy as short as their own type allows."""
    names = tuple(outputs)
    columns = [_cells(_contiguous(array)) for array in outputs.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _cells(array: Array) -> Sequence[Any]:
    if array.ndim == 1 and array.dtype.name in ("float64", "int64", "bool", "object"):
        values: list[Any] = array.tolist()
        return values
    return list(array)


def _contiguous(array: Array) -> Array:
    """As orjson can write it."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array if array.flags.c_contiguous else array.copy()


def _first(accept: str | None) -> str:
    """Of the types that an Accept header names, the first that is written here."""
    for part in (accept or "").split(","):
        media = _TYPES.get(part.partition(";")[0].strip().lower() or "-")
        if media in (JSON, CSV, ARROW):
            return media
    return JSON


def _plain(value: Any) -> Any:
    """What orjson does not know: text and bytes in arrays, numbers of other kinds."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
