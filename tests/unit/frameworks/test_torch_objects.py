"""Objects of torch: what is loaded is what was saved, for each kind and serializer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.core.table import Table
from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput, Unsupported
from modelyard.frameworks import FolderFiles, claim, framework_of, named

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

TORCH = named("torch")
NOTHING = Trust()
STATES = ("safetensors", "torch")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """Small tensors on a busy machine: threads only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def again(saved: Callable[..., Any]) -> Callable[..., Any]:
    """`again(obj, serializer, ...)`: saved and loaded without any trust."""

    def save_and_load(
        obj: Any, serializer: str = "safetensors", *, trust: Any = None, into: Any = None,
        example: Any = None,
    ) -> Any:  # fmt: skip
        files, how = saved("torch", obj, serializer=serializer, example=example)
        return TORCH.load(files, how, Trust.of(trust), into)

    return save_and_load


def make_net() -> Any:
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    )


def make_own() -> Any:
    """A module of a class that is not torch's, with everything that is hard to keep."""
    import torch
    from torch import nn

    class Own(nn.Module):
        def __init__(self, size: int = 5) -> None:
            super().__init__()
            self.init_args = {"size": size}
            self.words = nn.Embedding(size, 4)
            self.head = nn.Linear(4, size, bias=False)
            self.head.weight = self.words.weight
            self.turned = nn.Parameter(torch.randn(3, 2).t())
            self.small = nn.Parameter(torch.randn(3).bfloat16(), requires_grad=False)
            self.register_buffer("kept", torch.arange(6).reshape(2, 3)[:, 1:])
            self.register_buffer("scratch", torch.ones(2), persistent=False)

        def forward(self, words: Any) -> Any:
            return self.head(self.words(words))

    return Own()


def bits(state: dict[str, Any]) -> dict[str, Any]:
    import torch

    plain = {name: tensor.detach().resolve_conj().contiguous() for name, tensor in state.items()}
    return {
        name: (tensor.dtype, tuple(tensor.shape), tensor.reshape(-1).view(torch.uint8))
        for name, tensor in plain.items()
    }


def assert_same_bits(one: dict[str, Any], other: dict[str, Any]) -> None:
    ours, theirs = bits(one), bits(other)
    assert list(ours) == list(theirs)
    for name, (dtype, shape, values) in ours.items():
        assert theirs[name][:2] == (dtype, shape)
        assert theirs[name][2].equal(values), name


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("serializer", STATES)
def test_a_module_of_torch_comes_back_whole(
    again: Callable[..., Any], serializer: str, training: bool
) -> None:
    import torch

    net = make_net().train(training)
    net[1].train(not training)
    net[0].bias.requires_grad_(False)
    loaded = again(net, serializer)
    assert_same_bits(net.state_dict(), loaded.state_dict())
    assert [p.requires_grad for p in loaded.parameters()] == [
        p.requires_grad for p in net.parameters()
    ]
    assert [m.training for m in loaded.modules()] == [m.training for m in net.modules()]
    rows = torch.randn(7, 4)
    assert torch.equal(loaded.eval()(rows), net.eval()(rows))


