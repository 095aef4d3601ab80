"""What every runtime promises, as tests: subclass `RuntimeTests` and give it a loaded version."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import Trust
from modelyard.errors import InvalidInput, Unavailable
from modelyard.runtimes.opening import open_version
from modelyard.runtimes.process import Limits, spawn_runtime

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.frameworks import Saved
    from modelyard.runtimes import Runtime
    from modelyard.runtimes.tensors import TensorRuntime, TensorSpec

__all__ = ["Kept", "Opened", "RuntimeTests"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """A runtime, rows for it, and what the object itself says of them."""

    runtime: Runtime
    table: Table
    """At least three rows that differ."""
    expected: Mapping[str, Array]
    """By the names of the runtime's outputs, asked of the object without any runtime."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The same version as files."""

    folder: Path
    saved: Saved
    trust: Trust = field(default_factory=Trust)
    signature: Any = None


class RuntimeTests:
    """Give a fixture `opened` -> `Opened`, and a fixture `kept` -> `Kept` of the same version.

    No test changes what they give, so they may be made once for a class.
    """

    limits = Limits(seconds=120)
    """Of child processes."""
    between_processes = 0.0
    """How far answers of two processes may differ, relatively; 0 means bit for bit."""

    # -- answers -----------------------------------------------------------------------------

    def test_it_says_what_the_object_says_bit_for_bit(self, opened: Opened) -> None:
        _same(opened.runtime.predict(opened.table).outputs, opened.expected)

    def test_the_first_axis_of_every_output_is_the_row(self, opened: Opened) -> None:
        outputs = opened.runtime.predict(opened.table).outputs
        assert {len(array) for array in outputs.values()} == {len(opened.table)}

    def test_the_models_own_time_is_told(self, opened: Opened) -> None:
        assert 0 < opened.runtime.predict(opened.table).seconds < 60

    def test_rows_keep_their_order(self, opened: Opened) -> None:
        back = np.arange(len(opened.table))[::-1]
        outputs = opened.runtime.predict(opened.table.take(back)).outputs
        _close(outputs, {name: array[back] for name, array in opened.expected.items()})

    def test_one_row_is_answered_as_among_others(self, opened: Opened) -> None:
        outputs = opened.runtime.predict(opened.table.take(slice(1, 2))).outputs
        _close(outputs, {name: array[1:2] for name, array in opened.expected.items()})

    def test_no_rows_give_no_answers_or_a_plain_refusal(self, opened: Opened) -> None:
        try:
            outputs = opened.runtime.predict(opened.table.take(slice(0))).outputs
        except InvalidInput:
            return
        assert all(len(array) == 0 for array in outputs.values())

    def test_asking_twice_changes_nothing(self, opened: Opened) -> None:
        before = {name: column.copy() for name, column in opened.table.columns.items()}
        first = opened.runtime.predict(opened.table).outputs
        _same(opened.runtime.predict(opened.table).outputs, first)
        _same(opened.table.columns, before)

    def test_threads_get_the_answers_of_their_own_rows(self, opened: Opened) -> None:
        parts = [slice(0, 1), slice(1, 3), slice(0, 3), slice(2, 3)] * 4
        with ThreadPoolExecutor(4) as pool:
            asked = pool.map(lambda part: opened.runtime.predict(opened.table.take(part)), parts)
            for part, found in zip(parts, asked, strict=True):
                wanted = {name: array[part] for name, array in opened.expected.items()}
                _close(found.outputs, wanted)

    def test_probabilities_have_a_column_for_each_class(self, opened: Opened) -> None:
        classes = opened.runtime.about.classes
        probability = opened.expected.get("probability")
        if classes is None or probability is None:
            pytest.skip("no classes are known")
        assert probability.shape == (len(opened.table), len(classes))

    # -- inputs ------------------------------------------------------------------------------

    def test_columns_are_found_by_name_where_it_knows_names(self, opened: Opened) -> None:
        if opened.runtime.about.features is None:
            pytest.skip("this model takes columns by position")
        names = list(opened.table.names)[::-1]
        more = {"something else": np.arange(len(opened.table))}
        table = Table(more | {name: opened.table.columns[name] for name in names})
        _same(opened.runtime.predict(table).outputs, opened.expected)

    def test_a_missing_column_is_invalid_input(self, opened: Opened) -> None:
        if len(opened.table.names) < 2:
            pytest.skip("this model takes one column")
        with pytest.raises(InvalidInput):
            opened.runtime.predict(opened.table.without(opened.table.names[-1]))

    def test_text_where_numbers_are_wanted_is_invalid_input(self, opened: Opened) -> None:
        numbers = {n: c for n, c in opened.table.columns.items() if c.dtype.kind in "iuf"}
        if not numbers:
            pytest.skip("this model takes no numbers")
        words = {name: np.array(["word"] * len(c), object) for name, c in numbers.items()}
        with pytest.raises(InvalidInput):
            opened.runtime.predict(Table({**opened.table.columns, **words}))

    def test_missing_values_are_answered_or_refused_plainly(self, opened: Opened) -> None:
        gaps = {n: np.full(c.shape, np.nan) for n, c in opened.table.columns.items()
                if c.dtype.kind == "f"}  # fmt: skip
        if not gaps:
            pytest.skip("this model takes no fractions")
        try:
            outputs = opened.runtime.predict(Table({**opened.table.columns, **gaps})).outputs
        except InvalidInput:
            return
        assert {len(array) for array in outputs.values()} == {len(opened.table)}

    # -- in another process ------------------------------------------------------------------

    @pytest.mark.parametrize("isolated", [False, True], ids=["child", "isolated"])
    def test_a_child_process_says_the_same(
        self, opened: Opened, kept: Kept, isolated: bool
    ) -> None:
        limits = Limits(seconds=self.limits.seconds, isolated=isolated)
        with spawn_runtime(
            kept.folder, kept.saved, trust=kept.trust, signature=kept.signature, limits=limits
        ) as child:
            about = opened.runtime.about
            assert (child.about.framework, child.about.task) == (about.framework, about.task)
            assert child.about.features == about.features
            _same(child.predict(opened.table).outputs, opened.expected, self.between_processes)
            if isolated:
                assert {"landlock", "seccomp"} <= set(child.layers)

    # -- as a service ------------------------------------------------------------------------

    def test_a_service_gives_the_same_answers_as_it_has_told(
        self, opened: Opened, kept: Kept
    ) -> None:
        with closing(_served(opened, kept)) as service:
            feeds = _feeds(service, opened.table)
            found = service.run(feeds)
            told = {spec.name: spec for spec in service.outputs}
            assert set(told) == set(found)
            for name, array in found.items():
                assert _dtype(array) == told[name].dtype
                assert _fits(array.shape, told[name].shape)
            if set(found) == set(opened.expected):
                _near(found, opened.expected, self.between_processes)
            one = service.run({name: array[1:2] for name, array in feeds.items()})
            _close(one, {name: array[1:2] for name, array in found.items()})
            first = next(iter(found))
            assert set(service.run(feeds, [first])) == {first}
            _same(service.run(feeds), found)

    def test_threads_of_a_service_get_the_answers_of_their_own_rows(
        self, opened: Opened, kept: Kept
    ) -> None:
        parts = [slice(0, 1), slice(1, 3), slice(0, 3), slice(2, 3)] * 4
        with closing(_served(opened, kept)) as service, ThreadPoolExecutor(4) as pool:
            feeds = _feeds(service, opened.table)
            whole = service.run(feeds)
            rows = [{name: array[part] for name, array in feeds.items()} for part in parts]
            for part, found in zip(parts, pool.map(service.run, rows), strict=True):
                _close(found, {name: array[part] for name, array in whole.items()})

    def test_a_service_lives_in_this_process_or_is_missed_at_once(
        self, opened: Opened, kept: Kept
    ) -> None:
        with closing(_served(opened, kept)) as service:
            feeds = _feeds(service, opened.table)
            service.run(feeds)
            if service.pid is None:
                assert service.framework == "onnx"
                return
            os.kill(service.pid, signal.SIGKILL)
            begun = time.monotonic()
            with pytest.raises(Unavailable) as caught:
                service.run(feeds)
            assert caught.value.kind == "model-died"
            assert time.monotonic() - begun < 1
            service.close()


