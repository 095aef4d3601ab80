"""Every serializer of scikit-learn: what comes back, and what is refused by name."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import re
import zipfile
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn_estimators import KINDS, fitted, one_thread, people

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput
from modelyard.frameworks import FolderFiles, Saved, framework_of, named

sklearn = named("sklearn")
NOTHING = Trust()
NO_ONNX = {"boosting", "voting"}
"""What skl2onnx 1.20 can't convert, or not as it is."""


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    with one_thread():
        yield


def asked(model, rows):
    names = ("predict_proba", "predict", "transform")
    return next(getattr(model, name) for name in names if hasattr(model, name))(rows)


def names_in(error):
    """The names that a refusal tells, as a caller would copy them."""
    return re.findall(r"[A-Za-z_][\w.]*\.[\w.]+\w", error.message.partition(" would ")[2])


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.mark.parametrize("serializer", ["skops", "joblib", "pickle"])
def test_an_estimator_comes_back_once_the_names_it_asks_for_are_trusted(kind, serializer, saved):
    model, rows = fitted(kind)
    files, how = saved("sklearn", model, serializer=serializer)

    try:
        again = sklearn.load(files, how, NOTHING)
    except Denied as refused:
        again = sklearn.load(files, how, Trust.of(names_in(refused)))

    assert type(again) is type(model)
    assert np.array_equal(asked(again, rows), asked(model, rows))


@pytest.mark.parametrize("kind", ["pipeline", "columns", "svc", "mlp", "kmeans", "pca", "voting"])
def test_skops_files_of_ordinary_estimators_need_no_trust(kind, saved):
    files, how = saved("sklearn", fitted(kind)[0])

    assert how.serializer == "skops"
    sklearn.load(files, how, NOTHING)


@pytest.mark.parametrize("serializer", ["joblib", "pickle"])
def test_pickles_ask_for_every_name_also_for_those_that_only_build_values(serializer, saved):
    files, how = saved("sklearn", fitted("pipeline")[0], serializer=serializer)

    with pytest.raises(Denied, match=r"numpy\.dtype.*sklearn\.pipeline\.Pipeline"):
        sklearn.load(files, how, NOTHING)
    sklearn.load(files, how, Trust.of(TRUST_ALL))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - NO_ONNX))
def test_an_onnx_model_agrees_with_the_estimator(kind, saved):
    model, rows = fitted(kind)

    files, how = saved("sklearn", model, serializer="onnx", example=rows[:50])

    parity = how.details["parity"]
    assert parity["rows"] == 50
    assert parity["example"] is True
    assert parity["max_difference"] < 1e-4
    assert parity["labels_equal"] in (None, 1.0)
    assert sklearn.load(files, how, NOTHING).graph.node


def test_onnx_without_an_example_is_compared_on_made_up_rows(saved):
    _, how = saved("sklearn", fitted("pipeline")[0], serializer="onnx")

    assert how.details["parity"]["example"] is False
    assert how.details["parity"]["labels_equal"] == 1.0


def test_what_onnx_can_not_take_points_at_skops(saved):
    with pytest.raises(InvalidInput, match="can't be converted") as refused:
        saved("sklearn", fitted("columns")[0], serializer="onnx")
    assert refused.value.kind == "not-savable"
    assert "skops" in refused.value.hint


def test_what_skops_can_not_take_points_at_joblib(saved):
    from sklearn.cluster import Birch

    with pytest.raises(InvalidInput, match="Birch") as refused:
        saved("sklearn", Birch())
    assert refused.value.kind == "not-savable"
    assert "joblib" in refused.value.hint


def test_skops_files_are_stored_so_that_versions_share_chunks(saved):
    files, _ = saved("sklearn", fitted("pipeline")[0])

    with zipfile.ZipFile(io.BytesIO(files.read("model.skops"))) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_equal_estimators_give_equal_skops_files(kind, saved):
    model, _ = fitted(kind)
    written, how = saved("sklearn", model, serializer="skops")
    twice, _ = saved("sklearn", model, serializer="skops")
    loaded, _ = saved(
        "sklearn", sklearn.load(written, how, Trust.of(TRUST_ALL)), serializer="skops"
    )

    first = bytes_of(written, how)

    assert bytes_of(twice, how) == first
    assert bytes_of(loaded, how) == first


