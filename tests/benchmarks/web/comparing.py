"""How long two versions of a large model take to be compared on a page: first, and again."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks.store.checks import Check
from tests.benchmarks.web.serving import browsing, p95
from tests.server.running import running

import modelyard
from modelyard.testing.models import Tensors, write_safetensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

__all__ = ["compare"]

_TENSORS, _ELEMENTS = 500, (512, 1024)
_FIRST, _AGAIN = 3.0, 60.0
_PAIRS = {"a fifth of the tensors tuned": (1, 2), "every weight moved": (1, 3)}


def compare(work: Path) -> Iterator[Check]:
    """A fine-tuned model beside what it came from; then one of which every weight moved."""
    with tempfile.TemporaryDirectory(dir=work) as place:
        folder = Path(place)
        with modelyard.create(folder / "yard") as yard:
            for number, tensors in enumerate(_versions()):
                path = write_safetensors(folder / str(number) / "model.safetensors", tensors)
                yard.commit("big/net", path.parent, message=f"{number}")
                path.unlink()
        with running(folder / "yard") as server, browsing(server, server.token) as client:
            for name, pair in _PAIRS.items():
                path = "/compare?a=big/net@{}&b=big/net@{}".format(*pair)
                answered, whole, pages = _until_done(client, path)
                note = f"{pages} pages of progress" if pages else "at once"
                yield Check("compare", f"{name}, first", whole, _FIRST, "s", note=note)
                yield Check("compare", f"{name}, first page that is seen", answered, 1.0, "s")
                took, note = p95(server, client, path)
                yield Check("compare", f"{name}, again, p95", took, _AGAIN, "ms", note=note)


def _until_done(client: httpx2.Client, path: str) -> tuple[float, float, int]:
    """Seconds to the first answer, and to the one with everything; pages of progress between."""
    began = time.perf_counter()
    page = client.get(path).text
    first, pages = time.perf_counter() - began, 0
    while 'id="working"' in page:
        pages += 1
        time.sleep(0.1)
        page = client.get(path).text
    return first, time.perf_counter() - began, pages


def _versions() -> Iterator[Tensors]:
    """1 GB of float32; then with its last fifth tuned; then with every weight moved a little."""
    rng = np.random.default_rng(3)
    base = {
        f"blocks.{n // 5}.{('q', 'k', 'v', 'up', 'down')[n % 5]}.weight": rng.normal(
            0, 0.02, _ELEMENTS
        ).astype(np.float32)
        for n in range(_TENSORS)
    }
    yield base
    tuned = dict(base)
    for name in list(base)[-_TENSORS // 5 :]:
        tuned[name] = base[name] * rng.normal(1, 0.01, _ELEMENTS).astype(np.float32)
    yield tuned
    yield {n: v * rng.normal(1, 1e-3, _ELEMENTS).astype(np.float32) for n, v in base.items()}
