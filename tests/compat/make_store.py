"""Write the yard that later releases must be able to read for ever.

    python tests/compat/make_store.py tests/compat/store-1

Run once for each version of the pack format, never to replace one that is there. Only the store is
kept: the catalog is made again from it, which reads every kind of record.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from modelyard.registry import create
from modelyard.testing.models import write_safetensors


def main(dest: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yard = create(folder / "yard", author="Ann Lee <ann@example.org>")
        fill(yard, folder / "work")
        expected = describe(yard)
        yard.close()
        shutil.copytree(folder / "yard" / "store", dest / "store")
        shutil.copy(folder / "yard" / "yard.toml", dest / "yard.toml")
    (dest / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def fill(yard, work: Path) -> None:
    """Every codec, every kind of journal entry."""
    rng = np.random.default_rng(1)
    work.mkdir()
    tensors = {
        "layer.weight": (rng.standard_normal((96, 100)) * 0.03).astype("float32"),
        "layer.bias": np.zeros(300, "float32"),
        "table": rng.integers(0, 9, (64, 80), dtype=np.int64),
        "noise": rng.integers(0, 256, 30_000, dtype=np.uint8),
    }
    (work / "README.md").write_text(
        "---\ntags: [compat]\nlicense: mit\n---\n一个小模型。\n", "utf-8"
    )
    (work / "vocabulary.bin").write_bytes(bytes(range(256)) * 100 + b"\xff end")
    write_safetensors(work / "model.safetensors", tensors)
    yard.commit("old/model", work, message="first", metrics={"acc": 0.5}, params={"C": 1.0})
    tensors["layer.weight"] *= np.float32(1.001)
    write_safetensors(work / "model.safetensors", tensors)
    (work / "vocabulary.bin").write_bytes(bytes(range(256)) * 100 + b"\xff another end")
    yard.commit("old/model", work, message="一小步", metrics={"acc": 0.75}, labels={"任务": "分类"})
    yard.branch("old/model", "dev", 1)
    (work / "notes.txt").write_text("on a branch\n")
    yard.commit("old/model", work, message="on dev", branch="dev")
    yard.merge("old/model", "dev", into="main")
    yard.tag("old/model", "v1", 1)
    yard.alias("old/model", "prod", 1)
    yard.alias("old/model", "prod", 2)
    yard.rollback("old/model", "prod")
    yard.label("old/model", add={"team": "nlp"})
    yard.commit("old/model", work, message="to be deleted", branch="gone")
    yard.rename("old/model", "new/model")


def describe(yard) -> dict[str, object]:
    """What must come out again."""
    versions = []
    for info in yard.log("new/model"):
        detail = yard.show("new/model", info.number)
        versions.append(
            {
                "number": info.number,
                "commit": info.commit,
                "parents": list(info.parents),
                "message": info.message,
                "metrics": dict(info.metrics),
                "labels": dict(info.labels),
                "files": {file.path: file.sha256 for file in detail.files},
            }
        )
    refs = {ref.name: [ref.kind, ref.number] for ref in yard.refs("new/model")}
    return {"versions": versions, "refs": refs, "labels": dict(yard.model_info("new/model").labels)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