def test_two_fits_with_one_seed_give_equal_skops_files(saved):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).normal(size=(60, 4))
    target = rows[:, 0] > 0

    def made():
        forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(rows, target)
        line = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, target)
        return [bytes_of(*saved("sklearn", model, serializer="skops")) for model in (forest, line)]

    assert made() == made()


def bytes_of(files, how):
    with files.open(how.details["file"]) as file:
        return file.read()


def test_only_estimators_are_recognised():
    from sklearn.utils import Bunch

    class Own(type(fitted("ridge")[0])):
        pass

    assert framework_of(Own()) is sklearn
    assert not sklearn.recognises(Bunch())
    assert not sklearn.recognises(Own)
    assert not sklearn.recognises({"coef": 1})


def test_estimators_of_boosting_libraries_are_left_to_those():
    xgboost = pytest.importorskip("xgboost")

    assert not sklearn.recognises(xgboost.XGBClassifier())


# --- files that nobody saved -----------------------------------------------------------------


def test_a_lone_file_is_claimed_by_what_it_holds(saved, folder_files):
    model = fitted("pipeline")[0]
    for serializer, path in (("skops", "iris.skops"), ("pickle", "a/b.pkl"), ("joblib", "x.pkl")):
        files, how = saved("sklearn", model, serializer=serializer)
        content = files.read(how.details["file"])
        found = sklearn.claims(folder_files({path: content, "notes.txt": b"hm"}))

        assert (found.framework, found.serializer) == ("sklearn", serializer)
        assert found.details == {"file": path}


def test_of_several_files_the_one_named_model_is_claimed(saved, folder_files):
    files, how = saved("sklearn", fitted("pipeline")[0])
    content = files.read(how.details["file"])

    assert sklearn.claims(folder_files({"a.skops": content, "b.skops": content})) is None
    found = sklearn.claims(folder_files({"a.skops": content, "x/model.skops": content}))
    assert found.details["file"] == "x/model.skops"


def test_pickles_of_something_else_are_not_claimed(folder_files):
    assert sklearn.claims(folder_files({"model.pkl": pickle.dumps({"a": 1})})) is None
    assert sklearn.claims(folder_files({"model.skops": b"no zip"})) is None


# --- hostile and damaged skops ---------------------------------------------------------------


def node(loader, module, name, **more):
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def items(loader, name, *content):
    return node(loader, "builtins", name, content=list(content))


def text(value):
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


EVIL = {
    "an address": (
        node("ObjectNode", "sklearn.preprocessing._data", "StandardScaler",
             content=node("DictNode", "builtins", "dict",
                          content={"__array_interface__": text([1])},
                          key_types=items("ListNode", "list"))), "__array_interface__"),
    "a dtype made otherwise": (
        node("LossNode", "numpy", "dtype"), "numpy.dtype as LossNode"),
    "a type": (
        node("ObjectNode", "subprocess", "Popen"), "subprocess.Popen"),
    "a function": (
        node("FunctionNode", "os", "system"), "os.system"),
    "a type for a type": (
        node("TypeNode", "builtins", "eval"), "builtins.eval"),
    "a call": (
        node("ConstructorFromReduceNode", "os", "system",
             content=items("TupleNode", "tuple", text("touch marker"))), "os.system"),
    "an operator": (
        node("OperatorFuncNode", "operator", "methodcaller",
             attrs=items("TupleNode", "tuple", text("system"))), "operator.methodcaller"),
    "a method": (
        node("MethodNode", "builtins", "list",
             content={"func": "append", "obj": items("ListNode", "list")}), "builtins.list.append"),
    "a partial": (
        node("PartialNode", "functools", "partial",
             content={"func": node("FunctionNode", "os", "system"),
                      "args": items("TupleNode", "tuple"),
                      "kwds": node("DictNode", "builtins", "dict", content={},
                                   key_types=items("ListNode", "list")),
                      "namespace": text(None)}), "functools.partial, os.system"),
    "a function inside numpy": (
        node("FunctionNode", "numpy.testing._private.utils", "runstring"), "runstring"),
}  # fmt: skip


