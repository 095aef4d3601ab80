"""Functions that a version declares around its model."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from modelyard.core.trust import Trust
from modelyard.errors import Denied, InvalidInput, Unavailable
from modelyard.frameworks import FolderFiles, named
from modelyard.runtimes.hooks import check_hooks, read_hooks
from modelyard.runtimes.opening import open_version

pytest.importorskip("skl2onnx")
pytest.importorskip("onnxruntime")

CODE = """
import numpy as np

def prepare(feeds):
    texts = feeds["text"].tolist()
    if "" in texts:
        raise ValueError("an empty text")
    if "words" in texts:
        return {"input": np.array([["three", "more", "words"]])}
    if "crash" in texts:
        raise RuntimeError("it is broken")
    return {"input": np.array([[len(text), text.count("a"), 1.0] for text in texts])}

def finish(outputs):
    return {"long": outputs["variable"].reshape(-1) > 5}
"""
DECLARED = """
preprocess: hooks.py:prepare
postprocess: hooks.py:finish
inputs:
  - {name: text, dtype: string, shape: [-1]}
"""
TRUST = Trust(frozenset({"hooks.prepare", "hooks.finish"}))


@pytest.fixture
def version(tmp_path):
    from sklearn.linear_model import LinearRegression

    rows = np.eye(3)
    fitted = LinearRegression(fit_intercept=False).fit(rows, [1.0, 0.0, 0.0])
    saved = named("sklearn").save(fitted, tmp_path, "onnx", rows)
    (tmp_path / "hooks.py").write_text(CODE)
    (tmp_path / "serving.yaml").write_text(DECLARED)
    return tmp_path, saved


def test_texts_go_in_and_decisions_come_out(version):
    with closing(open_version(*version, trust=TRUST)) as service:
        assert service.pid is not None
        assert [(s.name, s.dtype, s.shape) for s in service.inputs] == [("text", "string", (-1,))]
        assert [(s.name, s.dtype, s.shape) for s in service.outputs] == [("long", "bool", (-1,))]
        assert (service.rows, service.columns) == (True, True)
        found = service.run({"text": np.array(["a banana", "kiwi"], object)})
        assert found["long"].tolist() == [True, False]


def test_their_errors_are_told_in_a_sentence(version):
    with closing(open_version(*version, trust=TRUST)) as service:
        with pytest.raises(InvalidInput, match="preprocess: an empty text") as caught:
            service.run({"text": np.array([""], object)})
        assert caught.value.kind == "bad-inputs"
        with pytest.raises(InvalidInput, match="preprocess: input takes float32") as caught:
            service.run({"text": np.array(["words"], object)})
        assert caught.value.kind == "bad-inputs"
        with pytest.raises(Unavailable, match="RuntimeError: it is broken"):
            service.run({"text": np.array(["crash"], object)})
        assert service.run({"text": np.array(["kiwi"], object)})["long"].tolist() == [False]


@pytest.mark.parametrize("placement", ["auto", "inline", "process"])
def test_they_run_only_if_they_are_trusted(version, placement):
    with pytest.raises(Denied, match=r"serving.yaml would run hooks.finish, hooks.prepare"):
        open_version(*version, placement=placement)


def test_they_never_run_in_the_server(version):
    with pytest.raises(Denied) as caught:
        open_version(*version, trust=TRUST, placement="inline")
    assert "child process" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "preprocess: os:system", "preprocess: ../x.py:f", "command: rm", "[1, 2]", "a: [",
        "inputs: 3", "inputs: [{name: x}]", "preprocess: [hooks.py:prepare]", "a: &b 1\nc: *b",
    ],
)  # fmt: skip
def test_what_declares_nothing_we_know_is_refused(tmp_path, text):
    (tmp_path / "serving.yaml").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_hooks(tmp_path)
    assert caught.value.kind == "bad-serving"


def test_a_function_that_is_not_there_is_named(version):
    folder, saved = version
    (folder / "serving.yaml").write_text("preprocess: hooks.py:nothing\n")
    with pytest.raises(InvalidInput, match="no function nothing"):
        open_version(folder, saved, trust=Trust(frozenset({"hooks.nothing"})))


def test_they_are_looked_at_before_anything_is_loaded(version):
    folder, _ = version
    check_hooks(FolderFiles(folder), TRUST)
    with pytest.raises(Denied, match=r"hooks.finish"):
        check_hooks(FolderFiles(folder), Trust(frozenset({"hooks.prepare"})))
    (folder / "serving.yaml").unlink()
    check_hooks(FolderFiles(folder), Trust())
