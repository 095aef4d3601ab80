"""Models and tokenizers to and from the folder that the library itself would write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidInput
from modelyard.formats import inspect
from modelyard.formats.reading import printable
from modelyard.frameworks.interface import Saved
from modelyard.frameworks.torch.shards import read_json, weight_files
from modelyard.frameworks.transformers.checks import architecture_of, check_files
from modelyard.frameworks.transformers.kinds import class_name, kind_of, model_of, tokenizer_of
from modelyard.frameworks.transformers.library import library, public_class, refused, secluded

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.trust import Trust
    from modelyard.frameworks.interface import Files

__all__ = ["claims", "load", "save"]

_SHARD = "5GB"
_TOKENIZER_FILE = "tokenizer_config.json"


def save(obj: Any, folder: Path) -> Saved:
    """Write `config.json`, `model.safetensors`, `tokenizer.json`, ... into the folder."""
    kind, model, tokenizer = kind_of(obj), model_of(obj), tokenizer_of(obj)
    if kind == "pipeline":
        _check_pipeline(obj)
    try:
        with secluded():
            if model is not None:
                model.save_pretrained(folder, max_shard_size=_SHARD)
            if tokenizer is not None:
                tokenizer.save_pretrained(folder)
    except Exception as error:
        line = printable((str(error) or type(error).__name__).splitlines()[0])
        message = f"{class_name(obj)} can't be saved: {line}"
        raise InvalidInput("not-savable", message) from error
    details = {"kind": kind, "task": obj.task} if kind == "pipeline" else {"kind": kind}
    return Saved(
        framework="transformers", serializer="safetensors", class_name=class_name(obj),
        details=details,
    )  # fmt: skip


def claims(files: Files) -> Saved | None:
    """A folder with a `config.json` that tells a model type, and weights beside it."""
    paths = files.paths()
    if "config.json" not in paths:
        return None
    try:
        config = read_json(files, "config.json")
    except InvalidInput:
        return None
    name = architecture_of(files)
    if not isinstance(config.get("model_type"), str) or name is None:
        return None
    if weight_files(files) is None and "pytorch_model.bin" not in paths:
        return None
    kind = "pair" if _TOKENIZER_FILE in paths else "model"
    return Saved(
        framework="transformers", serializer="safetensors", class_name=f"transformers.{name}",
        details={"kind": kind},
    )  # fmt: skip


def load(files: Files, saved: Saved, trust: Trust, into: Any = None) -> Any:
    """The object again; models come back in evaluation mode."""
    library()
    if into is not None:
        raise InvalidInput("no-into", "a model of transformers is made from its own config")
    check_files(files, trust)
    kind = saved.details.get("kind", "model")
    model = None if kind == "tokenizer" else _model(files, saved, trust)
    tokenizer = None if kind == "model" else _tokenizer(files)
    if kind == "pipeline":
        return _pipeline(str(saved.details.get("task")), model, tokenizer)
    return {"model": model, "tokenizer": tokenizer}.get(kind, (model, tokenizer))


def _model(files: Files, saved: Saved, trust: Trust) -> Any:
    cls = _model_class(saved.class_name, trust)
    weights = weight_files(files)
    for path in weights.files if weights else ():
        with files.open(path) as file:
            inspect(file, path)
    try:
        with secluded():
            model, info = cls.from_pretrained(
                files.folder(), local_files_only=True, trust_remote_code=False, dtype="auto",
                use_safetensors=weights is not None, weights_only=True, output_loading_info=True,
            )  # fmt: skip
    except Exception as error:
        raise refused("the model", error) from error
    lost = sorted([*info.get("missing_keys", ()), *map(str, info.get("mismatched_keys", ()))])
    if lost:
        raise InvalidInput(
            "not-loadable", f"the files have no weights for {', '.join(lost[:6])}",
            hint=f"they were made for another class than {saved.class_name}",
        )  # fmt: skip
    return model


def _model_class(name: str, trust: Trust) -> Any:
    cls = public_class(name, "PreTrainedModel")
    if cls is not None:
        return cls
    from modelyard.frameworks.torch.loading import imported

    trust.require("the model's class", [printable(name)])
    cls = imported(name)
    bases = {f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__}
    if "transformers.modeling_utils.PreTrainedModel" not in bases:
        raise InvalidInput("not-loadable", f"{printable(name)} is no model of transformers")
    return cls


def _tokenizer(files: Files) -> Any:
    if _TOKENIZER_FILE not in files.paths():
        raise InvalidInput("not-loadable", f"there is no {_TOKENIZER_FILE}")
    name = read_json(files, _TOKENIZER_FILE).get("tokenizer_class")
    name = name if isinstance(name, str) else "PreTrainedTokenizerFast"
    cls: Any = public_class(name, "PreTrainedTokenizerBase")
    if cls is None:
        raise InvalidInput("not-loadable", f"transformers has no tokenizer {printable(name)}")
    try:
        with secluded():
            return cls.from_pretrained(
                files.folder(), local_files_only=True, trust_remote_code=False
            )
    except BaseException as error:  # the Rust tokenizers panic with a bare BaseException
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise refused("the tokenizer", error) from error


def _pipeline(task: str, model: Any, tokenizer: Any) -> Any:
    try:
        with secluded():
            return library().pipeline(task, model=model, tokenizer=tokenizer)
    except Exception as error:
        raise refused(f"the pipeline {printable(task)}", error) from error


def _check_pipeline(pipeline: Any) -> None:
    other = [
        name for name in ("image_processor", "feature_extractor", "processor")
        if getattr(pipeline, name, None) is not None
    ]  # fmt: skip
    foreign = not type(pipeline).__module__.startswith("transformers.pipelines.")
    if other or foreign or pipeline.tokenizer is None:
        raise InvalidInput(
            "not-savable", f"a {type(pipeline).__name__} is more than a model and a tokenizer",
            hint="commit pipeline.model, or the folder that save_pretrained writes",
        )  # fmt: skip