LAYERS: dict[str, Callable[[Any], Any]] = {
    "convolution": lambda nn: nn.Conv2d(4, 6, (3, 2), padding="same", groups=2, bias=False),
    "transposed": lambda nn: nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1),
    "recurrent": lambda nn: nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2, batch_first=True),
    "gated": lambda nn: nn.GRU(3, 4, bias=False),
    "attention": lambda nn: nn.MultiheadAttention(8, 2, add_bias_kv=True, kdim=4, vdim=6),
    "encoder": lambda nn: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True),
        2, norm=nn.LayerNorm(8),
    ),
    "transformer": lambda nn: nn.Transformer(8, 2, 1, 2, 16, dropout=0.3, batch_first=True),
    "embedding": lambda nn: nn.EmbeddingBag(7, 3, mode="sum", padding_idx=0),
    "containers": lambda nn: nn.ModuleDict({"a": nn.ModuleList([nn.PReLU(2), nn.GELU("tanh")])}),
    "softmax": lambda nn: nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], 1.0),
    "norms": lambda nn: nn.Sequential(nn.GroupNorm(2, 4), nn.RMSNorm(4), nn.InstanceNorm1d(3)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("kind", LAYERS)
def test_every_kind_of_layer_has_a_tree(again: Callable[..., Any], kind: str) -> None:
    from torch import nn

    layer = LAYERS[kind](nn)
    loaded = again(layer)
    assert repr(loaded) == repr(layer)
    assert_same_bits(layer.state_dict(), loaded.state_dict())


def test_modules_and_weights_that_are_shared_come_back_shared(again: Callable[..., Any]) -> None:
    from torch import nn

    linear = nn.Linear(4, 4)
    net = nn.Sequential(linear, nn.ReLU(), linear, nn.Linear(4, 4))
    net[3].weight = linear.weight
    loaded = again(net)
    assert loaded[0] is loaded[2]
    assert loaded[3].weight is loaded[0].weight
    assert loaded[3].bias is not loaded[0].bias


@pytest.mark.parametrize("serializer", STATES)
def test_a_foreign_class_is_filled_but_not_imported(
    again: Callable[..., Any], serializer: str
) -> None:
    own = make_own()
    with pytest.raises(Denied) as caught:
        again(own, serializer)
    assert caught.value.kind == "untrusted"
    assert "make_own.<locals>.Own" in caught.value.message
    assert "into=" in (caught.value.hint or "")
    loaded = again(own, serializer, into=make_own())
    assert_same_bits(own.state_dict(), loaded.state_dict())
    assert loaded.head.weight is loaded.words.weight


def test_a_foreign_class_that_is_trusted_is_constructed(
    again: Callable[..., Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self, width):\n"
        "        super().__init__(width, 2)\n"
        "        self.hparams = {'width': width}\n"
    )
    (tmp_path / "own_package_of_a_test.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    from own_package_of_a_test import Net

    net = Net(3)
    with pytest.raises(Denied, match=r"own_package_of_a_test\.Net"):
        again(net)
    for trust in (["own_package_of_a_test.Net"], TRUST_ALL):
        loaded = again(net, trust=trust)
        assert type(loaded) is Net
        assert_same_bits(net.state_dict(), loaded.state_dict())


def test_a_module_that_does_not_fit_is_told_name_by_name(again: Callable[..., Any]) -> None:
    from torch import nn

    with pytest.raises(InvalidInput) as caught:
        again(make_net(), into=nn.Sequential(nn.Linear(4, 9), nn.Linear(1, 1)))
    assert caught.value.kind == "not-loadable"
    assert "unexpected: 1.running_mean" in caught.value.message
    assert "0.weight [8, 4] for [9, 4]" in caught.value.message


@pytest.mark.parametrize("serializer", STATES)
def test_a_dict_of_tensors_comes_back_as_a_dict(again: Callable[..., Any], serializer: str) -> None:
    import torch

    one = torch.randn(3, 4)
    state = {
        "z": one, "a": torch.randn(4, 4)[1:, ::2], "scalar": torch.tensor(3), "tied": one,
        "empty": torch.zeros(0, 2), "half": torch.randn(5).bfloat16(),
        "eighth": torch.randn(5).to(torch.float8_e4m3fn), "flags": torch.tensor([True, False]),
        "waves": torch.randn(3, dtype=torch.complex64).conj(), "double": torch.randn(2).double(),
    }  # fmt: skip
    loaded = again(state, serializer)
    assert loaded.keys() == state.keys()
    assert_same_bits(state, {name: loaded[name] for name in state})
    assert loaded["tied"].data_ptr() == loaded["z"].data_ptr()


def test_our_safetensors_are_those_of_the_library(saved: Callable[..., Any]) -> None:
    from safetensors.torch import load_file, load_model
    from torch import nn

    def tied() -> Any:
        net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        net[1].weight = net[0].weight
        return net

    net, fresh = tied(), tied()
    files, _ = saved("torch", net)
    load_model(fresh, files.folder() / "model.safetensors")
    assert_same_bits(net.state_dict(), fresh.state_dict())
    own = make_own()
    files, _ = saved("torch", own)
    read = load_file(files.folder() / "model.safetensors")
    assert own.state_dict().keys() - read.keys() == {"head.weight"}
    assert_same_bits(read, {name: own.state_dict()[name] for name in read})


def test_a_conjugate_view_is_not_taken_for_what_it_views(again: Callable[..., Any]) -> None:
    import torch

    plain = torch.tensor([1 + 2j])
    loaded = again({"plain": plain, "mirrored": plain.conj()})
    assert (loaded["plain"].item(), loaded["mirrored"].item()) == (1 + 2j, 1 - 2j)


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_an_exported_module_takes_any_number_of_rows(again: Callable[..., Any], rows: int) -> None:
    import torch

    net = make_net().eval()
    loaded = again(net, "export", example=np.zeros((1, 4), np.float32))
    batch = torch.randn(rows, 4)
    assert torch.equal(loaded(batch), net(batch))


def test_an_exported_program_comes_back_as_one(again: Callable[..., Any]) -> None:
    import torch

    net, batch = make_net().eval(), torch.randn(3, 4)
    program = torch.export.export(net, (batch,))
    assert framework_of(program) is TORCH
    assert torch.equal(again(program).module()(batch), net(batch))


def test_export_asks_for_an_example(saved: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        saved("torch", make_net(), serializer="export")
    assert caught.value.kind == "no-example"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_not_saved_but_told_what_to_do(saved: Callable[..., Any]) -> None:
    import torch

    script = torch.jit.trace(make_net().eval(), torch.zeros(1, 4))
    assert framework_of(script) is TORCH
    with pytest.raises(InvalidInput) as caught:
        saved("torch", script)
    assert caught.value.kind == "not-savable"
    assert "export" in (caught.value.hint or "")


def test_what_safetensors_cannot_hold_names_the_serializer_that_can(
    saved: Callable[..., Any],
) -> None:
    import torch

    state = {"sparse": torch.eye(3).to_sparse_coo()}
    with pytest.raises(InvalidInput, match="sparse is not dense") as caught:
        saved("torch", state)
    assert caught.value.hint == "serializer='torch'"


def table(rows: int = 100, seed: int = 0) -> tuple[Table, np.ndarray]:
    values = np.random.default_rng(seed).normal(size=(rows, 4))
    return Table({f"c{i}": values[:, i] for i in range(4)}), (values[:, 0] > 0).astype(np.int64)


OPTIMIZERS = (
    "adafactor", "adadelta", "adagrad", "adam", "adamax", "adamw", "asgd", "muon", "nadam",
    "radam", "rmsprop", "rprop", "sgd",
)  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_after_a_reload_as_if_nothing_happened(
    again: Callable[..., Any], name: str
) -> None:
    from torch import nn

    net = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Dropout(0.1), nn.Linear(3, 2, bias=False))
    extra = {"momentum": 0.9} if name == "sgd" else {}
    pair = TORCH.set_optimizer(net, {"name": name, "lr": 0.01, **extra})
    inputs, target = table()
    pair = TORCH.fit(pair, inputs, target, epochs=2, seed=1)
    loaded = again(pair)
    assert TORCH.optimizer(loaded) == TORCH.optimizer(pair)
    assert TORCH.optimizer(loaded)["name"] == name
    went_on = TORCH.fit(pair, inputs, target, epochs=1, seed=2)
    resumed = TORCH.fit(loaded, inputs, target, epochs=1, seed=2)
    assert_same_bits(went_on[0].state_dict(), resumed[0].state_dict())


def test_fitting_learns_and_is_the_same_each_time() -> None:
    inputs, target = table(200)
    pairs = [TORCH.set_optimizer(make_net(), {"name": "adam", "lr": 0.01}) for _ in range(2)]
    fitted = [TORCH.fit(pair, inputs, target, epochs=15, seed=7) for pair in pairs]
    assert_same_bits(fitted[0][0].state_dict(), fitted[1][0].state_dict())
    from modelyard.runtimes import runtime_of

    logits = runtime_of("torch", fitted[0]).predict(inputs).outputs["output"]
    assert (logits.argmax(axis=1) == target).mean() > 0.9


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (np.array(["a"] * 100, object), "texts"),
        (np.full(100, 3), "class 3, but the module knows 3"),
        (np.full(100, -1), "from 0"),
        (np.full(100, np.nan), "missing"),
        (np.zeros(7), "7 targets for 100 rows"),
        (np.zeros(100), "the module gives [32, 3]"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(target: np.ndarray, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        TORCH.fit(make_net(), table()[0], target, epochs=1, seed=0)
    assert caught.value.kind == "bad-target"
    assert said in caught.value.message


def test_an_optimizer_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(InvalidInput, match="no optimizer is named") as caught:
        TORCH.set_optimizer(make_net(), {"name": "adan"})
    assert "adamw" in (caught.value.hint or "")
    with pytest.raises(InvalidInput, match="has no 'speed'") as caught:
        TORCH.set_optimizer(make_net(), {"name": "sgd", "speed": 1})
    assert caught.value.kind == "bad-optimizer"
    assert "momentum" in (caught.value.hint or "")
    with pytest.raises(InvalidInput, match="refuses it"):
        TORCH.set_optimizer(make_net(), {"name": "sgd", "lr": -1})


def test_params_change_what_the_weights_do_not_see(again: Callable[..., Any]) -> None:
    net = make_net()
    before = TORCH.params(net)
    assert before["3__p"] == 0.2
    assert json.loads(json.dumps(before)) == before
    changes = {"3__p": 0, "1__momentum": None, "0__trainable": False, "training": False}
    changed = again(TORCH.set_params(net, changes))
    after = TORCH.params(changed)
    assert {key: after[key] for key in changes} == changes
    assert {key for key in before if before[key] != after[key]} == {*changes, "trainable"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"3__q": 1}, "no-param"),
        ({"3__p": 2}, "bad-param"),
        ({"3__p": "much"}, "bad-param"),
        ({"3__p": 10**400}, "bad-param"),
        ({"0__trainable": 1}, "bad-param"),
        ({"0__in_features": 3}, "no-param"),
    ],
)
def test_params_that_cannot_be_set_leave_the_module_alone(
    changes: dict[str, Any], kind: str
) -> None:
    net = make_net()
    before = TORCH.params(net)
    with pytest.raises(InvalidInput) as caught:
        TORCH.set_params(net, {"1__eps": 0.5, **changes})
    assert caught.value.kind == kind
    assert TORCH.params(net) == before


def test_a_layer_is_replaced_and_the_rest_is_kept(again: Callable[..., Any]) -> None:
    net = make_net()
    plan = {"replace": {"4": {"class": "torch.nn.Linear", "args": {
        "in_features": 8, "out_features": 5}}}}  # fmt: skip
    changed, sentences = TORCH.set_structure(net, plan, NOTHING)
    assert "kept 7 of 9 tensors" in sentences
    assert "new values: 4.weight, 4.bias" in sentences
    assert not any(sentence.startswith("gone") for sentence in sentences)
    loaded = again(changed)
    assert loaded[4].out_features == 5
    assert_same_bits(net[:4].state_dict(), loaded[:4].state_dict())
    assert TORCH.structure(loaded)[5].startswith("4: Linear(in_features=8, out_features=5")


def linear(takes: int, gives: int) -> dict[str, Any]:
    return {"class": "torch.nn.Linear", "args": {"in_features": takes, "out_features": gives}}


def test_layers_that_do_not_fit_each_other_are_refused() -> None:
    from torch import nn

    with pytest.raises(InvalidInput, match=r"could not run any more: .*8.*7, 3") as refused:
        TORCH.set_structure(make_net(), {"replace": {"4": linear(7, 3)}}, NOTHING)
    assert refused.value.kind == "bad-structure"
    both = {"0": linear(6, 8), "4": linear(8, 2)}
    assert TORCH.set_structure(make_net(), {"replace": both}, NOTHING)[0][0].in_features == 6

    picture = nn.Sequential(nn.Conv2d(1, 2, 5), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 24 * 24, 3))
    assert TORCH.set_structure(picture, {"replace": {"3": linear(2 * 24 * 24, 9)}}, NOTHING)
    with pytest.raises(InvalidInput, match="could not run any more"):
        TORCH.set_structure(picture, {"replace": {"3": linear(5, 9)}}, NOTHING)
    words = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    with pytest.raises(InvalidInput, match="could not run any more"):
        TORCH.set_structure(words, {"replace": {"1": linear(3, 2)}}, NOTHING)


