"""Looking through a folder of transformers before the library reads it.

The library would follow names in JSON files to code on the Hub, to kernels, adapters and other
models. None of these is followed: each is refused by name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.interface import Budget
from modelyard.formats.reading import parse_json, printable
from modelyard.frameworks.torch.shards import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["architecture_of", "check_files"]

Json = Any

_REMOTE = ("auto_map", "custom_pipelines", "custom_generate")
_ELSEWHERE = (
    "quantization_config", "use_pretrained_backbone", "adapter_config", "peft_config", "gguf_file",
    "fast_tokenizer_files", "transformers_weights",
)  # fmt: skip
_LAYERS = 2_000
"""Above, a file that asks for so many layers is taken for an attack."""
_KERNELS = re.compile(r"_?(attn|experts)_implementation(_internal)?")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_HOSTILE = re.compile(
    r"__|\battr\b|\{%-?\s*(include|import|from|extends)\b|\\x|\\u|\\N|\\[0-7]{2}", re.IGNORECASE
)
"""What no honest chat template needs, and what ways out of its sandbox begin with."""
_TEMPLATE_LIMIT = 1_000_000


def check_files(files: Files, trust: Trust) -> None:
    """Look through all JSON files, templates and pickles.

    Raises:
        Denied: `untrusted`, naming what a file would import or follow.
        InvalidInput: `not-loadable`: a file is malformed.
    """
    for path in files.paths():
        name = path.rpartition("/")[2]
        if name == "adapter_config.json":
            trust.require_all(path, "describes an adapter, which would load another model")
        elif name.endswith("config.json") and (name == "config.json" or _is_object(files, path)):
            _check_config(read_json(files, path), path, trust)
        elif name.endswith(".jinja"):
            _check_template(_text(files, path), path, trust)
        elif name.endswith(_PICKLES):
            _check_pickle(files, path, trust)
        elif name.endswith(".index.json"):
            _check_index(files, path)
        elif name.endswith(".json") and name not in ("model.json",) and "/" not in path:
            _check_valid(files, path)


def _is_object(files: Files, path: str) -> bool:
    """A list (`data_config.json` of sentence-transformers) names no code: nobody looks into it."""
    with files.open(path) as file:
        return not file.read(64).lstrip().startswith(b"[")


def _check_index(files: Files, path: str) -> None:
    """Shards lie beside their index: the library would follow any path."""
    weights = read_json(files, path).get("weight_map")
    shards = weights.values() if isinstance(weights, dict) else [None]
    folder = path[: path.rfind("/") + 1]
    for shard in dict.fromkeys(str(shard) for shard in shards):
        if "/" in shard or folder + shard not in files.paths():
            raise InvalidInput("not-loadable", f"{path} names {printable(shard)!r}: no shard")


def architecture_of(files: Files) -> str | None:
    """The class that `config.json` names, `BertModel`; None where it names none."""
    if "config.json" not in files.paths():
        return None
    found = read_json(files, "config.json").get("architectures")
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, str) and first.isidentifier() else None


def _check_config(config: Json, path: str, trust: Trust) -> None:
    for key, value in _entries(config, 0, path):
        if key in _REMOTE and value:
            names = sorted(set(_leaves(value))) or [key]
            trust.require(path, [printable(name) for name in names], why=f"asks by {key} for")
        elif key in _ELSEWHERE and value:
            trust.require(path, [key], why="asks for")
        elif key.endswith("layers") and type(value) is int and value > _LAYERS:
            raise InvalidInput("not-loadable", f"{path} asks for {value} layers")
        elif _KERNELS.fullmatch(key):
            names = [text for text in _leaves(value) if "/" in text or ":" in text]
            trust.require(path, map(printable, names), why="would run the kernel")
        elif key == "chat_template":
            for text in _leaves(value):
                _check_template(text, path, trust)


def _entries(value: Json, depth: int, path: str) -> Iterator[tuple[str, Json]]:
    if depth > 60:
        raise InvalidInput("not-loadable", f"{path} is nested too deeply")
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from _entries(item, depth + 1, path)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item, depth + 1, path)


def _leaves(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _leaves(item)]
    if isinstance(value, list):
        return [text for item in value for text in _leaves(item)]
    return []


def _check_template(text: str, path: str, trust: Trust) -> None:
    found = _HOSTILE.search(text)
    if found:
        trust.require_all(path, f"has a chat template with {printable(found.group())!r} in it")


def _text(files: Files, path: str) -> str:
    if files.size(path) > _TEMPLATE_LIMIT:
        raise InvalidInput("not-loadable", f"{path} is too large for a template")
    try:
        return files.read(path).decode()
    except UnicodeDecodeError:
        raise InvalidInput("not-loadable", f"{path} is no text") from None


def _check_pickle(files: Files, path: str, trust: Trust) -> None:
    """A pickle need not be among the weights; but who loads the folder later may read it."""
    with files.open(path) as file:
        found = inspect(file, path)
    names = [
        finding.message.rpartition(" ")[2]
        for finding in found.findings
        if finding.kind == "pickle-global" and finding.severity == "danger"
    ]
    trust.require(path, names)
    for finding in found.findings:
        if finding.severity != "info" and finding.kind not in ("pickle-global", "misnamed"):
            trust.require_all(path, f"is not to be loaded: {finding.message}")


def _check_valid(files: Files, path: str) -> None:
    """Large JSON files (`tokenizer.json`) must be readable, whatever they say."""
    budget = Budget(max_memory=4_000_000_000).begun()
    try:
        parse_json(files.read(path), "not-loadable", budget)
    except InvalidInput as error:
        raise InvalidInput("not-loadable", f"{path}: {error.message}") from None
