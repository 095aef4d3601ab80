"""Rows, records and columns made the inputs of a model.

Models differ in what they take: columns by name (`table`), one tensor whose first axis is the row
(`matrix`), several of those (`several`), or tensors that know no rows (`whole`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from modelyard.core.listing import listed
from modelyard.errors import InvalidInput
from modelyard.serving.casting import array_of, bad_inputs, cast, parsed, said

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.table import Table
    from modelyard.runtimes.tensors import TensorSpec
    from modelyard.serving.interface import Array, Served

    Fed = tuple[dict[str, Array], int]

__all__ = ["Plan", "plan_of"]

Way = Literal["table", "matrix", "several", "whole"]

_MOST_PLANS: Final = 256
_LONG: Final = 16
"""Values of an input that nobody wants to see in a hint."""
_plans: dict[int, tuple[tuple[TensorSpec, ...], Plan]] = {}


def plan_of(served: Served) -> Plan:
    """How to feed a version; made once for each."""
    inputs = served.inputs
    known = _plans.get(id(inputs))
    if known is not None and known[0] is inputs:
        return known[1]
    if len(_plans) >= _MOST_PLANS:
        _plans.clear()
    plan = Plan.of(inputs, rows=served.rows, columns=served.columns)
    _plans[id(inputs)] = (inputs, plan)  # holding them keeps the id theirs
    return plan


@dataclass(frozen=True, slots=True)
class Plan:
    """How the inputs of one version are fed."""

    inputs: tuple[TensorSpec, ...]
    way: Way
    names: tuple[str, ...]
    needed: tuple[TensorSpec, ...]
    """Those that are not optional."""
    groups: tuple[tuple[TensorSpec, tuple[str, ...]], ...]
    """Of a table: columns of one dtype, which are made arrays together."""

    @classmethod
    def of(cls, inputs: Sequence[TensorSpec], *, rows: bool, columns: bool) -> Plan:
        way: Way = "whole" if not rows else "matrix" if len(inputs) == 1 else "several"
        groups: dict[str, list[TensorSpec]] = {}
        if columns:
            way = "table"
            for spec in inputs:
                groups.setdefault(spec.dtype, []).append(spec)
        return cls(
            tuple(inputs), way, tuple(spec.name for spec in inputs),
            tuple(spec for spec in inputs if not spec.optional),
            tuple((group[0], tuple(s.name for s in group)) for group in groups.values()),
        )  # fmt: skip

    @property
    def width(self) -> int:
        """How many values a row of a matrix has; -1 if that varies, or it has no such side."""
        shape = self.inputs[0].shape
        return shape[1] if len(shape) == 2 else 1 if len(shape) == 1 else -1

    @property
    def hint(self) -> str:
        """What to send."""
        if sum(math.prod(map(abs, spec.shape)) for spec in self.needed) > _LONG:
            shapes = ", ".join(f"{s.name} {list(s.shape)}" for s in self.needed[:6])
            return f"the model takes {shapes}"
        return f"send {json.dumps(self.sample(), ensure_ascii=False)[:300]}"

    def sample(self) -> dict[str, Any]:
        """A body that the model takes, as far as types and shapes go."""
        if self.way == "matrix":
            return {"rows": [_zeros(self.inputs[0], self.inputs[0].shape[1:])]}
        if self.way == "whole":
            return {"inputs": {s.name: _zeros(s, s.shape) for s in self.needed}}
        row = {s.name: _zeros(s, () if self.way == "table" else s.shape[1:]) for s in self.needed}
        return {"records": [row]}

    def of_rows(self, rows: Sequence[Any]) -> Fed:
        """Rows, each a list with the values in the order of the inputs."""
        if not rows:
            raise self._nothing()
        if self.way == "matrix":
            return self._matrix(array_of(self.inputs[0], rows))
        if self.way == "whole":
            raise bad_inputs("this model has no rows: give its inputs by name", self.hint)
        width = len(self.inputs)
        if width == 1 and type(rows[0]) is not list:
            return self._stacked({self.names[0]: rows}, len(rows))
        for place, row in enumerate(rows):
            if type(row) is not list or len(row) != width:
                got = f"{len(row)} values" if type(row) is list else said(row)
                raise bad_inputs(
                    f"row {place} should be a list of {width} values ({self._named()}),"
                    f" and is {got}", self.hint,
                )  # fmt: skip
        turned = list(zip(*rows, strict=True))
        return self._stacked(dict(zip(self.names, turned, strict=True)), len(rows))

    def of_records(self, records: Sequence[Any]) -> Fed:
        """Rows, each an object with values by name. More than the model takes is left out."""
        if not records:
            raise self._nothing()
        if set(map(type, records)) != {dict}:
            raise bad_inputs("records are objects: names with values", self.hint)
        if self.way == "table":
            return self._records(records)
        if self.way == "whole":
            if len(records) > 1:
                raise bad_inputs("this model has no rows: give one record", self.hint)
            return self.of_tensors(records[0])
        first = records[0]
        if self.way == "matrix" and self.names[0] not in first:
            names = tuple(first)
            self._check_width(len(names))
            rows = [[_value(r, name, place) for name in names] for place, r in enumerate(records)]
            return self._matrix(array_of(self.inputs[0], rows))
        return self._one_by_one(records)

    def of_columns(self, columns: Mapping[str, Any]) -> Fed:
        """Values of all rows by name."""
        for name, values in columns.items():
            if type(values) is not list:
                raise bad_inputs(f"column {name[:60]!r} should be a list of its values", self.hint)
        if self.way == "whole":
            return self.of_tensors(columns)
        rows = _length({name: len(values) for name, values in columns.items()})
        if not rows:
            raise self._nothing()
        if self.way == "matrix" and self.names[0] not in columns:
            self._check_width(len(columns))
            turned = [list(row) for row in zip(*columns.values(), strict=True)]
            return self._matrix(array_of(self.inputs[0], turned))
        return self._stacked(columns, rows)

    def of_tensors(self, tensors: Mapping[str, Any]) -> Fed:
        """Whole tensors by name, as nested lists."""
        self._check_names(tensors)
        feeds: dict[str, Array] = {}
        for spec in self.inputs:
            if spec.name in tensors:
                given = tensors[spec.name]
                listed = given if type(given) is list else [given]
                array = array_of(spec, listed, gaps=self.way == "table")
                feeds[spec.name] = array if type(given) is list else array.reshape(())
        if self.way == "whole":
            return {name: self._shaped(name, a) for name, a in feeds.items()}, 1
        return feeds, _length({name: len(a) if a.ndim else 0 for name, a in feeds.items()})

    def of_table(self, table: Table) -> Fed:
        """Columns of a file. Those that the model does not name are left out."""
        if not len(table):
            raise self._nothing()
        if self.way == "whole":
            raise bad_inputs("this model has no rows, so a table is nothing to it", self.hint)
        if self.way == "matrix" and self.names[0] not in table.columns:
            spec = self.inputs[0]
            columns = [cast(spec, column) for column in table.columns.values()]
            if len(columns) == 1 and columns[0].ndim > 1:
                return self._matrix(columns[0])
            self._check_width(len(columns))
            return self._matrix(np.column_stack(columns))
        self._check_names(table.columns)
        gaps = self.way == "table"
        feeds = {s.name: self._fitted(s, cast(s, table.columns[s.name], gaps=gaps))
                 for s in self.inputs if s.name in table.columns}  # fmt: skip
        return feeds, len(table)

    def of_texts(self, names: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> Fed:
        """Cells of CSV, with the names of its head, if it has one."""
        if not rows:
            raise self._nothing()
        width = len(rows[0])
        if self.way == "whole":
            raise bad_inputs("this model has no rows, so CSV is nothing to it", self.hint)
        if self.way == "matrix" and (names is None or self.names[0] not in names):
            self._check_width(width)
            flat = parsed(self.inputs[0], [cell for row in rows for cell in row])
            return self._matrix(flat.reshape(len(rows), width))
        if names is None:
            if width != len(self.inputs):
                raise bad_inputs(
                    f"the model takes {len(self.inputs)} columns ({self._named()}), and the data"
                    f" has {width}", "give a first line with their names",
                )  # fmt: skip
            names = self.names
        self._check_names(dict.fromkeys(names))
        place = {name: at for at, name in enumerate(names)}
        gaps = self.way == "table"
        feeds: dict[str, Array] = {}
        for spec in self.inputs:
            if spec.name in place:
                at = place[spec.name]
                column = parsed(spec, [row[at] for row in rows], gaps=gaps)
                feeds[spec.name] = self._fitted(spec, column)
        return feeds, len(rows)

    def _records(self, records: Sequence[Mapping[str, Any]]) -> Fed:
        """Many columns at once: a record of thirty numbers is one array, cut."""
        rows = len(records)
        feeds: dict[str, Array] = {}
        try:
            for spec, names in self.groups:
                values = [record[name] for name in names for record in records]
                made = array_of(spec, values, gaps=True)
                if made.ndim != 1:
                    raise TypeError
                if rows == 1:
                    feeds |= {name: made[at : at + 1] for at, name in enumerate(names)}
                else:
                    parts = made.reshape(len(names), rows)
                    feeds |= dict(zip(names, parts, strict=True))
        except (KeyError, TypeError, InvalidInput):  # one by one, to say which
            return self._one_by_one(records)
        return feeds, rows

    def _one_by_one(self, records: Sequence[Mapping[str, Any]]) -> Fed:
        """What is optional is null in the records that lack it, if any has it."""
        if self.way == "table":
            self._check_names(records[0])
        found: dict[str, list[Any]] = {}
        for spec in self.inputs:
            name = spec.name
            if not spec.optional:
                found[name] = [_value(r, name, place) for place, r in enumerate(records)]
            elif any(name in record for record in records):
                found[name] = [record.get(name) for record in records]
        return self._stacked(found, len(records))

    def _stacked(self, columns: Mapping[str, Sequence[Any]], rows: int) -> Fed:
        self._check_names(columns)
        gaps = self.way == "table"
        feeds = {s.name: self._fitted(s, array_of(s, columns[s.name], gaps=gaps))
                 for s in self.inputs if s.name in columns}  # fmt: skip
        return feeds, rows

    def _fitted(self, spec: TensorSpec, array: Array) -> Array:
        """A side of 1 more or less is no matter."""
        axes = len(spec.shape)
        if array.ndim == axes - 1 and spec.shape[-1] in (1, -1):
            return array.reshape(*array.shape, 1)
        if array.ndim == axes + 1 and array.shape[-1] == 1:
            return array.reshape(array.shape[:-1])
        return array

    def _matrix(self, array: Array) -> Fed:
        spec = self.inputs[0]
        array = self._fitted(spec, array)
        sides = spec.shape[1:]
        if array.ndim != len(spec.shape) or any(
            want not in (-1, got) for want, got in zip(sides, array.shape[1:], strict=True)
        ):
            wanted = "x".join("any" if side < 0 else str(side) for side in sides) or "one"
            got = "x".join(map(str, array.shape[1:])) or "one"
            raise bad_inputs(
                f"a row of {spec.name!r} has {wanted} values, and was given {got}", self.hint
            )
        return {spec.name: array}, len(array)

    def _shaped(self, name: str, array: Array) -> Array:
        """A plain number for an input of one element, and the other way round."""
        spec = next(s for s in self.inputs if s.name == name)
        if array.size == 1 and array.ndim != len(spec.shape):
            return array.reshape([1] * len(spec.shape))
        return array

    def _check_names(self, given: Mapping[str, Any]) -> None:
        missing = [spec.name for spec in self.needed if spec.name not in given]
        if missing:
            shown = ", ".join(repr(name) for name in missing[:10])
            raise InvalidInput(
                "no-column", f"the data lacks {shown}", hint=f"the model takes {self._named()}"
            )

    def _check_width(self, width: int) -> None:
        if self.width not in (-1, width):
            raise bad_inputs(
                f"a row of {self.names[0]!r} has {self.width} values, and was given {width}",
                self.hint,
            )

    def _named(self) -> str:
        return listed(self.names, 12)

    def _nothing(self) -> InvalidInput:
        return InvalidInput("no-rows", "there are no rows in it", hint=self.hint)


def _value(record: Mapping[str, Any], name: str, place: int) -> Any:
    try:
        return record[name]
    except KeyError:
        raise InvalidInput("no-column", f"record {place} lacks {name[:60]!r}") from None


def _length(rows: Mapping[str, int]) -> int:
    if len(set(rows.values())) > 1:
        shown = ", ".join(f"{name[:40]} {count}" for name, count in list(rows.items())[:6])
        raise bad_inputs(f"columns differ in length: {shown}")
    return next(iter(rows.values()), 0)


def _zeros(spec: TensorSpec, shape: Sequence[int]) -> Any:
    """An example value: sides that vary have one, long ones are no help to anybody."""
    if shape:
        return [_zeros(spec, shape[1:])] * max(1, min(shape[0], 1024))
    if spec.dtype in ("string", "bytes"):
        return "text"
    return {"f": 0.0, "b": False, "M": "2026-01-31"}.get(np.dtype(spec.dtype).kind, 0)