def test_nothing_is_said_of_modules_whose_input_is_not_known() -> None:
    from torch import nn

    parts = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 4)])
    changed, _ = TORCH.set_structure(parts, {"replace": {"1": linear(7, 4)}}, NOTHING)
    assert changed[1].in_features == 7


def test_an_unknown_step_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(InvalidInput, match="no step is named 'repalce'") as refused:
        TORCH.set_structure(make_net(), {"repalce": {"4": linear(8, 3)}}, NOTHING)
    assert "replace" in refused.value.hint


@pytest.mark.parametrize(
    ("plan", "error", "said"),
    [
        ({"replace": {"9": {"class": "torch.nn.ReLU"}}}, InvalidInput, "there is no 9"),
        ({"replace": {"4": {"class": "os.system"}}}, Denied, "os.system"),
        ({"replace": {"4": {"class": "torch.nn.Linear"}}}, InvalidInput, "can't be built"),
        ({"replace": {}}, InvalidInput, "takes names"),
    ],
)
def test_a_replacement_that_cannot_be_is_refused(plan: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        TORCH.set_structure(make_net(), plan, NOTHING)


def test_tensors_that_do_not_fit_any_more_become_a_dict() -> None:
    net = make_net()
    changed, sentences = TORCH.set_structure(net, {"rename": {"0": "first"}}, NOTHING)
    assert isinstance(changed, dict)
    assert "first.weight" in changed
    assert "dict of tensors" in sentences[-1]
    cast, _ = TORCH.set_structure(net, {"cast": {"*": "bfloat16"}}, NOTHING)
    assert str(cast[0].weight.dtype) == "torch.bfloat16"


def test_files_that_were_committed_as_files_are_claimed(
    folder_files: Callable[..., FolderFiles], saved: Callable[..., Any]
) -> None:
    net = make_net()
    written = {serializer: saved("torch", net, serializer=serializer)[0] for serializer in STATES}
    for serializer, files in written.items():
        how = claim(files)
        assert (how.framework, how.serializer) == ("torch", serializer)
        assert how.class_name == "torch.nn.modules.container.Sequential"
        lone = [path for path in files.paths() if path != "model.json"]
        alone = folder_files({"deep/" + lone[0]: files.read(lone[0]), "README.md": b"hello"})
        state = TORCH.load(alone, claim(alone), NOTHING)
        assert_same_bits(net.state_dict(), state)


def test_a_module_in_shards_is_the_same_module(saved: Callable[..., Any], tmp_path: Any) -> None:
    from modelyard.frameworks.torch.plan import rewrite

    net = make_net()
    files, how = saved("torch", net)
    rewrite(files, {"shard": {"max_size": "100B"}}, tmp_path / "shards")
    shards = FolderFiles(tmp_path / "shards")
    assert len(shards.paths()) > 4
    for saved_as in (how, claim(shards)):
        assert_same_bits(net.state_dict(), TORCH.load(shards, saved_as, NOTHING).state_dict())


def test_the_signature_names_what_the_runtime_gives() -> None:
    import torch

    from modelyard.runtimes import runtime_of

    net = torch.nn.Sequential(make_net(), torch.nn.Softmax(1))
    inputs, _ = table(600)
    signature = TORCH.signature(net, inputs)
    assert signature["inputs"][0] == {"name": "c0", "dtype": "float64", "shape": [-1]}
    assert [output["name"] for output in signature["outputs"]] == ["probability", "label"]
    runtime = runtime_of("torch", net, signature)
    assert runtime.about.task == "classification"
    assert runtime.about.classes is not None
    assert runtime.about.classes.tolist() == [0, 1, 2]
    said = runtime.predict(inputs).outputs
    with torch.inference_mode():
        direct = net.eval()(torch.from_numpy(inputs.matrix()).float()).numpy()
    assert np.allclose(said["probability"], direct, atol=1e-6)
    assert np.array_equal(said["label"], direct.argmax(axis=1))
    shuffled = Table({name: inputs.columns[name] for name in reversed(inputs.names)})
    assert np.array_equal(runtime.predict(shuffled).outputs["label"], said["label"])


def test_several_inputs_go_by_place_or_by_name() -> None:
    import torch

    from modelyard.runtimes import runtime_of

    class Two(torch.nn.Module):
        def forward(self, left: Any, right: Any) -> Any:
            return {"sum": left + right, "left": left}

    left, right = np.ones((3, 2), np.float32), np.full((3, 2), 2, np.float32)
    for example in ((left, right), {"left": left, "right": right}):
        signature = TORCH.signature(Two(), example)
        names = [entry["name"] for entry in signature["inputs"]]
        runtime = runtime_of("torch", Two(), signature)
        said = runtime.predict(Table(dict(zip(names, (left, right), strict=True)))).outputs
        assert said["sum"].tolist() == [[3, 3]] * 3
        assert list(said) == ["sum", "left"]


def test_one_number_for_a_row_is_a_prediction() -> None:
    from torch import nn

    from modelyard.runtimes import runtime_of

    rows = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    for net in (nn.Linear(4, 1), nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))):
        signature = TORCH.signature(net, rows[:5])
        assert signature["outputs"] == [{"name": "prediction", "dtype": "float32", "shape": [-1]}]
        runtime = runtime_of("torch", net, signature)
        assert runtime.about.task is None
        found = runtime.predict(Table.of(rows)).outputs
        assert {name: values.shape for name, values in found.items()} == {"prediction": (300,)}


