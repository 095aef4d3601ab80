"""Pictures of the pages for the documents: `YARD_PICTURES=1 pytest tests/web/test_pictures.py`."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image
from tests.web.showing import LOOKS, Shown, visiting

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
    "deployments": "/deployments",
    "deployment": "/deployments/scaler",
    "deploy": "/deploy?name=scaler",
    "monitoring": "/monitoring",
    "alerts": "/alerts",
    "rules": "/deployments/scaler/rules",
    "optimization": "/optimizations/1",
    "optimize": "/optimize?version=flowers/iris@5",
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
    _ask(shown)
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


def _ask(shown: Shown) -> None:
    """What is deployed has something to do, for some seconds."""
    with shown.client() as client:
        for number in range(400):
            row = [number % 7 + 0.5] * (4 if number % 80 else 3)  # some are wrong
            client.post(f"{shown.url}/predict/scaler", json={"rows": [row]})
            time.sleep(0.015)


def _keep(picture: bytes, path: Path) -> None:
    """With at most 256 colours, which pages have anyway but for edges of letters."""
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(256).save(path, optimize=True)
