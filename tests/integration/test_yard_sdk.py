"""The SDK as people type it: handles, values that print as what one can paste back."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import modelyard
from modelyard.errors import InvalidInput, NotFound
from modelyard.testing.models import layers, safetensors_bytes, write_tree
from modelyard.testing.yard import refused


@pytest.fixture
def sdk(tmp_path):
    yard = modelyard.open(tmp_path / "yard", author="Ann <ann@example.org>")
    yield yard
    yard.close()


@pytest.fixture
def out(tmp_path):
    weights = safetensors_bytes(layers(1))
    return write_tree(tmp_path / "out", {"m.safetensors": weights, "README.md": b"# Iris\n"})


def test_the_first_ten_lines(sdk, out, tmp_path):
    iris = sdk.model("flowers/iris")
    v1 = iris.commit(out, message="first baseline", metrics={"accuracy": 0.912})
    assert str(v1).startswith("flowers/iris@1 ")
    assert (v1.number, v1.created, v1.metrics) == (1, True, {"accuracy": 0.912})
    iris.alias("champion", v1)
    weight = iris["champion"].tensor("layer0.weight")
    np.testing.assert_array_equal(weight, layers(1)["layer0.weight"])
    write_tree(out, {"m.safetensors": safetensors_bytes(layers(2))})
    v2 = iris.commit(out, message="second")
    assert "6 of 6 tensors changed" in iris.diff("champion", "main").summary()
    assert v1.diff(v2).tensors_changed == 6
    iris.checkout("champion", tmp_path / "back")
    assert (tmp_path / "back" / "README.md").read_bytes() == b"# Iris\n"
    assert [version.number for version in iris] == [2, 1]
    assert iris.latest == v2
    assert iris["champion"] == v1
    assert iris.info.latest == 2
    assert sdk.resolve("flowers/iris", 1).author == "Ann <ann@example.org>"


def test_a_handle_fetches_nothing(sdk):
    ghost = sdk.model("nobody/here")
    assert str(ghost) == "nobody/here"
    with refused(NotFound):
        ghost["latest"]


def test_what_prints_can_be_pasted_back(sdk, out):
    version = sdk.model("m").commit(out)
    again = eval(repr(version), {"modelyard": modelyard})
    assert again == version
    assert hash(again) == hash(version)
    again.yard.close()


def test_a_notebook_shows_no_html_of_others(sdk, out):
    write_tree(out, {"<img src=x>.txt": b"x"})
    version = sdk.model("m").commit(out, message="<script>alert(1)</script>")
    for shown in (version._repr_html_(), sdk.model("m")._repr_html_()):
        assert "<script" not in shown
        assert "<img" not in shown
        assert "m@1" in shown


def test_a_yard_is_a_context(tmp_path, out):
    with modelyard.open(tmp_path / "yard") as yard:
        yard.model("m").commit(out)
    with modelyard.open(str(tmp_path / "yard")) as yard:
        assert yard.model("m")[1].number == 1


def test_an_object_is_not_saved_silently_wrong(sdk):
    with refused(InvalidInput, "not-savable", hint=True):
        sdk.model("m").commit({"weights": lambda row: row})


def test_a_folder_of_other_things_is_no_yard(tmp_path):
    write_tree(tmp_path / "photos", {"cat.jpg": b"cat"})
    with refused(NotFound, "no-yard", hint=True):
        modelyard.open(tmp_path / "photos")


def test_importing_it_loads_nothing_heavy():
    heavy = ("numpy", "sqlalchemy", "dulwich", "click", "rich", "pytest")
    code = f"import sys, modelyard; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in modelyard.__all__:
        assert getattr(modelyard, name) is not None
    assert set(modelyard.__all__) <= set(dir(modelyard))
    with pytest.raises(AttributeError):
        _ = modelyard.nothing_like_this
