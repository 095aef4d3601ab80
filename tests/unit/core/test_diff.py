"""The sentence of a diff: short, true, and pasteable into a message."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.diff import Diff, FileChange, TensorChange, ValueChange, summarize


def tensor(name="w", change="changed", relative=None):
    return TensorChange("m.safetensors", name, change, "float32", (2,), relative_change=relative)


def file(path="a.txt", change="added"):
    return FileChange(path, change, None, None, 3)


def metric(old, new, name="accuracy"):
    return ValueChange(name, old, new)


def test_nothing_is_said_of_no_difference():
    assert summarize([], [], 3, [], []) == "no difference"


def test_the_largest_change_is_named():
    moved = [tensor("fc.bias", relative=0.001), tensor("fc.weight", relative=0.031)]
    sentence = summarize([], moved, 161, [], [metric(0.912, 0.931)])
    assert sentence == (
        "2 of 161 tensors changed, largest: fc.weight 3.1 %; accuracy 0.912 -> 0.931"
    )


def test_added_and_removed_tensors_are_counted_apart():
    moved = [tensor("a", "added"), tensor("b", "added"), tensor("c", "removed")]
    assert summarize([], moved, 5, [], []) == "2 tensors added, 1 tensor removed"


def test_files_are_counted_where_no_tensor_is_known():
    files = [file("a"), file("b"), file("c", "removed")]
    assert summarize(files, [], 0, [], []) == "2 files added, 1 file removed"


def test_a_metric_that_came_or_went_is_a_dash():
    assert summarize([], [], 0, [], [metric(None, 0.5)]) == "accuracy - -> 0.5"


def test_params_are_counted_and_three_are_named():
    params = [ValueChange(name, 1, 2) for name in "abcd"]
    assert summarize([], [], 0, params, []) == "4 parameters changed (a, b, c, ...)"
    assert summarize([], [], 0, params[:1], []) == "1 parameter changed (a)"


@pytest.mark.parametrize(
    ("relative", "text"), [(1e-6, "0.0001 %"), (0.5, "50 %"), (9.0, "900 %"), (12.0, "12x")]
)
def test_percent_stays_readable(relative, text):
    assert summarize([], [tensor(relative=relative)], 1, [], []).endswith(f"w {text}")


@given(
    st.lists(st.builds(tensor, st.text(max_size=5),
                       st.sampled_from(["changed", "added", "removed", "renamed"]),
                       st.none() | st.floats(0, 1e9)), max_size=5),
    st.lists(st.builds(metric, st.none() | st.floats(), st.none() | st.floats()), max_size=5),
)  # fmt: skip
def test_every_difference_makes_one_line_that_is_not_empty(tensors, metrics):
    sentence = summarize([], tensors, 9, [], metrics)
    assert sentence
    assert "\n" not in sentence.replace("\x85", "") or any("\n" in t.name for t in tensors)
    assert (sentence == "no difference") == (not tensors and not metrics)


def test_a_diff_is_true_if_something_differs_and_prints_its_sentence():
    nothing = Diff(
        a="m@1", b="m@2", files=(), tensors=(), tensors_total=0, tensors_changed=0,
        params=(), metrics=(), card_changed=False, text="no difference",
    )  # fmt: skip
    assert not nothing
    assert str(nothing) == nothing.summary() == "no difference"
    assert pickle.loads(pickle.dumps(nothing)) == nothing
