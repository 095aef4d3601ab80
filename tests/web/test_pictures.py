"""Pictures of the pages for the documents: `YARD_PICTURES=1 pytest tests/web/test_pictures.py`."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from tests.web.showing import LOOKS, visiting

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("YARD_PICTURES"), reason="YARD_PICTURES=1 takes them"),
]

FOLDER = Path(__file__).resolve().parents[2] / "docs/pictures/web"
_LARGEST = 110_000
_MANY = "&".join(f"v=vision/mini-net@{number}" for number in range(1, 9))

PICTURES = {
    "models": "/models",
    "search": "/models?q=metric.accuracy>0.8",
    "model": "/models/vision/mini-net",
    "model-zh": "/models/nlp/sentiment-zh",
    "history": "/history/vision/mini-net",
    "version": "/versions/flowers/iris@5",
    "findings": "/versions/imports/found-on-the-web@1",
    "tensors": "/tensors/vision/mini-net@8",
    "tensor": "/tensor/vision/mini-net@8?file=model.safetensors&name=head.weight",
    "evaluations": "/evaluations/flowers/iris@5",
    "compare": "/compare?a=vision/mini-net@1&b=vision/mini-net@4",
    "compare-many": f"/compare/many?{_MANY}",
    "lineage": "/lineage/flowers/iris@5",
    "storage": "/storage",
    "activity": "/activity",
    "audit": "/audit",
    "jobs": "/jobs",
    "settings": "/settings",
    "tokens": "/settings/tokens",
    "members": "/settings/members",
    "roles": "/settings/roles",
    "guards": "/settings/guards",
    "hooks": "/settings/hooks",
    "proposals": "/proposals",
    "upload": "/upload?model=vision/mini-net",
    "card": "/card/vision/mini-net",
    "rollback": "/rollback/vision/mini-net?alias=champion",
    "hostile": "/models/hostile/names",
}
_NARROW = ("models", "model", "history", "compare", "tokens")


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3]], ids=str)
def test_pictures_are_taken(browser, shown, axe, look):
    FOLDER.mkdir(parents=True, exist_ok=True)
    visit = visiting(browser, shown, axe, look)
    for name, address in PICTURES.items():
        visit.open(address)
        visit.page.wait_for_timeout(400)  # what is drawn when it is seen
        _keep(visit.page.screenshot(), FOLDER / f"{name}-{look}.png")
    visit.page.set_viewport_size({"width": 390, "height": 800})
    for name in _NARROW:
        visit.open(PICTURES[name])
        visit.page.wait_for_timeout(300)
        _keep(visit.page.screenshot(), FOLDER / f"{name}-{look}-narrow.png")
    visit.context.close()
    sizes = [path.stat().st_size for path in FOLDER.glob("*.png")]
    assert max(sizes) <= _LARGEST
    assert sum(sizes) < 5_000_000


def _keep(picture: bytes, path: Path) -> None:
    """With at most 256 colours, which pages have anyway but for edges of letters."""
    path.write_bytes(_png(*_palette(_pixels(picture))))


def _pixels(png: bytes) -> np.ndarray:
    """Red, green and blue of an 8-bit PNG without interlacing, as Chromium writes them."""
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    channels = {2: 3, 6: 4}[png[25]]
    packed, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += length + 12
    raw = zlib.decompress(packed)
    lines = np.frombuffer(raw, np.uint8).reshape(height, width * channels + 1)
    done = np.zeros((height, width, channels), np.uint8)
    above = np.zeros((width, channels), np.int16)
    for number, line in enumerate(lines):
        above = _unfiltered(int(line[0]), line[1:].reshape(width, channels).astype(np.int16), above)
        done[number] = above
    return done[:, :, :3]


def _unfiltered(kind: int, line: np.ndarray, above: np.ndarray) -> np.ndarray:
    """One line of a PNG, of which the differences to its neighbours are stored."""
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line, axis=0) & 255
    if kind == 2:
        return (line + above) & 255
    left, corner = [0] * line.shape[1], [0] * line.shape[1]
    made = []
    for new, up in zip(line.tolist(), above.tolist(), strict=True):
        left = [
            (value + ((a + b) // 2 if kind == 3 else _nearest(a, b, c))) & 255
            for value, a, b, c in zip(new, left, up, corner, strict=True)
        ]
        corner = up
        made.append(left)
    return np.array(made, np.int16)


def _nearest(a: int, b: int, c: int) -> int:
    """Paeth's choice."""
    guess = a + b - c
    near = (abs(guess - a), abs(guess - b), abs(guess - c))
    return (a, b, c)[near.index(min(near))]


def _palette(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices, and the 256 colours that are there most; others go to the nearest of them."""
    codes = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    found, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    kept = found[np.argsort(-counts)[:256]]
    rgb = np.stack([found >> 16, found >> 8 & 255, found & 255], 1).astype(np.int32)
    palette = np.stack([kept >> 16, kept >> 8 & 255, kept & 255], 1).astype(np.int32)
    nearest = np.concatenate([
        ((part[:, None] - palette[None]) ** 2).sum(2).argmin(1)
        for part in np.array_split(rgb, max(1, len(rgb) // 2000))
    ])  # fmt: skip
    return nearest[inverse].reshape(codes.shape).astype(np.uint8), palette.astype(np.uint8)


def _png(indices: np.ndarray, palette: np.ndarray) -> bytes:
    height, width = indices.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + check

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 3, 0, 0, 0])
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = indices
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), chunk(b"PLTE", palette.tobytes()),
        chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)), chunk(b"IEND", b""),
    ])  # fmt: skip
