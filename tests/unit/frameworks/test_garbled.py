"""No damaged file of XGBoost or LightGBM ends the process: their parsers trust what they read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import InvalidInput
from modelyard.frameworks import FolderFiles, Saved, named

xgboost = pytest.importorskip("xgboost")
lightgbm = pytest.importorskip("lightgbm")

PROGRAM = Path(__file__).with_name("garble.py")
RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 4))
BOTH = np.column_stack([X[:, 0], X[:, 1]])


def grown(target, rounds=3, rows=X, **params):
    data = xgboost.DMatrix(rows, target, enable_categorical=True)
    return xgboost.train({"nthread": 1, "max_depth": 2, **params}, data, rounds)


def categorical():
    import pandas

    words = pandas.Categorical(np.array(["x", "y", "z"])[RNG.integers(0, 3, 60)])
    return pandas.DataFrame({"a": X[:, 0], "c": words})


def text(target, rows=X, **params):
    given = {"num_leaves": 4, "num_threads": 1, "verbose": -1, "min_data_in_leaf": 5, **params}
    return lightgbm.train(given, lightgbm.Dataset(rows, target), 3)


def by_category():
    rows = categorical()
    return text(rows.c.cat.codes.to_numpy() + X[:, 0], rows, min_data_per_group=1, cat_smooth=1)


MODELS = {
    "trees.ubj": lambda: grown(X[:, 0]),
    "trees.json": lambda: grown(X[:, 0], booster="dart"),
    "vectors.ubj": lambda: grown(BOTH, multi_strategy="multi_output_tree"),
    "categories.ubj": lambda: grown(X[:, 1], rows=categorical(), max_cat_to_onehot=1),
    "trees.txt": lambda: text(X[:, 0]),
    "linear.txt": lambda: text(X[:, 0], linear_tree=True),
    "categories.txt": by_category,
}


@pytest.mark.slow
@pytest.mark.parametrize("file", MODELS)
def test_damaged_models_are_refused_or_harmless(file, tmp_path):
    path = tmp_path / file
    MODELS[file]().save_model(path)
    library = "lightgbm" if file.endswith(".txt") else "xgboost"
    done = subprocess.run(
        [sys.executable, PROGRAM, library, path, "250", "11"],
        capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    ends = json.loads(done.stdout)
    assert ends["refused"] > 100
    assert ends["loaded"] > 10


def loading(folder, name, data, trust=None):
    library = "lightgbm" if name.endswith(".txt") else "xgboost"
    (folder / name).write_bytes(data)
    kind = {"lightgbm": "lightgbm.basic.Booster", "xgboost": "xgboost.core.Booster"}[library]
    note = Saved(framework=library, serializer="any", class_name=kind, details={"file": name})
    return named(library).load(FolderFiles(folder), note, trust or Trust())


@pytest.mark.parametrize("name", ["model.ubj", "model.json", "model.txt"])
@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"tree\n", b"{}", b"\0" * 50, b"\x80\x05.", b"[" * 100_000, b'{"learner":{}}'],
)
def test_what_is_no_model_is_refused(name, data, tmp_path):
    with pytest.raises(InvalidInput) as failure:
        loading(tmp_path, name, data)
    assert failure.value.kind == "not-loadable"


def _cyclic(model):
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["left_children"][1] = 1


def _far(model):
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["left_children"][0] = 1_000_000


def _no_feature(model):
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["split_indices"][0] = 99


def _no_class(model):
    model["learner"]["gradient_booster"]["model"]["tree_info"][0] = 7


def _few_rounds(model):
    model["learner"]["gradient_booster"]["model"]["iteration_indptr"] = [0, 900, 3]


@pytest.mark.parametrize("damage", [_cyclic, _far, _no_feature, _no_class, _few_rounds])
def test_indices_of_xgboost_are_checked(damage, tmp_path):
    model = json.loads(grown(X[:, 0]).save_raw("json"))
    damage(model)
    with pytest.raises(InvalidInput) as failure:
        loading(tmp_path, "model.json", json.dumps(model).encode())
    assert failure.value.kind == "not-loadable"


@pytest.mark.parametrize(("old", "new"), [
    ("left_child=1", "left_child=0"),
    ("split_feature=0", "split_feature=88"),
    ("num_leaves=4", "num_leaves=4000000"),
    ("tree_sizes=", "tree_sizes=99"),
    ("max_feature_idx=3", "max_feature_idx=2147483647"),
    ("num_class=1", "num_class=100000"),
    ("objective=regression", "objective=multiclass num_class:50"),
    ("Tree=0", "Tree=9"),
    ("version=v4", "version=v4\nversion=v3"),
])  # fmt: skip
def test_lines_of_lightgbm_are_checked(old, new, tmp_path):
    model = text(X[:, 0]).model_to_string()
    assert old in model
    with pytest.raises(InvalidInput) as failure:
        loading(tmp_path, "model.txt", model.replace(old, new, 1).encode())
    assert failure.value.kind == "not-loadable"


@pytest.mark.parametrize("name", ["model.json", "model.txt"])
def test_who_trusts_a_file_altogether_loads_it_unchecked(name, tmp_path):
    model = text(X[:, 0]) if name.endswith(".txt") else grown(X[:, 0])
    model.save_model(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    again = loading(tmp_path, name, data, Trust.of(TRUST_ALL))
    assert type(again) is type(model)