def _served(opened: Opened, kept: Kept) -> TensorRuntime:
    """The version as a service, in the place where it would be."""
    columns = opened.table.columns.items()
    inputs = [{"name": n, "dtype": _dtype(c), "shape": [-1, *c.shape[1:]]} for n, c in columns]
    signature = kept.signature or {"inputs": inputs}
    return open_version(kept.folder, kept.saved, trust=kept.trust, signature=signature)


def _feeds(service: TensorRuntime, table: Table) -> dict[str, Array]:
    """Rows of a table as the service takes them."""
    if len(service.inputs) == 1 and service.inputs[0].name not in table.columns:
        (spec,) = service.inputs
        return {spec.name: _cast(table.matrix(), spec)}
    return {spec.name: _cast(table.column(spec.name), spec) for spec in service.inputs}


def _cast(array: Array, spec: TensorSpec) -> Array:
    return array.astype(object if spec.dtype == "string" else spec.dtype)


def _dtype(array: Array) -> str:
    return "string" if array.dtype.kind in "OU" else str(array.dtype)


def _fits(shape: tuple[int, ...], told: tuple[int, ...]) -> bool:
    sides = zip(shape, told, strict=False)
    return len(shape) == len(told) and all(wanted in (-1, side) for side, wanted in sides)


def _near(found: Mapping[str, Array], wanted: Mapping[str, Array], tolerance: float) -> None:
    """The same values, where text is an array of objects whatever the library gives."""
    for name, array in wanted.items():
        if tolerance and array.dtype.kind == "f":
            np.testing.assert_allclose(found[name], array, rtol=tolerance)
        else:
            np.testing.assert_array_equal(found[name], array)


def _same(found: Mapping[str, Array], wanted: Mapping[str, Array], tolerance: float = 0.0) -> None:
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        if tolerance and array.dtype.kind == "f":
            np.testing.assert_allclose(found[name], array, rtol=tolerance)
        else:
            np.testing.assert_array_equal(found[name], array)


def _close(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> None:
    """Libraries add in another order when there are other rows beside."""
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-6)
        else:
            np.testing.assert_array_equal(found[name], array)