def skops_of(schema, protocol=2):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        text = json.dumps({**schema, "protocol": protocol, "_skops_version": "0.16.0"})
        archive.writestr("schema.json", text)
    return content.getvalue()


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("protocol", [0, 2])
def test_hostile_skops_files_are_refused_by_name(evil, protocol, folder_files, tmp_path):
    schema, name = EVIL[evil]
    if protocol == 0 and schema["__loader__"] == "FunctionNode":
        own = {"module_path": schema["__module__"], "function": schema["__class__"]}
        schema = node("FunctionNode", "numpy", "ufunc", content=own)
    files = folder_files({"model.skops": skops_of(items("ListNode", "list", schema), protocol)})

    with pytest.raises(Denied) as refused:
        sklearn.load(files, by("skops"), Trust.of(["sklearn.tree._tree.Tree"]))

    assert name in refused.value.message
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\3\4 and nothing more", skops_of({"a": 1}), skops_of(text(1), protocol=9),
        skops_of(node("NoSuchNode", "builtins", "list")),
        skops_of(node("NdArrayNode", "numpy", "ndarray", type="numpy", file="gone.npy")),
    ],
)  # fmt: skip
def test_damaged_skops_files_are_not_loadable(content, folder_files):
    with pytest.raises(InvalidInput) as refused:
        sklearn.load(folder_files({"model.skops": content}), by("skops"), Trust.of(TRUST_ALL))
    assert refused.value.kind == "not-loadable"


@given(at=st.floats(0, 0.999), byte=st.integers(0, 255), cut=st.booleans())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_skops_file_with_a_wrong_byte_gives_our_errors_only(at, byte, cut, folder_files):
    content = bytearray(skops_bytes())
    place = int(at * len(content))
    content[place] = byte
    files = folder_files({"model.skops": bytes(content[: place + 1] if cut else content)})

    with contextlib.suppress(InvalidInput, Denied):
        assert isinstance(sklearn.load(files, by("skops"), NOTHING), type(fitted("pipeline")[0]))


@cache
def skops_bytes():
    import skops.io

    return skops.io.dumps(fitted("pipeline")[0])


def test_a_damaged_onnx_file_is_not_loadable(folder_files):
    with pytest.raises(InvalidInput) as refused:
        sklearn.load(folder_files({"model.onnx": b"\xff" * 40}), by("onnx"), NOTHING)
    assert refused.value.kind == "not-loadable"


def test_nothing_is_loaded_into(saved):
    model, _ = fitted("pipeline")
    files, how = saved("sklearn", model)

    with pytest.raises(InvalidInput, match="new object"):
        sklearn.load(files, how, NOTHING, into=model)


def by(serializer):
    return Saved(framework="sklearn", serializer=serializer, class_name="")


def test_inputs_of_onnx_have_the_names_of_the_columns_whatever_those_are(saved):
    import pandas
    from sklearn.linear_model import Ridge

    frame = pandas.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=["a/b", "c d"])
    model = Ridge().fit(frame, [1.0, 2.0, 3.0] * 3)
    files, how = saved("sklearn", model, serializer="onnx", example=frame)

    graph = sklearn.load(files, how, NOTHING).graph
    assert [entry.name for entry in graph.input] == ["a/b", "c d"]
    assert how.details["parity"]["max_difference"] < 1e-5


def test_a_frame_with_text_is_converted_to_one_input_for_each_column(saved):
    frame, _ = people()
    files, how = saved("sklearn", fitted("columns")[0], serializer="onnx", example=frame)

    graph = sklearn.load(files, how, NOTHING).graph
    assert [entry.name for entry in graph.input] == ["age", "income", "city"]
    assert isinstance(files, FolderFiles)