def test_one_sigmoid_is_a_classifier_of_two_classes() -> None:
    from torch import nn

    from modelyard.runtimes import runtime_of

    rows = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    for end in (nn.Identity(), nn.Flatten(0)):
        net = nn.Sequential(nn.Linear(4, 1), end, nn.Sigmoid())
        runtime = runtime_of("torch", net, TORCH.signature(net, rows))
        assert runtime.about.task == "classification"
        assert runtime.about.classes.tolist() == [0, 1]
        assert runtime.predict(Table.of(rows)).outputs["probability"].shape == (6, 2)


def test_predicting_leaves_the_module_as_it_was() -> None:
    from modelyard.runtimes import runtime_of

    net = make_net().train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    runtime_of("torch", net).predict(table()[0])
    assert all(part.training for part in net.modules())
    assert_same_bits(before, net.state_dict())


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (Table({"a": np.zeros(3)}), "bad-inputs"),
        (Table({"a": np.array(["x"], object)}), "not-numeric"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: Table, kind: str) -> None:
    from modelyard.runtimes import runtime_of

    with pytest.raises(InvalidInput) as caught:
        runtime_of("torch", make_net()).predict(rows)
    assert caught.value.kind == kind


def test_a_dict_of_tensors_predicts_nothing() -> None:
    from modelyard.runtimes import runtime_of

    with pytest.raises(Unsupported) as caught:
        runtime_of("torch", dict(make_net().state_dict()))
    assert caught.value.kind == "no-predict"


def test_an_export_is_made_in_evaluation_mode_and_leaves_the_modes(saved: Any) -> None:
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.Dropout(0.9)).train()
    net[0].eval()
    rows = torch.ones(5, 4)
    files, how = saved("torch", net, serializer="export", example=rows)
    assert [part.training for part in net.modules()] == [True, False, True]
    program = TORCH.load(files, how, Trust())
    assert torch.allclose(program(rows), net.eval()(rows))
