"""A yard with many versions to search in, and the questions that people ask it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["QUERIES", "entries", "populate"]

TASKS = ("classify", "detect", "segment", "translate", "rank")
DOMAINS = ("vision", "nlp", "audio", "tabular")
FAMILIES = ("resnet", "bert", "iris", "yolo", "whisper", "boost")
WORDS = (
    "baseline",
    "dropout",
    "warmup",
    "cleaned labels",
    "longer training",
    "quantized",
    "pruned",
)
CHINESE = ("图像分类模型", "语音识别", "调整学习率", "修正标签", "文本检索")

QUERIES = (
    "resnet", "baseline dropout", "quantized", "图像", "学习率", "label:task=classify",
    "label:domain=nlp metric.accuracy>0.9", "metric.accuracy>0.99", "params.lr=0.001",
    "author:ann", "name:team7", "bert label:task=rank", "-baseline label:domain=vision",
    "file:*.bin warmup", "size:<10MB sort:metric.accuracy-desc", "alias:champion", "",
    "metric.accuracy>0.5 sort:metric.accuracy-desc", "updated:<7d whisper",
)  # fmt: skip


def entries(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Model name and the keyword arguments of its commit; a hundred versions a model."""
    rng = random.Random(11)
    for number in range(count):
        model = number // 100
        words = f"{rng.choice(WORDS)} and {rng.choice(WORDS)} {rng.choice(CHINESE)} {number}"
        yield (
            f"team{model % 20}/{FAMILIES[model % len(FAMILIES)]}-{model}",
            {
                "message": words,
                "author": rng.choice(("ann", "bo", "chen", "dora")) + " <x@localhost>",
                "metrics": {"accuracy": round(rng.random(), 4), "loss": round(rng.random(), 4)},
                "params": {"lr": rng.choice((0.1, 0.01, 0.001)), "seed": number},
                "labels": {"task": rng.choice(TASKS), "domain": rng.choice(DOMAINS)},
            },
        )


def populate(yard: Any, count: int) -> None:
    """Commit `count` tiny versions through the SDK; every tenth model has a champion."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "weights.bin")
        for number, (name, given) in enumerate(entries(count)):
            file.write_bytes(f"weights {number}\n".encode())
            model = yard.model(name)
            model.commit(file, **given)
            if number % 1000 == 999:
                model.alias("champion", number % 100 + 1)
