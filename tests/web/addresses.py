"""One address or more of every page, on the yard that is shown."""

from __future__ import annotations

import re
from urllib.parse import quote

from tests.web.shown_models import HOSTILE, LONG

from modelyard.server.web.pages import ROUTES

__all__ = ["ADDRESSES", "ALL", "routes", "short"]

_EVIL = HOSTILE.model
_TENSOR, _FILE = quote(HOSTILE.tensor, safe=""), quote(HOSTILE.file, safe="")
_WEIGHTS = "file=model.safetensors"
_MANY = "&".join(f"v=vision/mini-net@{number}" for number in range(1, 9))

ADDRESSES: dict[str, tuple[str, ...]] = {
    "/": ("/",),
    "/models": ("/models?q=label:task=classify", "/models?q=no-such-thing"),
    "/models/{model:path}": (
        "/models/vision/mini-net", "/models/nlp/sentiment-zh", "/models/data/iris",
        f"/models/{_EVIL}", f"/models/{LONG}",
    ),
    "/history/{model:path}": (
        "/history/vision/mini-net", f"/history/{_EVIL}", f"/history/{LONG}",
    ),
    "/versions/{model:path}@{revision:path}": (
        "/versions/vision/mini-net@8", "/versions/flowers/iris@5", "/versions/edge/scaler@1",
        "/versions/imports/found-on-the-web@1", f"/versions/{_EVIL}@2", f"/versions/{LONG}@1",
    ),
    "/files/{model:path}@{revision:path}": ("/files/vision/mini-net@8", f"/files/{_EVIL}@2"),
    "/file/{model:path}@{revision:path}": (
        "/file/vision/mini-net@8?name=config.json", f"/file/{_EVIL}@2?name={_FILE}",
        f"/file/{_EVIL}@2?name=page.html", f"/file/{_EVIL}@2?name=picture.svg",
        "/file/vision/mini-net@8?name=model.safetensors",
    ),
    "/picture/{model:path}@{revision:path}": (),
    "/evaluations/{model:path}@{revision:path}": (
        "/evaluations/flowers/iris@5", "/evaluations/vision/mini-net@8",
    ),
    "/compare/tensor": (
        "/compare/tensor?a=vision/mini-net@1&b=vision/mini-net@4&name=head.weight",
        f"/compare/tensor?a={_EVIL}@1&b={_EVIL}@2&name={_TENSOR}",
    ),
    "/audit": ("/audit",),
    "/tensors/{model:path}@{revision:path}": (
        "/tensors/vision/mini-net@8", f"/tensors/{_EVIL}@2",
    ),
    "/tensor/{model:path}@{revision:path}": (
        f"/tensor/vision/mini-net@8?{_WEIGHTS}&name=head.weight",
        f"/tensor/{_EVIL}@2?{_WEIGHTS}&name={_TENSOR}",
    ),
    "/histogram/{model:path}@{revision:path}": (),
    "/compare": (
        "/compare", "/compare?a=vision/mini-net@1&b=vision/mini-net@4",
        f"/compare?a={_EVIL}@1&b={_EVIL}@2", "/compare?a=flowers/iris@1&b=flowers/iris@5",
    ),
    "/compare/many": (
        f"/compare/many?{_MANY}", "/compare/many?v=flowers/iris@1&v=flowers/iris@5",
        f"/compare/many?v={_EVIL}@1&v={_EVIL}@2",
    ),
    "/pick": (),
    "/lineage/{model:path}": (
        "/lineage/flowers/iris", "/lineage/vision/mini-net", f"/lineage/{_EVIL}",
    ),
    "/lineage/{model:path}@{revision:path}": (
        "/lineage/flowers/iris@5", "/lineage/data/iris@1", f"/lineage/{_EVIL}@2",
    ),
    "/deployments": ("/deployments", "/deployments?model=vision/none"),
    "/deployments/{name}": (
        "/deployments/scaler", "/deployments/long", "/deployments/sentiment",
    ),
    "/deployments/{name}/monitoring": (
        "/deployments/scaler/monitoring", "/deployments/scaler/monitoring?by=version&window=15m",
        "/deployments/scaler/monitoring?since=1700000000&until=1700003600",
        "/deployments/long/monitoring?window=30d",
    ),
    "/deployments/{name}/monitoring/live": (),
    "/deployments/{name}/rules": ("/deployments/scaler/rules",),
    "/monitoring": ("/monitoring", "/monitoring?only=quiet"),
    "/alerts": ("/alerts", "/alerts?of=scaler"),
    "/anomalies": ("/anomalies",),
    "/undeployed/{name}": ("/undeployed/ended",),
    "/requests/{name}": ("/requests/scaler", "/requests/long?only=failed"),
    "/deploy": ("/deploy", "/deploy?name=scaler", f"/deploy?version={_EVIL}@2"),
    "/optimizations": ("/optimizations", "/optimizations?model=flowers/iris",
                       "/optimizations?model=vision/mini-net"),
    "/optimizations/{optimization}": (
        "/optimizations/1", "/optimizations/1?trial=5&up=size&across=latency_p50",
        "/optimizations/2", "/optimizations/3", "/optimizations/4",
    ),
    "/optimizations/{optimization}/live": (),
    "/optimize": ("/optimize?version=flowers/iris@5", f"/optimize?version={_EVIL}@2&recipe=small"),
    "/storage": ("/storage",),
    "/activity": ("/activity",),
    "/jobs": ("/jobs",),
    "/jobs/{job}": (),
    "/settings": ("/settings",),
    "/settings/profile": ("/settings/profile",),
    "/settings/tokens": ("/settings/tokens",),
    "/settings/members": ("/settings/members",),
    "/settings/members/{account}": ("/settings/members/admin",),
    "/settings/roles": ("/settings/roles",),
    "/settings/guards": ("/settings/guards",),
    "/settings/hooks": ("/settings/hooks",),
    "/settings/hooks/{key}": (),
    "/proposals": ("/proposals",),
    "/upload": ("/upload", "/upload?model=vision/mini-net", f"/upload?model={_EVIL}"),
    "/card/{model:path}": ("/card/vision/mini-net", f"/card/{_EVIL}"),
    "/merge/{model:path}": (
        "/merge/vision/mini-net?source=smoothing", f"/merge/{_EVIL}?source=1",
    ),
    "/rollback/{model:path}": ("/rollback/vision/mini-net?alias=champion",),
}  # fmt: skip
"""By path of the route. Empty where a journey goes there on its way: it needs something made."""


def routes() -> list[str]:
    """Paths of all pages that there are."""
    found = {
        route.path for each in ROUTES for route in each.router.routes if "GET" in route.methods
    }
    return sorted(path for path in found if not path.endswith((".json", ".html")))


def short(address: str) -> str:
    """For the name of a test."""
    return re.sub(r"[^\w/@?=&.-]", "", address)[:110]


ALL = [address for path in routes() for address in ADDRESSES.get(path, ())]
