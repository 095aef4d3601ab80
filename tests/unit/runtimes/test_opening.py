"""Versions opened to serve: named tensors in, named tensors out."""

from __future__ import annotations

import os
import pickle
import select
import signal
import threading
import time

import numpy as np
import pytest

from modelyard.core.trust import Trust
from modelyard.errors import Denied, InvalidInput, Unavailable
from modelyard.frameworks import Saved, named
from modelyard.runtimes.opening import example_of, open_version

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("sklearn")

ROWS = np.random.default_rng(3).normal(size=(30, 4))
LABELS = (ROWS[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def pipeline():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)


@pytest.fixture(scope="module")
def graph(pipeline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    return folder, named("sklearn").save(pipeline, folder, "onnx", ROWS[:5])


@pytest.fixture(scope="module")
def skops(pipeline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("skops")
    saved = named("sklearn").save(pipeline, folder, "skops", ROWS[:5])
    return folder, saved, named("sklearn").signature(pipeline, ROWS[:5])


def test_a_graph_is_opened_in_this_process(graph, pipeline):
    runtime = open_version(*graph)
    (spec,) = runtime.inputs
    assert (runtime.pid, runtime.parallel, runtime.rows, runtime.columns) == (
        None,
        True,
        True,
        False,
    )
    assert (spec.name, spec.dtype, spec.shape) == ("input", "float32", (-1, 4))
    found = runtime.run({"input": ROWS.astype(np.float32)})
    assert found["label"].tolist() == pipeline.predict(ROWS).tolist()
    assert set(runtime.run({"input": ROWS[:1].astype(np.float32)}, ["label"])) == {"label"}


def test_other_models_live_in_a_child_process(skops, pipeline):
    folder, saved, signature = skops
    runtime = open_version(folder, saved, signature=signature)
    try:
        assert runtime.pid not in (None, os.getpid())
        assert [spec.name for spec in runtime.outputs] == ["label", "probability"]
        found = runtime.run({"input": ROWS})
        np.testing.assert_array_equal(found["label"], pipeline.predict(ROWS))
        np.testing.assert_array_equal(found["probability"], pipeline.predict_proba(ROWS))
    finally:
        runtime.close()


def test_a_killed_process_is_missed_at_once(skops):
    folder, saved, signature = skops
    runtime = open_version(folder, saved, signature=signature)
    try:
        os.kill(runtime.pid, signal.SIGKILL)
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            runtime.run({"input": ROWS})
        assert caught.value.kind == "model-died"
        assert time.monotonic() - begun < 0.5  # 5 to 25 ms on a quiet machine
    finally:
        runtime.close()


def test_a_pickle_is_opened_only_if_trusted_and_never_here(pipeline, tmp_path):
    saved = named("sklearn").save(pipeline, tmp_path, "pickle")
    with pytest.raises(Denied) as caught:
        open_version(tmp_path, saved)
    assert caught.value.kind == "untrusted"
    everything = Trust(everything=True)
    with pytest.raises(Denied):
        open_version(tmp_path, saved, trust=everything, placement="inline")
    runtime = open_version(tmp_path, saved, trust=everything)
    found = runtime.run({"input": ROWS})
    runtime.close()
    assert found["label"].tolist() == pipeline.predict(ROWS).tolist()


def test_weights_outside_of_the_folder_are_refused(tmp_path):
    make = onnx.helper
    weight = make.make_tensor("w", onnx.TensorProto.FLOAT, [2], [1.0, 2.0])
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": "../secret.bin", "length": "8"}.items():
        weight.external_data.add(key=key, value=value)
    ports = [make.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", 2]) for n in "xy"]
    nodes = [make.make_node("Add", ["x", "w"], ["y"])]
    model = make.make_model(make.make_graph(nodes, "g", ports[:1], ports[1:], [weight]))
    inner = tmp_path / "version"
    inner.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"12345678")
    (inner / "model.onnx").write_bytes(model.SerializeToString())
    saved = Saved(framework="onnx", serializer="onnx", class_name="ModelProto")
    with pytest.raises(InvalidInput) as caught:
        open_version(inner, saved)
    assert caught.value.kind == "not-loadable"
    assert "outside" in str(caught.value)


def test_lists_of_maps_become_arrays(pipeline, tmp_path):
    from skl2onnx import to_onnx

    model = to_onnx(pipeline, ROWS[:1].astype(np.float32), options={"zipmap": True})
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    saved = Saved(framework="onnx", serializer="onnx", class_name="ModelProto")
    runtime = open_version(tmp_path, saved)
    found = runtime.run({"X": ROWS.astype(np.float32)})
    assert [spec.name for spec in runtime.outputs] == [v.name for v in model.graph.output]
    np.testing.assert_allclose(
        found["output_probability"], pipeline.predict_proba(ROWS), rtol=1e-4, atol=1e-6
    )


def test_an_example_is_made_where_none_was_stored(graph):
    folder, saved = graph
    runtime = open_version(folder, saved)
    example = example_of(folder, None, runtime.inputs)
    assert {name: (a.dtype.name, a.shape) for name, a in example.items()} == {
        "input": ("float32", (2, 4))
    }
    assert len(runtime.run(example)["label"]) == 2


class _Sleeps:
    """Pickles as code that makes an object which takes its time."""

    def __reduce__(self):
        code = (
            "import time\n"
            "class Slow:\n"
            "    def predict(self, rows):\n"
            "        time.sleep(float(rows[0, 0])); return rows[:, 0]\n"
        )
        return (eval, (f"(n := {{}}, exec({code!r}, n), n['Slow']())[-1]",))


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(_Sleeps()))
    saved = Saved(
        framework="python", serializer="pickle", class_name="Slow", details={"file": "model.pkl"}
    )
    runtime = open_version(
        tmp_path, saved, trust=Trust(everything=True),
        signature={"inputs": [{"name": "input", "dtype": "float64", "shape": [-1, 1]}]},
    )  # fmt: skip
    yield runtime
    runtime.close()


def test_who_waits_is_told_at_once_when_the_process_is_killed(slow):
    killed = []

    def kill():
        os.kill(slow.pid, signal.SIGKILL)
        killed.append(time.monotonic())

    threading.Timer(0.3, kill).start()
    with pytest.raises(Unavailable) as caught:
        slow.run({"input": np.full((1, 1), 60.0)})
    assert caught.value.kind == "model-died"
    assert time.monotonic() - killed[0] < 0.5
    assert not slow.alive


def test_its_end_can_be_waited_for_by_an_event_loop(slow):
    assert not select.select([slow.ended], [], [], 0)[0]
    os.kill(slow.pid, signal.SIGKILL)
    assert select.select([slow.ended], [], [], 5)[0]


def test_systems_that_can_not_watch_processes_are_served_too(skops, pipeline, monkeypatch):
    monkeypatch.delattr("os.pidfd_open", raising=False)
    folder, saved, signature = skops
    runtime = open_version(folder, saved, signature=signature)
    try:
        assert runtime.ended is None
        found = runtime.run({"input": ROWS})
        assert found["label"].tolist() == pipeline.predict(ROWS).tolist()
        os.kill(runtime.pid, signal.SIGKILL)
        with pytest.raises(Unavailable) as caught:
            runtime.run({"input": ROWS})
        assert caught.value.kind == "model-died"
    finally:
        runtime.close()
    with pytest.raises(Unavailable, match="model's process has ended"):
        runtime.run({"input": ROWS})


def test_a_call_that_takes_too_long_is_stopped(slow, monkeypatch):
    monkeypatch.setattr("modelyard.runtimes.tensor_process._SECONDS", 0.3)
    with pytest.raises(Unavailable) as caught:
        slow.run({"input": np.full((1, 1), 60.0)})
    assert caught.value.kind == "model-timeout"
    with pytest.raises(Unavailable) as caught:
        slow.run({"input": np.ones((1, 1))})
    assert caught.value.kind == "model-died"


def test_a_caller_may_give_it_less_time(slow):
    assert slow.run({"input": np.zeros((1, 1))}, None, 30.0)["prediction"].tolist() == [0.0]
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"0\.3 seconds") as caught:
        slow.run({"input": np.full((1, 1), 60.0)}, None, 0.3)
    assert caught.value.kind == "model-timeout"
    assert time.monotonic() - begun < 10
    assert not slow.alive


def test_a_caller_can_not_give_it_more_time(slow, monkeypatch):
    monkeypatch.setattr("modelyard.runtimes.tensor_process._SECONDS", 0.3)
    with pytest.raises(Unavailable, match=r"0\.3 seconds"):
        slow.run({"input": np.full((1, 1), 60.0)}, None, 3000.0)


def test_what_lives_here_takes_the_time_that_it_needs(graph):
    found = open_version(*graph).run({"input": ROWS.astype(np.float32)}, ["label"], 0.0)
    assert len(found["label"]) == len(ROWS)


def test_closing_it_ends_the_wait_of_others(slow):
    threading.Timer(0.3, slow.close).start()
    with pytest.raises(Unavailable) as caught:
        slow.run({"input": np.full((200_000, 1), 60.0)})
    assert caught.value.kind == "model-died"
    slow.close()


def test_large_requests_and_answers_are_right_every_time(slow):
    for rows in (1, 100_000, 3, 400_000, 60_000):
        column = np.arange(float(rows)).reshape(-1, 1)
        found = slow.run({"input": column})["prediction"]
        np.testing.assert_array_equal(found, column[:, 0])
