"""Asking a model: texts through its tokenizer, or ready columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modelyard.core.table import Table
from modelyard.errors import InvalidInput, Unsupported
from modelyard.formats.reading import printable
from modelyard.frameworks.torch.calls import call
from modelyard.frameworks.transformers.kinds import model_of, tokenizer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BATCH", "labels_of", "predicted", "signature", "table_of", "task_of"]

Json = Any
Array = np.ndarray[Any, Any]

BATCH = 32
_CLASSIFIER = "ForSequenceClassification"
_PLAIN = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


def signature(obj: Any, example: Any) -> Json | None:
    """`text` in (or the columns that were given), what the runtime gives out."""
    if model_of(obj) is None:
        return None
    table = table_of(example)
    outputs = predicted(obj, table)
    return {
        "inputs": [_told(name, column) for name, column in table.columns.items()],
        "outputs": [_told(name, values) for name, values in outputs.items()],
    }


def table_of(example: Any) -> Table:
    """Texts, a mapping of arrays, a frame or a table, as a table."""
    if isinstance(example, Table):
        return example
    if hasattr(example, "columns") and hasattr(example, "to_numpy"):
        return Table({str(name): example[name].to_numpy() for name in example.columns})
    if isinstance(example, Mapping) or hasattr(example, "input_ids"):
        return Table({str(name): np.asarray(value) for name, value in dict(example).items()})
    texts = [example] if isinstance(example, str) else list(example)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InvalidInput("bad-inputs", "give texts, or columns such as input_ids")
    return Table({"text": np.array(texts, object)})


def predicted(obj: Any, table: Table) -> dict[str, Array]:
    """Outputs by name, in batches of 32 rows.

    `probability` and `label` of a classifier, `prediction` of a regression, `embedding` of a
    model without head (the mean of its last hidden states over the tokens); else the tensors that
    the model gives, by its own names.

    Raises:
        InvalidInput: `bad-inputs`.
        Unsupported: `no-predict`.
    """
    model = model_of(obj)
    if model is None:
        raise Unsupported("no-predict", "a tokenizer alone predicts nothing")
    columns = _columns(obj, table)
    parts = [_meant(model, *_called(model, batch)) for batch in _batches(obj, columns)]
    if not parts:
        raise InvalidInput("bad-inputs", "there are no rows")
    return {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}


def task_of(model: Any) -> str | None:
    """`classification`, `regression`, `embedding`, or None."""
    if type(model).__name__.endswith(_CLASSIFIER):
        return "regression" if _is_regression(model) else "classification"
    return "embedding" if _is_headless(model) else None


def labels_of(model: Any) -> Array:
    """The classes by their names in the config, in the order of the model's outputs."""
    names = model.config.id2label
    return np.array([str(names[index]) for index in range(model.config.num_labels)], object)


def _columns(obj: Any, table: Table) -> dict[str, Any]:
    """Texts by `text`, or numbers by the model's names."""
    numbers = [name for name in table.names if name in _PLAIN]
    if "input_ids" in numbers:
        return {name: table.column(name).astype(np.int64) for name in numbers}
    if tokenizer_of(obj) is None:
        raise InvalidInput(
            "bad-inputs", "this model was committed without its tokenizer: it takes input_ids",
            hint="commit (model, tokenizer) to give texts",
        )  # fmt: skip
    texts = [name for name in table.names if table.columns[name].dtype.kind in "OUT"]
    if "text" not in texts and len(texts) != 1:
        raise InvalidInput(
            "bad-inputs", f"one column must hold the texts; there are {len(texts)} such",
            hint="name it text",
        )  # fmt: skip
    column = table.column("text" if "text" in texts else texts[0])
    if not all(isinstance(text, str) for text in column):
        raise InvalidInput("bad-inputs", "a text is missing")
    return {"text": column}


def _batches(obj: Any, columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    import torch

    rows = len(next(iter(columns.values())))
    for start in range(0, rows, BATCH):
        part = {name: column[start : start + BATCH] for name, column in columns.items()}
        if "text" in part:
            yield _tokens(tokenizer_of(obj), model_of(obj), list(part["text"]))
        else:
            yield {name: torch.from_numpy(np.array(values)) for name, values in part.items()}


def _tokens(tokenizer: Any, model: Any, texts: list[str]) -> dict[str, Any]:
    longest = getattr(model.config, "max_position_embeddings", None) or 1 << 20
    longest = min(longest, tokenizer.model_max_length or longest)
    try:
        found = tokenizer(
            texts, return_tensors="pt", padding=tokenizer.pad_token is not None or len(texts) > 1,
            truncation=True, max_length=longest,
        )  # fmt: skip
    except Exception as error:
        raise InvalidInput(
            "bad-inputs", f"the tokenizer can't take them: {printable(str(error))}"
        ) from error
    return dict(found)


def _called(model: Any, batch: dict[str, Any]) -> tuple[Any, Any]:
    import inspect

    known = inspect.signature(model.forward).parameters
    given = {name: value for name, value in batch.items() if name in known}
    return call(model, (), given), batch.get("attention_mask")


def _meant(model: Any, output: Any, mask: Any) -> dict[str, Array]:
    import torch

    task = task_of(model)
    if task in ("classification", "regression"):
        logits = output["logits"].float()
        if task == "regression":
            return {"prediction": logits.squeeze(-1).numpy()}
        if model.config.problem_type == "multi_label_classification":
            return {"probability": torch.sigmoid(logits).numpy()}
        probability = torch.softmax(logits, -1).numpy()
        return {"probability": probability, "label": labels_of(model)[probability.argmax(axis=1)]}
    if task == "embedding":
        states = output["last_hidden_state"].float()
        weights = torch.ones(states.shape[:2]) if mask is None else mask.float()
        total = (states * weights[:, :, None]).sum(1)
        return {"embedding": (total / weights.sum(1, keepdim=True).clamp_min(1)).numpy()}
    return {
        name: value.float().numpy()
        for name, value in output.items()
        if isinstance(value, torch.Tensor)
    }


def _is_regression(model: Any) -> bool:
    return bool(model.config.problem_type == "regression" or model.config.num_labels == 1)


def _is_headless(model: Any) -> bool:
    """`BertModel`, `DistilBertModel`: what gives hidden states only."""
    encoder_decoder = getattr(model.config, "is_encoder_decoder", False)
    return type(model).__name__.endswith("Model") and not encoder_decoder


def _joined(name: str, parts: list[Array]) -> Array:
    """Batches of unlike length (of tokens) are filled up with zeros."""
    if len(parts) == 1:
        return parts[0]
    longest = tuple(max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True))
    filled = []
    for part in parts:
        pad = [
            (0, 0),
            *((0, most - own) for most, own in zip(longest, part.shape[1:], strict=True)),
        ]
        filled.append(part if part.shape[1:] == longest else np.pad(part, pad))
    return np.concatenate(filled)


def _told(name: str, value: Array) -> dict[str, Json]:
    text = value.dtype.kind in "OUT"
    return {
        "name": name, "dtype": "str" if text else value.dtype.name, "shape": [-1, *value.shape[1:]]
    }  # fmt: skip
