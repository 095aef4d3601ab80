"""Hostile files of torch: each is refused by name, and nothing in it has run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.core.trust import TRUST_ALL, Trust
from modelyard.errors import Denied, InvalidInput, ModelyardError
from modelyard.frameworks import FolderFiles, claim, named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

TORCH = named("torch")
Folder = "Callable[[dict[str, bytes]], FolderFiles]"


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """Small tensors on a busy machine: threads only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Runs:
    """A pickle of it makes a folder when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path: Path) -> Any:
    """A folder that hostile files would make; it must not be there in the end."""
    place = tmp_path / "marker"
    yield place
    assert not place.exists()


def torch_bytes(obj: Any, **options: Any) -> bytes:
    import torch

    written = io.BytesIO()
    torch.save(obj, written, **options)
    return written.getvalue()


def with_members(data: bytes, changed: dict[str, bytes | None], *more: tuple[str, bytes]) -> bytes:
    """A zip written again with members replaced, left out (None) or added."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w") as new:
        for info in old.infolist():
            content = changed.get(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
        for name, content in more:
            new.writestr(name, content)
    return written.getvalue()


def refused(folder_files: Any, name: str, data: bytes, trusted: Any = None) -> ModelyardError:
    files = folder_files({name: data})
    with pytest.raises(ModelyardError) as caught:
        TORCH.load(files, claim(files), Trust.of(trusted))
    assert isinstance(caught.value, Denied | InvalidInput)
    return caught.value


def a_state() -> dict[str, Any]:
    import torch

    return {"w": torch.ones(2, 2)}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_calls_is_refused_by_name(
    folder_files: Any, marker: Path, zipped: bool
) -> None:
    data = torch_bytes({**a_state(), "x": Runs(marker)}, _use_new_zipfile_serialization=zipped)
    error = refused(folder_files, "model.pt", data)
    assert error.kind == "untrusted"
    assert f"{os.name}.mkdir" in error.message
    assert refused(folder_files, "model.pt", data, ["os.mkdir"]).kind == "untrusted"


def test_a_plain_pickle_by_torchs_name_is_refused(folder_files: Any, marker: Path) -> None:
    error = refused(folder_files, "model.pth", pickle.dumps(Runs(marker)))
    assert error.kind == "untrusted"
    assert "mkdir" in error.message


def test_a_whole_module_needs_every_class_of_it_trusted(folder_files: Any) -> None:
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    files = folder_files({"model.pt": torch_bytes(net)})
    with pytest.raises(Denied) as caught:
        TORCH.load(files, claim(files), Trust())
    names = [
        "torch.nn.modules.activation.ReLU",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.linear.Linear",
        "__builtin__.set",
        "collections.OrderedDict",
        "torch.FloatStorage",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
    ]
    assert all(name in caught.value.message for name in names)
    with pytest.raises(Denied, match="ReLU") as caught:
        TORCH.load(files, claim(files), Trust.of(names[1:]))
    assert "Linear" not in caught.value.message
    for trusted in (names, TRUST_ALL):
        loaded = TORCH.load(files, claim(files), Trust.of(trusted))
        assert torch.equal(loaded[0].weight, net[0].weight)


def test_what_torchs_own_loader_refuses_needs_all_names_trusted(folder_files: Any) -> None:
    """Names that only build values can be put together to more: none is harmless by itself."""
    import numpy as np
    import torch

    checkpoint = {"model": a_state(), "epoch": 3, "loss": np.float64(0.5)}
    files = folder_files({"model.pt": torch_bytes(checkpoint)})
    with pytest.raises(Denied) as caught:
        TORCH.load(files, claim(files), Trust())
    names = caught.value.message.partition(" would import ")[2].split(", ")
    assert {"numpy.dtype", "torch._utils._rebuild_tensor_v2"} <= set(names)
    loaded = TORCH.load(files, claim(files), Trust.of(names))
    assert (loaded["epoch"], loaded["loss"]) == (3, 0.5)
    assert torch.equal(loaded["model"]["w"], a_state()["w"])


def test_tensors_and_plain_values_need_no_trust(folder_files: Any) -> None:
    files = folder_files({"model.pt": torch_bytes({"model": a_state(), "epoch": 3})})
    assert TORCH.load(files, claim(files), Trust())["epoch"] == 3


def test_a_second_pickle_is_refused_where_torch_would_not_mind(
    folder_files: Any, marker: Path
) -> None:
    clean, evil = torch_bytes(a_state()), pickle.dumps(Runs(marker))
    root = zipfile.ZipFile(io.BytesIO(clean)).namelist()[0].partition("/")[0]
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = with_members(clean, {}, (f"{root}/data.pkl", evil))
    assert refused(folder_files, "model.pt", twice).kind == "bad-zip"
    for name in (f"{root}/more.pkl", "other/data.pkl", "data.pkl"):
        extra = with_members(clean, {}, (name, evil))
        assert refused(folder_files, "model.pt", extra).kind == "untrusted", name


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_runs_only_when_it_is_trusted(folder_files: Any) -> None:
    import torch

    written = io.BytesIO()
    net = torch.nn.Linear(2, 2).eval()
    torch.jit.save(torch.jit.trace(net, torch.zeros(1, 2)), written)
    error = refused(folder_files, "model.pt", written.getvalue())
    assert (error.kind, "torch.jit.load" in error.message) == ("untrusted", True)
    files = folder_files({"model.pt": written.getvalue()})
    loaded = TORCH.load(files, claim(files), Trust.of(["torch.jit.load"]))
    rows = torch.randn(3, 2)
    assert torch.equal(loaded(rows), net(rows))


@pytest.mark.parametrize("name", ["model.pt", "model.pt2", "model.safetensors"])
@pytest.mark.parametrize("data", [b"", b"PK\3\4 and nothing", b"\x80\x02garbage", b"{}" * 40])
def test_garbage_is_told_as_ours(folder_files: Any, name: str, data: bytes) -> None:
    refused(folder_files, name, data)


@pytest.mark.parametrize("cut", [10, 200, 700])
def test_a_file_that_was_cut_is_told_as_ours(folder_files: Any, cut: int) -> None:
    refused(folder_files, "model.pt", torch_bytes(a_state())[:-cut])


def changed_model(saved: Any, folder_files: Any, change: Callable[[Any], None]) -> FolderFiles:
    import torch

    files, _ = saved("torch", torch.nn.Sequential(torch.nn.Linear(2, 2)))
    about = json.loads(files.read("model.json"))
    change(about)
    return folder_files(
        {
            "model.safetensors": files.read("model.safetensors"),
            "model.json": json.dumps(about).encode(),
        }
    )


def _deep(about: Any) -> None:
    for _ in range(60):
        about["tree"] = {"class": "torch.nn.Sequential", "children": {"0": about["tree"]}}


def _clones(about: Any) -> None:
    tree: Any = {"class": "torch.nn.Identity"}
    for _ in range(2):
        layer = {"module": tree}
        arguments = {"encoder_layer": layer, "num_layers": 2000}
        tree = {"class": "torch.nn.TransformerEncoder", "args": arguments}
    about["tree"] = tree


def _twice(about: Any) -> None:
    children: Any = {"a0": {"class": "torch.nn.Identity"}}
    for step in range(1, 60):
        same = {"same": f"a{step - 1}"}
        children[f"a{step}"] = {"class": "torch.nn.Sequential", "children": {"x": same, "y": same}}
    about["tree"] = {"class": "torch.nn.Sequential", "children": children}


TREES: dict[str, Callable[[Any], Any]] = {
    "a class of another library": lambda a: a["tree"].update({"class": "os.system"}),
    "a class with code in it": lambda a: a["tree"].update({"class": "torch.nn.DataParallel"}),
    "something that is no class": lambda a: a["tree"].update({"class": "torch.nn.init"}),
    "arguments that are none": lambda a: a["tree"]["children"]["0"]["args"].update({"x": 1}),
    "a size beyond all": lambda a: a["tree"]["children"]["0"]["args"].update(
        {"in_features": 10**18}
    ),
    "endless layers": lambda a: a["tree"].update(
        {"class": "torch.nn.LSTM", "args": {"input_size": 1, "hidden_size": 1, "num_layers": 10**9}}
    ),
    "a module before itself": lambda a: a["tree"]["children"].update({"0": {"same": "7"}}),
    "another attribute": lambda a: a["tree"].update({"set": {"0": {"forward": 1}}}),
    "endless depth": _deep,
    "layers of layers": _clones,
    "the same twice, again and again": _twice,
    "no tree": lambda a: a.update({"tree": []}),
    "another layer": lambda a: a["tree"]["children"]["0"]["args"].update({"out_features": 3}),
}  # fmt: skip


@pytest.mark.parametrize("kind", TREES)
def test_a_tree_that_asks_for_more_than_layers_is_refused(
    folder_files: Any, saved: Any, kind: str
) -> None:
    files = changed_model(saved, folder_files, TREES[kind])
    with pytest.raises(InvalidInput) as caught:
        TORCH.load(files, claim(files), Trust())
    assert caught.value.kind == "not-loadable"


@pytest.fixture(scope="module")
def program() -> bytes:
    import torch

    net = torch.nn.Linear(2, 2).eval()
    written = io.BytesIO()
    rows = {0: torch.export.Dim("rows")}
    torch.export.save(
        torch.export.export(net, (torch.zeros(3, 2),), dynamic_shapes=(rows,)), written
    )
    return written.getvalue()


def graph_changed(program: bytes, change: Callable[[Any], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        name = next(n for n in archive.namelist() if n.endswith("models/model.json"))
        graph = json.loads(archive.read(name))
    change(graph)
    return with_members(program, {name: json.dumps(graph).encode()})


def _expression(text: str) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        sizes = graph["graph_module"]["graph"]["tensor_values"]["input"]["sizes"]
        sizes[0]["as_expr"]["expr_str"] = text

    return change


def _first_node(graph: Any) -> Any:
    return graph["graph_module"]["graph"]["nodes"][0]


GRAPHS: dict[str, Callable[[Any], Any]] = {
    "a call of something else": lambda g: _first_node(g).update({"target": "torch.hub.os.mkdir"}),
    "an operator that opens files": lambda g: _first_node(g).update(
        {"target": "torch.ops.aten.from_file.default"}
    ),
    "a foreign operator": lambda g: _first_node(g).update({"target": "torch.ops.evil.run.default"}),
    "a method of a method": lambda g: _first_node(g).update({"target": "_operator.attrgetter"}),
    "an expression with a call": _expression("__import__('os').mkdir('MARKER')"),
    "an expression with an attribute": _expression("Symbol('s0').func"),
    "an expression with a comment": _expression("Symbol('s0') #"),
    "an expression that grows": _expression("9**9**9"),
    "a guard with a call": lambda g: g["guards_code"].append("__import__('os').mkdir('MARKER')"),
    "a guard with a lambda": lambda g: g["guards_code"].append("(lambda: 1)()"),
    "an input that is no name": lambda g: g["graph_module"]["graph"]["inputs"][2][
        "as_tensor"
    ].update({"name": "x=__import__('os').mkdir('MARKER')"}),
    "an argument that is no name": lambda g: g["graph_module"]["module_call_graph"][0][
        "signature"
    ].update({"forward_arg_names": ["x=__import__('os').mkdir('MARKER')"]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_graph_that_does_more_than_compute_is_refused(
    folder_files: Any, marker: Path, program: bytes, kind: str
) -> None:
    def change(graph: Any) -> None:
        GRAPHS[kind](graph)
        text = json.dumps(graph).replace("MARKER", str(marker))
        graph.clear()
        graph.update(json.loads(text))

    assert refused(folder_files, "model.pt2", graph_changed(program, change)).kind == "untrusted"


def test_pickles_and_compiled_code_in_an_archive_are_refused(
    folder_files: Any, marker: Path, program: bytes
) -> None:
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        names = archive.namelist()
        config = next(n for n in names if n.endswith("model_weights_config.json"))
        weights = json.loads(archive.read(config))
    root = names[0].partition("/")[0]
    inputs = next(n for n in names if "sample_inputs" in n)
    evil = torch_bytes({"x": Runs(marker)})
    weights["config"]["weight"].update({"use_pickle": True, "path_name": "weight_0"})
    weight = next(n for n in names if n.endswith("weights/weight_0"))
    cases = {
        "flag": with_members(program, {config: json.dumps(weights).encode(), weight: evil}),
        "inputs": with_members(program, {inputs: evil}),
        "old weights": with_members(program, {}, (f"{root}/data/weights/model.pt", evil)),
        "compiled": with_members(program, {}, (f"{root}/data/aotinductor/model/a.so", b"\x7fELF")),
        "object": with_members(program, {}, (f"{root}/data/constants/opaque_obj_0", evil)),
        "outside": with_members(program, {}, ("version", b"8.8")),
    }
    for kind, data in cases.items():
        assert refused(folder_files, "model.pt2", data).kind == "untrusted", kind


def test_an_archive_is_read_as_torch_reads_it(
    folder_files: Any, marker: Path, program: bytes
) -> None:
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        inputs = next(n for n in archive.namelist() if "sample_inputs" in n)
        constants = next(n for n in archive.namelist() if n.endswith("constants_config.json"))
    loud = inputs.replace("sample_inputs", "SAMPLE_INPUTS")
    evil = torch_bytes(Runs(marker))
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
    named_ = json.dumps({"config": {"c": entry}}).encode()
    cases = {
        "case": with_members(program, {inputs: None}, (loud, evil)),
        "both": with_members(program, {}, (loud, evil)),
        "object": with_members(program, {constants: named_}),
        "builds values": with_members(program, {inputs: torch_bytes({"x": 1 + 2j, "y": {1}})}),
    }
    for kind, data in cases.items():
        assert refused(folder_files, "model.pt2", data).kind == "untrusted", kind


def test_an_empty_record_is_no_huge_tensor(folder_files: Any, program: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        names = archive.namelist()
        config = next(n for n in names if n.endswith("model_weights_config.json"))
        weights = json.loads(archive.read(config))
    weights["config"]["weight"]["tensor_meta"]["sizes"] = [{"as_int": 3_000_000_000}]
    record = next(n for n in names if n.endswith(weights["config"]["weight"]["path_name"]))
    data = with_members(program, {config: json.dumps(weights).encode(), record: b""})
    assert refused(folder_files, "model.pt2", data).kind == "not-loadable"


def test_the_clean_archive_loads(folder_files: Any, program: bytes) -> None:
    import torch

    files = folder_files({"model.pt2": program})
    assert TORCH.load(files, claim(files), Trust())(torch.zeros(5, 2)).shape == (5, 2)


def test_an_optimizer_file_names_only_optimizers(saved: Any, folder_files: Any) -> None:
    import torch

    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    files, how = saved("torch", TORCH.set_optimizer(net, {"name": "adam"}))
    content = {path: files.read(path) for path in files.paths()}
    for change in ({"name": "os.system"}, {"groups": []}, {"groups": [{"params": ["x"]}]}):
        about = {**json.loads(content["optimizer.json"]), **change}
        hostile = folder_files({**content, "optimizer.json": json.dumps(about).encode()})
        with pytest.raises(InvalidInput) as caught:
            TORCH.load(hostile, how, Trust())
        assert caught.value.kind == "not-loadable"
