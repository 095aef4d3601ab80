"""What models that others published are asked: photographs, lines of text, sounds, real files."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

__all__ = ["FEEDS", "Feed"]

Feed = dict[str, Any]
"""By the names of inputs."""

_ROOT = Path(__file__).parents[3]


@cache
def _photos() -> tuple[Array, ...]:
    from sklearn.datasets import load_sample_images

    return tuple(load_sample_images().images)


@cache
def _words() -> tuple[str, ...]:
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    return tuple(re.findall(r"[A-Za-z]{3,12}", text))


def _crop(rng: np.random.Generator, height: int, width: int) -> Array:
    """A part of a photograph, of any scale, perhaps mirrored. Shape (height, width, 3), 0..255."""
    from PIL import Image

    photo = _photos()[rng.integers(len(_photos()))]
    share = rng.uniform(0.4, 1.0)
    tall, wide = int(photo.shape[0] * share), int(photo.shape[1] * share)
    top = rng.integers(photo.shape[0] - tall + 1)
    left = rng.integers(photo.shape[1] - wide + 1)
    part = photo[top : top + tall, left : left + wide]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize((width, height)))


def _line(rng: np.random.Generator, height: int, width: int, words: int = 3) -> Array:
    """A line of printed words on paper that is not quite white. Shape (height, width, 3)."""
    from PIL import Image, ImageDraw, ImageFont

    paper = tuple(int(v) for v in rng.integers(190, 256, 3))
    ink = tuple(int(v) for v in rng.integers(0, 90, 3))
    image = Image.new("RGB", (width, height), paper)
    text = " ".join(rng.choice(_words(), words))
    size = int(height * rng.uniform(0.5, 0.8))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((4, (height - size) // 3), text, fill=ink, font=font)
    noisy = np.asarray(image, np.float32) + rng.normal(0, 4, (height, width, 1))
    found: Array = np.clip(noisy, 0, 255)
    return found


def _page(rng: np.random.Generator, side: int) -> Array:
    """Lines of text upon a photograph. Shape (side, side, 3)."""
    page = _crop(rng, side, side).astype(np.float32).copy()
    for _ in range(int(rng.integers(2, 6))):
        height, width = int(rng.integers(24, 48)), int(rng.integers(120, side - 20))
        top, left = rng.integers(side - height), rng.integers(side - width)
        page[top : top + height, left : left + width] = _line(rng, height, width)
    return page


def _first(values: Array) -> Array:
    """Channels first, a batch of one, float32."""
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32)


_MEAN, _SPREAD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def _text(rng: np.random.Generator) -> Feed:
    return {"x": _first(_line(rng, 48, 320) / 127.5 - 1)}


def _turned(rng: np.random.Generator) -> Feed:
    line = _line(rng, 48, 192) / 127.5 - 1
    return {"x": _first(line[::-1, ::-1] if rng.random() < 0.5 else line)}


def _text_page(rng: np.random.Generator) -> Feed:
    return {"x": _first((_page(rng, 320) / 255 - _MEAN) / _SPREAD)}


def _sheet(rng: np.random.Generator) -> Feed:
    page = np.rot90(_page(rng, 224), int(rng.integers(4)))
    return {"x": _first((page / 255 - _MEAN) / _SPREAD)}


def _photo320(rng: np.random.Generator) -> Feed:
    return {"images": _first(_crop(rng, 320, 320) / 255)}


def _photo416(rng: np.random.Generator) -> Feed:
    return {"images": _first(_crop(rng, 416, 416).astype(np.float32))}


def _captcha(rng: np.random.Generator) -> Feed:
    line = _line(rng, 64, 160, words=1).mean(axis=2, keepdims=True)
    return {"input1": _first(line / 127.5 - 1)}


def _tones(rng: np.random.Generator, seconds: float, rate: int) -> Array:
    """Notes with overtones that swell and fade, pauses, and a little noise."""
    times = np.arange(int(seconds * rate)) / rate
    sound = rng.normal(0, 0.003, len(times))
    for _ in range(int(rng.integers(1, 6))):
        begin, length = rng.uniform(0, seconds * 0.8), rng.uniform(0.1, 0.8)
        inside = (times >= begin) & (times < begin + length)
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12) * (1 + 0.003 * np.sin(30 * times))
        envelope = np.sin(np.pi * np.clip((times - begin) / length, 0, 1))
        for overtone in range(1, 7):
            wave = np.sin(2 * np.pi * overtone * pitch * times) / overtone
            sound += 0.1 * inside * envelope * wave
    return sound.astype(np.float32)


def _music(rng: np.random.Generator) -> Feed:
    return {"serving_default_input_2:0": _tones(rng, 43844 / 22050, 22050)[None, :43844, None]}


def _speech(rng: np.random.Generator) -> Feed:
    start = int(rng.integers(0, 12000))
    sound = _tones(rng, 1.0, 16000)[start : start + 576]
    return {
        "input": sound[None], "state": rng.normal(0, 0.3, (2, 1, 128)).astype(np.float32),
        "sr": np.array(16000, np.int64),
    }  # fmt: skip


@cache
def _files() -> tuple[Path, ...]:
    known = (".py", ".md", ".html", ".css", ".po", ".toml", ".json", ".yaml", ".svg", ".mo", ".sh")
    places = [path for path in sorted(_ROOT.glob("*/**/*")) if path.suffix in known]
    return tuple(path for path in places if path.is_file() and path.stat().st_size > 200)


def _bytes(rng: np.random.Generator) -> Feed:
    content = _files()[rng.integers(len(_files()))].read_bytes().strip()
    begin, end = content[:1024], content[-1024:]
    values = np.full(2048, 256, np.int32)
    values[: len(begin)] = np.frombuffer(begin, np.uint8)
    values[2048 - len(end) :] = np.frombuffer(end, np.uint8)
    return {"bytes": values[None]}


def _name(rng: np.random.Generator) -> Feed:
    count = int(rng.integers(4, 12))
    return {
        "src": rng.integers(4, 40, (1, count)), "src_mask": np.ones((1, count), bool),
    }  # fmt: skip


FEEDS: dict[str, Callable[[np.random.Generator], Any]] = {
    "text": _text, "turned": _turned, "page": _text_page, "sheet": _sheet, "photo320": _photo320,
    "photo416": _photo416, "captcha": _captcha, "music": _music, "speech": _speech,
    "bytes": _bytes, "name": _name,
}  # fmt: skip
"""By kind, one input drawn by chance."""
