"""Every runtime keeps the promises of `modelyard.testing.RuntimeTests`."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.frameworks import FolderFiles, Saved, named
from modelyard.runtimes import load_runtime
from modelyard.testing.runtime import Kept, Opened, RuntimeTests

ROWS = 40
NOTHING = Trust()


def some_rows():
    return np.random.default_rng(7).random((ROWS, 3))


def as_table(rows, names=("a", "b", "c")):
    return Table({name: rows[:, at] for at, name in enumerate(names)})


def keep(folder, framework, obj, serializer=None, *, trust=NOTHING, example=None):
    module = named(framework)
    saved = module.save(obj, folder, serializer or module.SERIALIZERS[0], example)
    return Kept(folder, saved, trust)


def load(kept):
    return load_runtime(FolderFiles(kept.folder), kept.saved, kept.trust, kept.signature)


@pytest.fixture(scope="class")
def made(request, tmp_path_factory):
    return request.cls.make(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="class")
def kept(made):
    return made[0]


@pytest.fixture(scope="class")
def opened(made):
    kept, table, expected = made
    return Opened(load(kept), table, expected)


class Line:
    """A straight line, by hand."""

    slope = np.array([1.0, -2.0, 0.5])

    def predict(self, rows):
        if rows.shape[1] != 3:
            raise ValueError("three columns")
        return rows @ self.slope


class TestPython(RuntimeTests):
    @staticmethod
    def make(folder):
        code = (
            "import numpy as np\n"
            "class Line:\n"
            "    def predict(self, rows):\n"
            "        if rows.shape[1] != 3: raise ValueError('three columns')\n"
            "        return rows @ np.array([1.0, -2.0, 0.5])\n"
        )
        (folder / "model.pkl").write_bytes(pickle.dumps(_Made(code), protocol=5))
        saved = Saved(
            framework="python", serializer="pickle", class_name="Line",
            details={"file": "model.pkl"},
        )  # fmt: skip
        kept = Kept(folder, saved, Trust.of(TRUST_ALL))
        rows = some_rows()
        return kept, as_table(rows), {"prediction": Line().predict(rows)}


class _Made:
    """Pickles as code that makes a `Line`: its class is in no module that a child could import."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return (eval, (f"(n := {{}}, exec({self.code!r}, n), n['Line']())[-1]",))


class TestSklearnClassifier(RuntimeTests):
    @staticmethod
    def make(folder):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows = some_rows()
        table = as_table(rows)
        words = np.array(["no", "yes"], object)[(rows[:, 0] > 0.5).astype(int)]
        fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(table.frame(), words)
        expected = {
            "label": fitted.predict(table.frame()),
            "probability": fitted.predict_proba(table.frame()),
        }
        return keep(folder, "sklearn", fitted), table, expected


class TestXgboost(RuntimeTests):
    @staticmethod
    def make(folder):
        import xgboost

        rows = some_rows()
        table = as_table(rows)
        fitted = xgboost.XGBRegressor(n_estimators=5).fit(table.frame(), rows.sum(axis=1))
        kept = keep(folder, "xgboost", fitted)
        return kept, table, {"prediction": fitted.predict(table.frame())}


class TestLightgbm(RuntimeTests):
    @staticmethod
    def make(folder):
        import lightgbm

        rows = np.random.default_rng(7).random((200, 3))
        fitted = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(rows, rows.sum(axis=1))
        kept = keep(folder, "lightgbm", fitted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an array has no names
            expected = fitted.predict(rows)
        names = fitted.booster_.feature_name()
        return kept, as_table(rows, names), {"prediction": expected}


class TestOnnx(RuntimeTests):
    @staticmethod
    def make(folder):
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper

        rows = some_rows().astype(np.float32)
        weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [1, -2, 3, 4, 0.5, 6])
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], "line",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])], [weights],
        )  # fmt: skip
        opset = [helper.make_opsetid("", 17)]
        made = helper.make_model(graph, opset_imports=opset, ir_version=8)
        onnx.checker.check_model(made)
        session = onnxruntime.InferenceSession(
            made.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (expected,) = session.run(None, {"x": rows})
        return keep(folder, "onnx", made), as_table(rows), {"y": expected}


@pytest.mark.slow
@pytest.mark.heavy
class TestKeras(RuntimeTests):
    between_processes = 1e-5  # other tests switch TensorFlow's kernels in this one, by training

    @staticmethod
    def make(folder):
        from modelyard.frameworks.keras.library import keras as library

        keras = library()
        rows = some_rows().astype(np.float32)
        net = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
        net.compile(loss="mse")
        kept = keep(folder, "keras", net)
        expected = load(kept).predict(Table({"rows": rows})).outputs
        np.testing.assert_allclose(
            next(iter(expected.values())).reshape(ROWS, -1), net.predict(rows, verbose=0), 1e-5
        )
        return kept, Table({"rows": rows}), expected


@pytest.mark.slow
@pytest.mark.heavy
class TestTorch(RuntimeTests):
    between_processes = 1e-5  # threads of other tests

    @staticmethod
    def make(folder):
        import torch

        torch.manual_seed(0)
        rows = some_rows().astype(np.float32)
        net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softmax(dim=1)).eval()
        made = keep(folder, "torch", net, "safetensors", example=rows)
        kept = Kept(folder, made.saved, NOTHING, named("torch").signature(net, rows))
        (name,) = (entry["name"] for entry in kept.signature["inputs"])
        expected = load(kept).predict(Table({name: rows})).outputs
        with torch.inference_mode():
            np.testing.assert_allclose(expected["probability"], net(torch.from_numpy(rows)), 1e-5)
        return kept, Table({name: rows}), expected


@pytest.mark.slow
@pytest.mark.heavy
class TestTransformers(RuntimeTests):
    between_processes = 1e-5

    @staticmethod
    def make(folder):
        import transformers
        from tokenizers import Tokenizer, models, pre_tokenizers

        words = {word: at for at, word in enumerate(["[PAD]", "[UNK]", "good", "bad", "day"])}
        inner = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        inner.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=inner, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
        )
        config = transformers.BertConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            vocab_size=5, max_position_embeddings=16, id2label={0: "glad", 1: "cross"},
        )  # fmt: skip
        pair = (transformers.BertForSequenceClassification(config).eval(), tokenizer)
        made = keep(folder, "transformers", pair)
        texts = np.array(["good day", "bad", "day day bad", "good"], object)
        table = Table({"text": texts})
        return made, table, load(made).predict(table).outputs
