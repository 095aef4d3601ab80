"""Hostile Keras files are refused by name, and Keras is not even imported for it."""

from __future__ import annotations

import importlib.util
import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput
from modelyard.frameworks import FolderFiles, Saved, claim, named
from modelyard.frameworks.keras.needs import needs_of, require
from modelyard.frameworks.keras.sizes import require_sizes


def _builders():
    spec = importlib.util.spec_from_file_location(
        "keras_files", Path(__file__).with_name("keras_files.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _builders()


def files_with(folder, content, name="model.keras"):
    (folder / name).write_bytes(content)
    return FolderFiles(folder), Saved(
        framework="keras", serializer="keras", class_name="keras.Model", details={"file": name}
    )


def refusal_of(folder, content, trust=None):
    files, saved = files_with(folder, content)
    with pytest.raises(Denied) as refused:
        named("keras").load(files, saved, trust or Trust())
    assert refused.value.kind == "untrusted"
    return refused.value.message


EVIL = {"name": "evil"}
CONFIGS = {
    "module outside of keras": (
        make.dense(module="evil_module", class_name="Layer", config=EVIL), "evil_module.Layer",
    ),
    "module that looks like keras": (
        make.dense(module="keras_evil", class_name="Dense", config=EVIL), "keras_evil.Dense",
    ),
    "module of keras that is no part of a model": (
        make.dense(module="keras.src.utils.file_utils", class_name="get_file", config=EVIL),
        "keras.src.utils.file_utils.get_file",
    ),
    "function of keras that fetches": (
        make.dense(config=EVIL | {"activation": {
            "class_name": "function", "module": "keras.utils", "config": "get_file",
            "registered_name": "get_file",
        }}), "keras.utils.get_file",
    ),
    "function of python": (
        make.dense(config=EVIL | {"activation": {
            "class_name": "function", "module": "builtins", "config": "eval",
            "registered_name": "function",
        }}), "eval",
    ),
    "function of os": (
        make.dense(config=EVIL | {"activation": {
            "class_name": "function", "module": "os", "config": "system", "registered_name": None,
        }}), "os.system",
    ),
    "registered name behind a harmless class": (
        make.dense(registered_name="evil>Thing"), "evil>Thing",
    ),
    "registered name without a module": (
        make.dense(module=None, class_name="Thing", registered_name="Custom>Thing"),
        "Custom>Thing",
    ),
    "class without a module": (
        make.dense(module=None, class_name="Unheard", registered_name="Unheard"), "Unheard",
    ),
    "saved graph as a layer": (
        make.dense(class_name="TFSMLayer", config={"filepath": "/tmp/x"}), "keras.layers.TFSMLayer",
    ),
    "torch module as a layer": (
        make.dense(class_name="TorchModuleWrapper", config={"module": {"class_name": "x"}}),
        "keras.layers.TorchModuleWrapper",
    ),
    "array of objects": (
        make.dense(config={"x": {"class_name": "__numpy__", "config": {
            "value": [1], "dtype": "object"}}}), "__numpy__",
    ),
    "type that TensorFlow looks up": (
        make.dense(config={"x": {"class_name": "__typespec__", "spec_name": "X", "config": []}}),
        "__typespec__",
    ),
    "words from a file of this machine": (
        make.dense(class_name="StringLookup", config={"vocabulary": "/etc/passwd"}),
        "keras.layers.StringLookup.vocabulary",
    ),
    "hidden in an optimizer": (
        make.sequential(compile_config={"optimizer": {
            "module": "evil_module", "class_name": "Adam", "config": {}}}), "evil_module.Adam",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CONFIGS)
def test_a_configuration_is_refused_by_name(what, tmp_path):
    node, name = CONFIGS[what]
    config = node if node["class_name"] == "Sequential" else make.sequential(node)
    assert name in refusal_of(tmp_path, make.keras_file(config))


@pytest.mark.parametrize("what", CONFIGS)
def test_so_it_is_in_h5(what, tmp_path):
    node, name = CONFIGS[what]
    if node["class_name"] == "Sequential":
        training = {"optimizer_config": node["compile_config"]["optimizer"]}
        make.h5_file(tmp_path / "model.h5", make.sequential(make.dense()), training).close()
    else:
        make.h5_file(tmp_path / "model.h5", make.sequential(node)).close()
    files = FolderFiles(tmp_path)
    with pytest.raises(Denied, match="would use") as refused:
        named("keras").load(files, claim(files), Trust())
    assert name in refused.value.message


def test_a_lambda_is_refused_by_name_and_does_not_run(tmp_path):
    marker = tmp_path / "ran"
    content = make.keras_file(make.sequential(make.dense(), make.lambda_layer(marker)))
    assert "keras.layers.Lambda" in refusal_of(tmp_path, content)
    assert not marker.exists()


def test_a_lambda_of_keras_2_in_h5_is_refused(tmp_path):
    marker = tmp_path / "ran"
    old = {"class_name": "Lambda", "config": {
        "name": "x", "function": [make.lambda_code(marker), None, None],
        "function_type": "lambda", "module": "__main__",
    }}  # fmt: skip
    make.h5_file(tmp_path / "model.h5", make.sequential(make.dense(), old)).close()
    files = FolderFiles(tmp_path)
    with pytest.raises(Denied, match=r"keras\.layers\.Lambda"):
        named("keras").load(files, claim(files), Trust())
    assert not marker.exists()


def test_every_name_is_told_at_once(tmp_path):
    nodes = [node for node, _ in CONFIGS.values() if node["class_name"] != "Sequential"]
    message = refusal_of(tmp_path, make.keras_file(make.sequential(*nodes)))
    for node, name in CONFIGS.values():
        assert name in message or node["class_name"] == "Sequential"


def test_one_trusted_name_does_not_let_another_in(tmp_path):
    nodes = [CONFIGS[what][0] for what in ("module outside of keras", "function of os")]
    content = make.keras_file(make.sequential(*nodes))
    message = refusal_of(tmp_path, content, Trust.of(["os.system"]))
    assert "evil_module.Layer" in message
    assert "os.system" not in message


def test_a_refusal_imports_neither_keras_nor_what_the_file_names(tmp_path):
    (tmp_path / "evil_module.py").write_text("open('ran', 'w').close()\nclass Layer: pass\n")
    node = CONFIGS["module outside of keras"][0]
    (tmp_path / "model.keras").write_bytes(make.keras_file(make.sequential(node)))
    make.h5_file(tmp_path / "model.h5", make.sequential(node)).close()
    script = """
import sys, pathlib
from modelyard.core.trust import Trust
from modelyard.errors import Denied
from modelyard.frameworks import FolderFiles, Saved, named
for name in ("model.keras", "model.h5"):
    saved = Saved(framework="keras", serializer="keras", class_name="x", details={"file": name})
    try:
        named("keras").load(FolderFiles(pathlib.Path()), saved, Trust())
    except Denied as refused:
        assert "evil_module.Layer" in refused.message
    else:
        raise AssertionError(name)
loaded = {"keras", "tensorflow", "torch", "h5py", "evil_module"} & sys.modules.keys()
assert not loaded, loaded
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_links_out_of_h5_are_refused(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.zeros((4, 3), "float32")
    with make.h5_file(tmp_path / "model.h5", make.sequential(make.dense())) as file:
        del file["model_weights/dense/kernel"]
        file["model_weights/dense/kernel"] = h5py.ExternalLink(str(secret), "x")
    saved = Saved(framework="keras", serializer="h5", class_name="x", details={"file": "model.h5"})
    with pytest.raises(Denied, match=r"hdf5\.external-link"):
        named("keras").load(FolderFiles(tmp_path), saved, Trust())


def test_values_in_other_files_are_refused(tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.zeros((4, 3), "float32")
    with make.h5_file(tmp_path / "model.h5", make.sequential(make.dense())) as file:
        raw = [(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("model_weights/raw", (3,), "float32", external=raw)
        layout = h5py.VirtualLayout((4, 3), "float32")
        layout[:] = h5py.VirtualSource(str(other), "x", (4, 3))
        file.create_virtual_dataset("model_weights/virtual", layout)
    saved = Saved(framework="keras", serializer="h5", class_name="x", details={"file": "model.h5"})
    with pytest.raises(Denied) as refused:
        named("keras").load(FolderFiles(tmp_path), saved, Trust())
    assert "hdf5.external-storage" in refused.value.message
    assert "hdf5.virtual-dataset" in refused.value.message


def test_links_inside_of_a_keras_file_are_refused(tmp_path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "x")
    content = make.keras_file(
        make.sequential(make.dense()), {"model.weights.h5": buffer.getvalue()}
    )
    assert "hdf5.external-link" in refusal_of(tmp_path, content)


def test_strange_members_are_refused_by_name(tmp_path):
    content = make.keras_file(make.sequential(make.dense()), {"evil.pkl": b"cos\nsystem\n."})
    assert "evil.pkl" in refusal_of(tmp_path, content)


def _twice(content):
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", b"{}")
    return buffer.getvalue()


def _renamed(content):
    """The local header says another name than the directory."""
    place = content.index(b"config.json")
    return content[:place] + b"c0nfig.json" + content[place + 11 :]


GARBLED = {
    "cut": lambda content: content[:-30],
    "empty": lambda content: b"",
    "no zip": lambda content: b"PK\3\4" + bytes(100),
    "bytes behind": lambda content: content + b"more",
    "config twice": _twice,
    "two names": _renamed,
    "no weights": lambda content: _only(content, "config.json"),
    "no config": lambda content: _only(content, "model.weights.h5"),
    "config is no object": lambda content: make.keras_file([1, 2]),
    "keys twice": lambda content: content.replace(b'"units": 3', b'"name": "ab"'),
    "class is no text": lambda content: make.keras_file(make.sequential(make.dense(class_name=7))),
    "weights are none": lambda content: make.keras_file(
        make.sequential(make.dense()), {"model.weights.h5": b"hello"}
    ),
    "weights would grow": lambda content: make.keras_file(
        make.sequential(make.dense()), {"model.weights.h5": _bomb()}
    ),
}


def _only(content, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w") as target:
        target.writestr(name, source.read(name))
    return buffer.getvalue()


def _bomb():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("x", (1 << 20, 1 << 12), "float32", chunks=(1 << 10, 1 << 10))
    return buffer.getvalue()


@pytest.mark.parametrize("how", GARBLED)
def test_garbled_files_are_not_loadable(how, tmp_path):
    content = GARBLED[how](make.keras_file(make.sequential(make.dense())))
    files, saved = files_with(tmp_path, content)
    with pytest.raises(InvalidInput) as refused:
        named("keras").load(files, saved, Trust.of(TRUST_ALL))
    assert refused.value.kind == "not-loadable"
    assert "model.keras" in refused.value.message


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(50)])
def test_garbled_h5_is_not_loadable(content, tmp_path):
    files, saved = files_with(tmp_path, content, "model.h5")
    with pytest.raises(InvalidInput) as refused:
        named("keras").load(files, saved, Trust())
    assert refused.value.kind == "not-loadable"


def test_weights_alone_are_no_model(tmp_path):
    (tmp_path / "model.weights.h5").write_bytes(make.weights())
    (tmp_path / "other.h5").write_bytes(make.weights())
    assert named("keras").claims(FolderFiles(tmp_path)) is None
    saved = Saved(framework="keras", serializer="h5", class_name="x", details={"file": "other.h5"})
    with pytest.raises(InvalidInput, match="weights without a model") as refused:
        named("keras").load(FolderFiles(tmp_path), saved, Trust())
    assert refused.value.kind == "not-loadable"
    assert "whole model" in refused.value.hint


def test_a_file_that_is_not_there(tmp_path):
    saved = Saved(
        framework="keras", serializer="keras", class_name="x", details={"file": "../x.keras"}
    )
    with pytest.raises(InvalidInput, match="no file"):
        named("keras").load(FolderFiles(tmp_path), saved, Trust())


def test_operators_of_a_graph_that_touch_files_are_refused_by_name(tmp_path):
    operators = ["MatMul", "ReadFile", "EagerPyFunc", "InitializeTableFromTextFileV2", "SaveV2"]
    (tmp_path / "saved_model.pb").write_bytes(saved_graph(operators))
    files = FolderFiles(tmp_path)
    saved = claim(files)
    with pytest.raises(Denied, match="would run a graph with") as refused:
        named("keras").load(files, saved, Trust())
    shown = refused.value.message.partition("would run a graph with ")[2].split(", ")
    assert shown == [
        "EagerPyFunc", "InitializeTableFromTextFileV2", "ReadFile", "tensorflow.saved_model.load",
    ]  # fmt: skip
    trusted = [name for name in shown if name != "ReadFile"]
    with pytest.raises(Denied, match=r"would run a graph with ReadFile$"):
        named("keras").load(files, saved, Trust.of(trusted))


def test_a_graph_of_harmless_operators_needs_trust_too(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(saved_graph(["MatMul"]))
    files = FolderFiles(tmp_path)
    with pytest.raises(Denied, match=r"would run a graph with tensorflow\.saved_model\.load$"):
        named("keras").load(files, claim(files), Trust())


def test_a_node_with_two_operators_is_refused(tmp_path):
    path = tmp_path / "saved_model.pb"
    once = saved_graph(["NoOp"])
    node = b"\x0a\x02n0\x12\x04NoOp"
    assert once.endswith(node)
    twice = node + b"\x12\x08ReadFile"
    body = b"\x0a" + bytes([len(twice)]) + twice
    graph = b"\x12" + bytes([len(body)]) + body
    path.write_bytes(b"\x08\x01\x12" + bytes([len(graph)]) + graph)
    files = FolderFiles(tmp_path)
    with pytest.raises(InvalidInput, match="given twice"):
        named("keras").load(files, claim(files), Trust.of(TRUST_ALL))


BOMBS = {
    "a large number": make.sequential(make.dense(config={"name": "dense", "units": 200_000_000})),
    "many numbers below it": make.sequential(
        make.dense(config={"name": "dense", "units": 15_000_000})
    ),
    "layers that multiply": make.sequential(
        *(make.dense(config={"name": f"d{i}", "units": 90_000}, build_config=None) for i in "ab")
    ),
    "an embedding": make.sequential(
        make.dense(
            class_name="Embedding",
            config={"name": "e", "input_dim": 100_000, "output_dim": 90_000},
        )
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_configuration_that_would_fill_the_memory_is_refused(what, tmp_path):
    files, saved = files_with(tmp_path, make.keras_file(BOMBS[what]))
    with pytest.raises(InvalidInput, match="may fill the memory") as refused:
        named("keras").load(files, saved, Trust())
    assert refused.value.kind == "not-loadable"
    assert "isolated=True" in refused.value.hint


def test_large_numbers_that_are_no_sizes_are_let_in():
    config = {"class_name": "X", "shared_object_id": 1 << 47, "config": {"seed": 999_999_999}}
    require_sizes("file", [config], 0, Trust())
    bomb = {"class_name": "Dense", "config": {"units": 200_000_000}}
    require_sizes("file", [bomb], 0, Trust.of(["keras.sizes"]))


def saved_graph(operators):
    """SavedModel{meta_graphs: MetaGraphDef{graph_def: GraphDef{node: NodeDef{op}}}}."""

    def field(number, content):
        size = len(content)
        low = bytes([size]) if size < 128 else struct.pack("BB", size & 127 | 128, size >> 7)
        return bytes([number << 3 | 2]) + low + content

    nodes = b"".join(
        field(1, field(1, b"n%d" % index) + field(2, name.encode()))
        for index, name in enumerate(operators)
    )
    return b"\x08\x01" + field(2, field(2, nodes))


Scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
Names = st.sampled_from(["class_name", "module", "registered_name", "config", "layers", "x"])
Words = st.sampled_from(["Dense", "Lambda", "function", "keras.layers", "evil", "relu", "__x__"])
Trees = st.recursive(
    Scalars | Words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(Names, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=200)
@given(tree=Trees)
def test_any_configuration_is_judged_or_refused(tree):
    try:
        needs = needs_of({"x": tree})
    except InvalidInput:
        return
    require("file", needs, Trust.of(TRUST_ALL))
    require("file", needs, Trust.of([need.name for need in needs]))
    if needs:
        with pytest.raises(Denied):
            require("file", needs, Trust())


def test_names_of_keras_itself_need_no_trust():
    optimizer = {"module": "keras.optimizers", "class_name": "Adam", "config": {}}
    old = {"class_name": "Dense", "config": {"kernel_initializer": {
        "class_name": "GlorotUniform", "config": {}}}}  # fmt: skip
    assert not needs_of(make.sequential(make.dense(), old, compile_config={"optimizer": optimizer}))
