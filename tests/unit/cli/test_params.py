"""What people type becomes values at the door."""

from __future__ import annotations

import click
import pytest

from modelyard.cli.params import LABEL, METRIC, MODEL, PARAM, TARGET, revision_of, scalar
from modelyard.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("0.5", 0.5), ("true", True), ("null", None), ('"1"', "1"), ("adam", "adam"),
        ("[1, 2]", "[1, 2]"), ("{}", "{}"), ("NaN", "NaN"), ("", ""), ("1e-3", 1e-3),
    ],
)  # fmt: skip
def test_params_are_json_scalars_or_text(text, value):
    result = scalar(text)
    assert result == value
    assert type(result) is type(value)


def test_pairs_are_split_at_the_first_equals_sign():
    assert PARAM.convert("filter=a=b", None, None) == ("filter", "a=b")
    assert METRIC.convert("val/acc = 0.9", None, None) == ("val/acc", 0.9)
    assert LABEL.convert("task=classify", None, None) == ("task", "classify")
    assert LABEL.convert("approved", None, None) == ("approved", "")


@pytest.mark.parametrize("text", ["acc", "=0.9", "acc=high"])
def test_bad_metrics_are_wrong_usage(text):
    with pytest.raises(click.BadParameter):
        METRIC.convert(text, None, None)


def test_targets_are_models_with_or_without_revision():
    assert revision_of(TARGET.convert("vision/resnet@prod", None, None)) == "prod"
    assert revision_of(TARGET.convert("vision/resnet", None, None)) is None


def test_bad_names_are_invalid_input_and_not_wrong_usage():
    with pytest.raises(InvalidInput):
        TARGET.convert("../etc", None, None)


def test_a_model_takes_no_revision():
    with pytest.raises(click.BadParameter, match="without a revision: resnet"):
        MODEL.convert("resnet@3", None, None)
