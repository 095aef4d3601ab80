"""Runtimes as services see them: whose fault it is when a library raises."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.errors import InvalidInput, Unavailable
from modelyard.runtimes import runtime_of
from modelyard.runtimes.interface import About, Prediction
from modelyard.runtimes.tables import TableTensors
from modelyard.runtimes.tensors import TensorSpec

ROWS = np.ones((2, 3))


class Raises:
    """A runtime of a library that says what is wrong in its own way."""

    about = About("other")

    def __init__(self, error):
        self._error = error

    def predict(self, inputs):
        if self._error is not None:
            raise self._error
        return Prediction({"prediction": inputs.matrix()[:, 0]})

    def close(self):
        pass


def asked(error, outputs=None):
    inputs = [TensorSpec("input", "float64", (-1, 3))]
    return TableTensors(Raises(error), "other_file", inputs, None).run({"input": ROWS}, outputs)


@pytest.mark.parametrize("error", [
    IndexError("index out of range in self"), KeyError("blue"), ValueError("found unknown"),
    TypeError("no number"), UnicodeEncodeError("ascii", "x", 0, 1, "no"),
])  # fmt: skip
def test_values_that_a_library_can_not_take_are_invalid_input(error):
    with pytest.raises(InvalidInput, match=type(error).__name__) as caught:
        asked(error)
    assert caught.value.kind == "bad-inputs"


@pytest.mark.parametrize("error", [
    MemoryError(), RuntimeError("no such device"), OSError("a file is gone"), ZeroDivisionError(),
    AttributeError("weights"),
])  # fmt: skip
def test_other_errors_are_failures_of_the_version(error):
    with pytest.raises(Unavailable) as caught:
        asked(error)
    assert caught.value.kind == "model-failed"


def test_errors_of_ours_come_as_they_are():
    with pytest.raises(InvalidInput) as caught:
        asked(InvalidInput("no-column", "there is no such column"))
    assert caught.value.kind == "no-column"


def test_an_output_that_there_is_not_is_invalid_input():
    assert asked(None)["prediction"].tolist() == [1.0, 1.0]
    with pytest.raises(InvalidInput, match="embedding"):
        asked(None, ["embedding"])


class Greedy:
    def predict(self, rows):
        raise MemoryError


class Looks:
    """A table of what it knows, and rows that it does not know."""

    def predict(self, rows):
        return [{1.0: "one"}[row[2]] + "".join(row[3:]) for row in rows * 2]


@pytest.mark.parametrize(("obj", "kind"), [(Greedy(), "model-failed"), (Looks(), "bad-inputs")])
def test_a_lack_of_memory_is_not_the_fault_of_the_rows(obj, kind):
    inputs = [TensorSpec("input", "float64", (-1, 3))]
    service = TableTensors(runtime_of("python", obj, None), "python_pickle", inputs, None)
    with pytest.raises((InvalidInput, Unavailable)) as caught:
        service.run({"input": ROWS})
    assert caught.value.kind == kind
