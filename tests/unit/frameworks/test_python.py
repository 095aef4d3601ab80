"""Objects of no library that we know: kept as pickles, asked for what they say."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import things

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput, Unsupported
from modelyard.frameworks import Saved, framework_of, named
from modelyard.runtimes import runtime_of

python = named("python")
TABLE = Table({"x": np.array([1.0, -2.0]), "y": np.array([0.0, 5.0])})
EVERYTHING = Trust.of(TRUST_ALL)


def refused(kind, call, *args, **options):
    with pytest.raises(InvalidInput) as error:
        call(*args, **options)
    assert error.value.kind == kind
    return f"{error.value.message} | {error.value.hint}"


@pytest.mark.parametrize("serializer", ["pickle", "joblib"])
def test_an_object_comes_back_once_its_class_is_trusted(serializer, saved):
    assert framework_of(things.Line()) is python
    files, how = saved("python", things.Line(3.0), serializer=serializer)

    with pytest.raises(Denied, match=r"things\.Line"):
        python.load(files, how, Trust())
    again = python.load(files, how, Trust.of(["things.Line"]))

    assert vars(again) == vars(things.Line(3.0))
    assert how.class_name == "things.Line"


def test_what_only_stands_in_a_script_is_marked_and_not_loadable_elsewhere(saved, monkeypatch):
    import __main__

    Own = type("Own", (), {"__module__": "__main__"})
    monkeypatch.setattr(__main__, "Own", Own, raising=False)
    files, how = saved("python", Own())
    assert "loads only where it is" in how.details["note"]

    monkeypatch.delattr(__main__, "Own")
    text = refused("not-loadable", python.load, files, how, Trust.of(["__main__.Own"]))
    assert "'Own'" in text
    assert "import or install" in text


@pytest.mark.parametrize("serializer", ["pickle", "joblib"])
def test_what_can_not_be_pickled_says_what_to_move(serializer, saved):
    class Local:
        pass

    for unsavable in (lambda rows: rows, Local()):
        text = refused("not-savable", saved, "python", unsavable, serializer=serializer)
        assert "top of a module" in text


def test_parameters_are_attributes_that_json_can_hold():
    line = things.Line(np.float32(2))

    assert python.params(line) == {"slope": 2.0, "intercept": 1}
    assert json.dumps(python.params(line))
    assert python.set_params(line, {"slope": 4}) is line
    assert line.slope == 4
    assert "slope" in refused("no-param", python.set_params, line, {"slop": 1})
    assert python.params([1, 2]) == {}


def test_an_objects_own_parameters_come_first():
    picky = things.Picky()

    assert python.params(picky) == {"slope": 2.0, "names": ["a", "b"]}
    assert "go up" in refused("bad-param", python.set_params, picky, {"slope": -1})


def test_nothing_more_is_known_of_it():
    line = things.Line()

    assert python.structure(line) == ("Line",)
    assert python.optimizer(line) == {}
    refused("bad-structure", python.set_structure, line, {"drop": ["x"]}, Trust())
    refused("no-optimizer", python.set_optimizer, line, {"name": "adam"})
    refused("no-into", python.load, None, Saved(**SAVED), Trust(), into=line)


SAVED = {"framework": "python", "serializer": "pickle", "class_name": ""}


def test_what_has_a_fit_is_fitted():
    line = python.fit(things.Line(), TABLE, [3.0, 0.0], epochs=None, seed=0)

    assert line.slope == pytest.approx(1.0)
    refused("no-fit", python.fit, things.Judge(), TABLE, [1, 0], epochs=None, seed=0)
    refused("no-epochs", python.fit, things.Line(), TABLE, [1, 0], epochs=2, seed=0)
    refused("not-fittable", python.fit, things.Line(), TABLE, ["a", "b"], epochs=None, seed=0)


def test_a_lone_pickle_is_claimed_whatever_it_holds(folder_files):
    content = pickle.dumps({"weights": [1, 2]})

    files = folder_files({"deep/thing.pickle": content, "README.md": b"# hm"})
    found = python.claims(files)
    assert found == Saved(**{**SAVED, "details": {"file": "deep/thing.pickle"}})
    assert python.load(files, found, Trust()) == {"weights": [1, 2]}
    assert python.claims(folder_files({"a.pkl": content, "b.pkl": content})) is None
    assert python.claims(folder_files({"a.pkl": content, "model.pkl": content})) is not None
    assert python.claims(folder_files({"a.pkl": b"text, no pickle"})) is None
    assert python.claims(folder_files({"a.txt": content})) is None


def test_signatures_come_from_asking():
    found = python.signature(things.Judge(), TABLE)

    assert [entry["name"] for entry in found["inputs"]] == ["x", "y"]
    assert found["outputs"] == [
        {"name": "label", "dtype": "string", "shape": [-1]},
        {"name": "probability", "dtype": "float64", "shape": [-1, 2]},
    ]
    rows = python.signature(things.Line(), [[1.0, 2.0]])
    assert rows["inputs"] == [{"name": "input", "dtype": "float64", "shape": [-1, 2]}]
    assert python.signature(things.Line(), None) is None


@pytest.mark.parametrize(
    ("obj", "output", "expected"),
    [
        (things.Line(), "prediction", [3.0, -3.0]),
        (things.Judge(), "label", ["yes", "no"]),
        (things.double, "prediction", [2.0, -4.0]),
    ],
)
def test_the_runtime_asks_predict_or_the_object_itself(obj, output, expected):
    with runtime_of("python", obj) as runtime:
        found = runtime.predict(TABLE)

    assert list(found.outputs[output]) == expected
    assert found.seconds > 0


def test_classes_of_a_classifier_are_told():
    about = runtime_of("python", things.Judge()).about

    assert about.task == "classification"
    assert list(about.classes) == ["no", "yes"]


def test_what_can_not_be_asked_is_told_plainly():
    texts = Table({"x": np.array(["a", "b"], dtype=object)})

    with pytest.raises(Unsupported, match="no predict"):
        runtime_of("python", {"a": 1}).predict(TABLE)
    refused("bad-inputs", runtime_of("python", things.one_number).predict, TABLE)
    refused("bad-inputs", runtime_of("python", things.Line()).predict, texts)
