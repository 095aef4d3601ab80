"""Models of transformers: saved, loaded, asked and changed; hostile folders are refused by name."""

from __future__ import annotations

import json
import os
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput
from modelyard.frameworks import FolderFiles, claim, framework_of, named
from modelyard.runtimes import load_runtime, runtime_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

FRAMEWORK = named("transformers")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "a", "day", "hello", "world"]
TEXTS = np.array(["good day", "bad bad world", "hello"] * 15, object)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """Small tensors on a busy machine: threads only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_config(**changes: Any) -> Any:
    from transformers import BertConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    more = {"intermediate_size": 64, "vocab_size": len(WORDS), "max_position_embeddings": 16}
    labels = {0: "calm", 1: "glad", 2: "cross"}
    return BertConfig(**{**sizes, **more, "id2label": labels, **changes})


def make_model(name: str = "BertForSequenceClassification", **changes: Any) -> Any:
    import torch
    import transformers

    torch.manual_seed(0)
    return getattr(transformers, name)(make_config(**changes)).eval()


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
    )


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any]:
    """A classifier of three classes, and its tokenizer. Tests do not change them."""
    return make_model(), make_tokenizer()


def assert_same(one: Any, other: Any) -> None:
    import torch

    ours, theirs = one.state_dict(), other.state_dict()
    assert type(one) is type(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("kind", ["model", "tokenizer", "pair", "pipeline"])
def test_each_object_comes_back_as_it_was(
    saved: Callable[..., Any], parts: tuple[Any, Any], kind: str
) -> None:
    from transformers import pipeline

    model, tokenizer = parts
    obj = {
        "model": model, "tokenizer": tokenizer, "pair": parts,
        "pipeline": pipeline("text-classification", model=model, tokenizer=tokenizer),
    }[kind]  # fmt: skip
    assert framework_of(obj) is FRAMEWORK
    files, how = saved("transformers", obj)
    loaded = FRAMEWORK.load(files, how, Trust())
    if kind == "pipeline":
        assert loaded(["good day"]) == obj(["good day"])
        loaded = (loaded.model, loaded.tokenizer)
    if kind != "tokenizer":
        assert_same(loaded if kind == "model" else loaded[0], model)
    if kind != "model":
        words = loaded if kind == "tokenizer" else loaded[1]
        assert words("hello bad world")["input_ids"] == tokenizer("hello bad world")["input_ids"]


def test_half_precision_and_tied_weights_stay(saved: Callable[..., Any]) -> None:
    import torch

    model = make_model("BertForMaskedLM").to(torch.bfloat16)
    files, how = saved("transformers", model)
    loaded = FRAMEWORK.load(files, how, Trust())
    assert loaded.dtype == torch.bfloat16
    assert_same(loaded, model)
    assert loaded.cls.predictions.decoder.weight is loaded.get_input_embeddings().weight


def test_a_folder_that_was_committed_as_files_is_claimed(
    parts: tuple[Any, Any], tmp_path: Path
) -> None:
    parts[0].save_pretrained(tmp_path)
    parts[1].save_pretrained(tmp_path)
    files = FolderFiles(tmp_path)
    how = claim(files)
    assert (how.framework, how.class_name) == (
        "transformers", "transformers.BertForSequenceClassification",
    )  # fmt: skip
    runtime = load_runtime(files, how, Trust())
    said = runtime.predict(Table({"text": TEXTS})).outputs
    ours = runtime_of("transformers", parts).predict(Table({"text": TEXTS})).outputs
    assert np.array_equal(said["probability"], ours["probability"])


def test_a_classifier_tells_labels_and_probabilities(parts: tuple[Any, Any]) -> None:
    import torch

    signature = FRAMEWORK.signature(parts, list(TEXTS[:2]))
    assert signature == {
        "inputs": [{"name": "text", "dtype": "str", "shape": [-1]}],
        "outputs": [
            {"name": "probability", "dtype": "float32", "shape": [-1, 3]},
            {"name": "label", "dtype": "str", "shape": [-1]},
        ],
    }
    runtime = runtime_of("transformers", parts, signature)
    assert runtime.about.task == "classification"
    assert list(runtime.about.classes) == ["calm", "glad", "cross"]
    said = runtime.predict(Table({"text": TEXTS})).outputs
    model, tokenizer = parts
    with torch.no_grad():
        tokens = tokenizer(list(TEXTS), return_tensors="pt", padding=True)
        direct = torch.softmax(model(**tokens).logits, -1).numpy()
    assert np.allclose(said["probability"], direct, atol=1e-5)
    names = [model.config.id2label[index] for index in direct.argmax(axis=1)]
    assert list(said["label"]) == names


def test_a_model_without_head_gives_the_mean_of_its_states() -> None:
    import torch

    model, tokenizer = make_model("BertModel"), make_tokenizer()
    runtime = runtime_of("transformers", (model, tokenizer))
    assert runtime.about.task == "embedding"
    said = runtime.predict(Table({"words": TEXTS[:3]})).outputs["embedding"]
    with torch.no_grad():
        one = model(**tokenizer(["hello"], return_tensors="pt")).last_hidden_state.mean(1)
    assert np.allclose(said[2], one[0].numpy(), atol=1e-5)


def test_a_model_alone_takes_numbers(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    tokens = tokenizer(["good day", "bad"], return_tensors="np", padding=True)
    runtime = runtime_of("transformers", model)
    said = runtime.predict(Table({name: tokens[name] for name in tokens})).outputs
    ours = runtime_of("transformers", parts).predict(Table({"text": TEXTS[:2]})).outputs
    assert np.allclose(said["probability"][0], ours["probability"][0], atol=1e-5)
    with pytest.raises(InvalidInput, match="without its tokenizer"):
        runtime.predict(Table({"text": TEXTS}))


def test_other_tasks_give_what_they_mean() -> None:
    words = make_tokenizer()
    table = Table({"text": TEXTS})
    one = make_model(num_labels=1)
    assert runtime_of("transformers", (one, words)).about.task == "regression"
    number = runtime_of("transformers", (one, words)).predict(table).outputs
    assert {name: values.shape for name, values in number.items()} == {"prediction": (45,)}
    many = make_model(problem_type="multi_label_classification")
    assert list(runtime_of("transformers", (many, words)).predict(table).outputs) == ["probability"]
    masked = make_model("BertForMaskedLM")
    logits = runtime_of("transformers", (masked, words)).predict(table).outputs["logits"]
    assert logits.shape == (45, 3, len(WORDS))


@pytest.mark.parametrize(
    "table",
    [
        Table({"text": np.array(["good", None], object)}),
        Table({"one": TEXTS, "two": TEXTS}),
        Table({"number": np.zeros(3)}),
        Table({"input_ids": np.full((2, 3), 999)}),
    ],
)
def test_rows_that_the_model_cannot_take_are_refused(parts: tuple[Any, Any], table: Table) -> None:
    with pytest.raises(InvalidInput) as caught:
        runtime_of("transformers", parts).predict(table)
    assert caught.value.kind == "bad-inputs"


def test_params_are_those_of_the_config(saved: Callable[..., Any]) -> None:
    pair = make_model(), make_tokenizer()
    assert FRAMEWORK.params(pair)["hidden_dropout_prob"] == 0.1
    before = pair[0]
    changed = FRAMEWORK.set_params(pair, {"hidden_dropout_prob": 0.5, "hidden_act": "relu"})
    assert changed[0].bert.embeddings.dropout.p == 0.5
    assert_same(changed[0], before)
    files, how = saved("transformers", changed)
    loaded = FRAMEWORK.load(files, how, Trust())
    assert FRAMEWORK.params(loaded) == FRAMEWORK.params(changed)
    assert loaded[0].bert.embeddings.dropout.p == 0.5


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"hiden_size": 32}, "no-param"),
        ({"hidden_size": 64}, "bad-param"),
        ({"hidden_size": "wide"}, "bad-param"),
        ({"hidden_act": "os.system"}, "bad-param"),
        ({"num_attention_heads": 5}, "bad-param"),
    ],
)
def test_params_that_do_not_fit_are_refused(
    parts: tuple[Any, Any], changes: dict[str, Any], kind: str
) -> None:
    before = FRAMEWORK.params(parts)
    with pytest.raises(InvalidInput) as caught:
        FRAMEWORK.set_params(parts, changes)
    assert caught.value.kind == kind
    assert FRAMEWORK.params(parts) == before


def test_structure_and_plans() -> None:
    pair = make_model(), make_tokenizer()
    lines = FRAMEWORK.structure(pair)
    assert lines[0] == "BertForSequenceClassification"
    assert "hidden_size = 32" in lines
    assert any(line.startswith("classifier: Linear(in_features=32") for line in lines)
    cast, sentences = FRAMEWORK.set_structure(pair, {"cast": {"*": "bfloat16"}}, Trust())
    assert str(cast[0].classifier.weight.dtype) == "torch.bfloat16"
    assert sentences
    with pytest.raises(InvalidInput, match="would not take") as caught:
        FRAMEWORK.set_structure(pair, {"drop": ["classifier"]}, Trust())
    assert caught.value.kind == "bad-structure"


def test_training_is_left_to_the_library(parts: tuple[Any, Any]) -> None:
    assert FRAMEWORK.optimizer(parts) == {}
    with pytest.raises(InvalidInput, match="no optimizer") as caught:
        FRAMEWORK.set_optimizer(parts, {"name": "adam"})
    assert caught.value.kind == "no-optimizer"
    with pytest.raises(InvalidInput) as caught:
        FRAMEWORK.fit(parts, Table({"text": TEXTS}), TEXTS, epochs=1, seed=0)
    assert caught.value.kind == "no-fit"


# --- hostile folders ------------------------------------------------------------------------


@pytest.fixture
def folder(parts: tuple[Any, Any], tmp_path: Path) -> Path:
    place = tmp_path / "folder"
    parts[0].save_pretrained(place)
    parts[1].save_pretrained(place)
    return place


def change(folder: Path, name: str, **changes: Any) -> None:
    place = folder / name
    place.write_text(json.dumps({**json.loads(place.read_text()), **changes}))


def load(folder: Path, trusted: Any = None) -> Any:
    files = FolderFiles(folder)
    return FRAMEWORK.load(files, claim(files), Trust.of(trusted))


CODE = "import os\nos.mkdir({marker!r})\n"
CONFIGS: dict[str, tuple[str, dict[str, Any], str]] = {
    "code for the model": (
        "config.json", {"auto_map": {"AutoModel": "modeling_evil.Evil"}}, "modeling_evil.Evil",
    ),
    "code for the tokenizer": (
        "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}, "evil.Evil",
    ),
    "a pipeline": ("config.json", {"custom_pipelines": {"x": {"impl": "evil.P"}}}, "evil.P"),
    "a kernel": ("config.json", {"attn_implementation": "evil/kernel"}, "evil/kernel"),
    "a nested kernel": (
        "config.json", {"text_config": {"_attn_implementation": "evil/kernel"}}, "evil/kernel",
    ),
    "another model": ("config.json", {"use_pretrained_backbone": True}, "use_pretrained_backbone"),
    "a template": (
        "tokenizer_config.json",
        {"chat_template": "{{ ''.__class__.__mro__[1].__subclasses__() }}"}, "template",
    ),
    "a template by filter": (
        "tokenizer_config.json", {"chat_template": "{{ x|attr('y') }}"}, "template",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_folder_that_names_code_is_refused_by_name(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    file, changes, said = CONFIGS[kind]
    marker = tmp_path / "marker"
    for module in ("modeling_evil.py", "evil.py"):
        (folder / module).write_text(CODE.format(marker=str(marker)))
    change(folder, file, **changes)
    with pytest.raises(Denied) as caught:
        load(folder)
    assert caught.value.kind == "untrusted"
    assert said in caught.value.message
    assert not marker.exists()


def test_code_is_not_run_even_if_it_is_trusted(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (folder / "modeling_evil.py").write_text(CODE.format(marker=str(marker)))
    change(folder, "config.json", auto_map={"AutoModel": "modeling_evil.Evil"})
    for trusted in (["modeling_evil.Evil"], TRUST_ALL):
        assert type(load(folder, trusted)[0]).__name__ == "BertForSequenceClassification"
    assert not marker.exists()


@pytest.mark.parametrize(
    "name", ["os.system", "PreTrainedModel.x", "pipeline", "Trainer", "AutoModel", "BertConfig"]
)
def test_a_class_that_is_no_model_of_the_library_is_not_looked_up(folder: Path, name: str) -> None:
    change(folder, "config.json", architectures=[name])
    files = FolderFiles(folder)
    how = FRAMEWORK.claims(files)
    if not name.isidentifier():
        assert how is None
        return
    assert how is not None
    with pytest.raises(Denied, match=name) as caught:
        FRAMEWORK.load(files, how, Trust())
    assert caught.value.kind == "untrusted"


def test_a_pickle_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "marker"),)

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Runs(), 2))
    with pytest.raises(Denied, match="mkdir"):
        load(folder)
    assert not (tmp_path / "marker").exists()


def test_clean_weights_by_torch_load(folder: Path, parts: tuple[Any, Any]) -> None:
    import torch

    (folder / "model.safetensors").unlink()
    torch.save(parts[0].state_dict(), folder / "pytorch_model.bin")
    assert_same(load(folder)[0], parts[0])


def test_an_adapter_is_refused(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "/etc"}')
    with pytest.raises(Denied, match="adapter"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", ["", "[]", '{"a": 1, "a": 2}', "[" * 5000])
def test_garbled_files_are_told_as_ours(folder: Path, name: str, content: str) -> None:
    files = FolderFiles(folder)
    how = claim(files)
    (folder / name).write_text(content)
    with pytest.raises(InvalidInput) as caught:
        FRAMEWORK.load(files, how, Trust())
    assert caught.value.kind == "not-loadable"


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    change(folder, "config.json", num_hidden_layers=3)
    with pytest.raises(InvalidInput, match=r"no weights for bert\.encoder\.layer\.2") as caught:
        load(folder)
    assert caught.value.kind == "not-loadable"


def test_shards_outside_and_endless_layers_are_refused(folder: Path) -> None:
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"w": "../secret/x.bin"}}))
    with pytest.raises(InvalidInput, match="no shard"):
        load(folder)
    index.unlink()
    change(folder, "config.json", num_hidden_layers=200_000)
    with pytest.raises(InvalidInput, match="200000 layers"):
        load(folder)


@pytest.mark.parametrize("key", ["gguf_file", "fast_tokenizer_files"])
def test_files_that_a_config_names_are_not_followed(folder: Path, key: str) -> None:
    change(folder, "tokenizer_config.json", **{key: "../secret"})
    with pytest.raises(Denied, match=key):
        load(folder)


def test_a_list_beside_the_config_names_no_code(folder: Path) -> None:
    (folder / "data_config.json").write_text('[{"name": "pairs", "lines": 4000}]')
    load(folder)
