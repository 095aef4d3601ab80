"""Every framework opened to serve, in the place where it would be served."""

from __future__ import annotations

import json
import zipfile
from contextlib import closing

import numpy as np
import pytest

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied
from modelyard.frameworks import named
from modelyard.runtimes.opening import example_of, open_version

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

ROWS = np.random.default_rng(5).random((6, 4)).astype(np.float32)


@pytest.fixture
def net():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1)).eval()


def test_a_module_of_known_layers_needs_no_trust(net, tmp_path):
    import torch

    saved = named("torch").save(net, tmp_path, "safetensors", ROWS)
    signature = named("torch").signature(net, ROWS)
    with closing(open_version(tmp_path, saved, signature=signature)) as service:
        assert service.platform == "torch_safetensors"
        (spec,) = service.inputs
        assert (spec.dtype, spec.shape) == ("float32", (-1, 4))
        found = service.run({spec.name: ROWS})
        with torch.inference_mode():
            expected = net(torch.from_numpy(ROWS)).numpy()
        np.testing.assert_allclose(found["probability"], expected, rtol=1e-6)


def test_an_exported_program_is_served(net, tmp_path):
    saved = named("torch").save(net, tmp_path, "export", ROWS)
    signature = named("torch").signature(net, ROWS)
    with closing(open_version(tmp_path, saved, signature=signature)) as service:
        feeds = example_of(tmp_path, signature, service.inputs)
        assert {len(array) for array in service.run(feeds).values()} == {2}


def test_an_export_that_says_it_holds_a_pickle_is_refused(net, tmp_path):
    saved = named("torch").save(net, tmp_path, "export", ROWS)
    path = tmp_path / saved.details["file"]
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (config,) = (name for name in members if name.endswith("weights_config.json"))
    content = json.loads(members[config])
    for entry in content["config"].values():
        entry["use_pickle"] = True
    members[config] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(Denied) as caught:
        open_version(tmp_path, saved, signature=named("torch").signature(net, ROWS))
    assert caught.value.kind == "untrusted"
    assert "pickle" in str(caught.value)


def test_texts_go_through_a_model_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
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
    framework = named("transformers")
    saved = framework.save(pair, tmp_path, framework.SERIALIZERS[0])
    with closing(open_version(tmp_path, saved)) as service:
        (spec,) = service.inputs
        assert (spec.name, spec.dtype, spec.shape) == ("text", "string", (-1,))
        found = service.run({"text": np.array(["good day", "bad"], object)})
        assert found["label"].dtype == object
        assert set(found["label"]) <= {"glad", "cross"}
        assert found["probability"].shape == (2, 2)


def test_a_keras_model_is_served_from_its_own_signature(tmp_path):
    pytest.importorskip("tensorflow")
    from modelyard.frameworks.keras.library import keras as library

    keras = library()
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    saved = named("keras").save(model, tmp_path, named("keras").SERIALIZERS[0])
    with closing(open_version(tmp_path, saved)) as service:
        (spec,) = service.inputs
        assert (spec.dtype, spec.shape) == ("float32", (-1, 4))
        (found,) = service.run({spec.name: ROWS}).values()
        np.testing.assert_allclose(found, model(ROWS), rtol=1e-5, atol=1e-6)


def test_any_python_object_is_served_if_it_is_trusted(tmp_path):
    code = (
        "import numpy as np\n"
        "class Line:\n"
        "    def predict(self, rows):\n"
        "        return rows @ np.arange(4.0)\n"
    )
    import pickle

    (tmp_path / "model.pkl").write_bytes(pickle.dumps(_Made(code)))
    from modelyard.frameworks import Saved

    saved = Saved(
        framework="python", serializer="pickle", class_name="Line", details={"file": "model.pkl"}
    )
    signature = {"inputs": [{"name": "input", "dtype": "float64", "shape": [-1, 4]}]}
    with pytest.raises(Denied):
        open_version(tmp_path, saved, signature=signature)
    trust = Trust.of(TRUST_ALL)
    with closing(open_version(tmp_path, saved, trust=trust, signature=signature)) as service:
        rows = ROWS.astype(np.float64)
        np.testing.assert_array_equal(
            service.run({"input": rows})["prediction"], rows @ np.arange(4.0)
        )


class _Made:
    """Pickles as code that makes a `Line`."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return (eval, (f"(n := {{}}, exec({self.code!r}, n), n['Line']())[-1]",))
