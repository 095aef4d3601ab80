"""An MLflow tracking server, asked over its REST API; files come through its artifact proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

from modelyard.errors import Denied, InvalidInput, NotFound, Unavailable
from modelyard.history.importing.tools import shown_url
from modelyard.registry.foreign.tracking import Registered, Run, TrackedVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["WebTracking"]

_API = "api/2.0/mlflow"
_PROXY = "api/2.0/mlflow-artifacts/artifacts"
_SCHEME = "mlflow-artifacts:"
_PAGE = 200
_DEEPEST = 30
_SMALL = 1 << 20
_REFUSED = (401, 403)


class WebTracking:
    """Reads a server.

    Args:
        token: For `Authorization: Bearer`.
        login: User and password, if there is no token.
    """

    def __init__(self, url: str, *, token: str | None, login: tuple[str, str] | None) -> None:
        self.shown = shown_url(url)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._web = httpx2.Client(
            base_url=url.rstrip("/") + "/", headers=headers, auth=login if not token else None,
            timeout=60, follow_redirects=False,
        )  # fmt: skip

    def close(self) -> None:
        self._web.close()

    def models(self, name: str | None) -> Iterator[Registered]:
        if name is not None:
            found = self._get("registered-models/get", name=name).get("registered_model")
            if isinstance(found, dict):
                yield self._model(found)
            return
        for told in self._pages("registered-models/search", "registered_models"):
            yield self._model(self._get("registered-models/get", name=told["name"])[
                "registered_model"])  # fmt: skip

    def run(self, key: str) -> Run | None:
        found = self._get("runs/get", run_id=key).get("run")
        if not isinstance(found, dict):
            return None
        info, told = found.get("info", {}), found.get("data", {})
        tags = _pairs(told.get("tags"))
        return Run(
            user=tags.get("mlflow.user") or str(info.get("user_id") or ""),
            place=str(info.get("artifact_uri") or ""), params=_pairs(told.get("params")),
            metrics=_metrics(told.get("metrics")),
        )  # fmt: skip

    def logged(self, key: str) -> Run | None:
        found = self._get(f"logged-models/{quote(key)}").get("model")
        if not isinstance(found, dict):
            return None
        told = found.get("data", {})
        return Run(
            place=str(found.get("info", {}).get("artifact_uri") or ""),
            params=_pairs(told.get("params")), metrics=_metrics(told.get("metrics")),
        )  # fmt: skip

    def files(self, place: str) -> Mapping[str, tuple[str, int]] | str:
        if not place.startswith(_SCHEME):
            scheme = place.partition(":")[0]
            return f"its files are at {scheme}:, and the server does not hand them out"
        top = place.removeprefix(_SCHEME).lstrip("/")
        found: dict[str, tuple[str, int]] = {}
        folders = [("", 0)]
        while folders:
            below, depth = folders.pop()
            whole = f"{top}/{below}".strip("/")
            told = self._json(_PROXY, {"path": whole}).get("files", [])
            for file in told:
                path = str(file.get("path", "")).strip("/")
                path = f"{below}/{path}".strip("/")
                if ".." in path.split("/"):
                    continue
                if file.get("is_dir") and depth < _DEEPEST:
                    folders.append((path, depth + 1))
                elif not file.get("is_dir"):
                    found[path] = (f"web:{top}/{path}", int(file.get("file_size") or 0))
        return found if found else f"{place} holds no files"

    def read(self, key: str, room: Path) -> bytes | Path | None:
        path = key.removeprefix("web:")
        place = room / f"mlflow-{abs(hash(path))}"
        try:
            with (
                self._web.stream("GET", f"{_PROXY}/{quote(path)}") as answer,
                place.open("wb") as file,
            ):
                self._check(answer)
                for piece in answer.iter_bytes(_SMALL):
                    file.write(piece)
        except httpx2.HTTPError as error:
            raise self._away(error) from None
        if place.stat().st_size < _SMALL:
            content = place.read_bytes()
            place.unlink()
            return content
        return place

    def _model(self, told: Mapping[str, Any]) -> Registered:
        name = str(told["name"])
        wanted = f"name='{name}'" if "'" not in name else f'name="{name}"'
        found = self._pages("model-versions/search", "model_versions", filter=wanted)
        versions = [self._version(name, version) for version in found if version["name"] == name]
        return Registered(
            name=name, description=str(told.get("description") or ""),
            tags=_pairs(told.get("tags")),
            aliases={str(a["alias"]): int(a["version"]) for a in told.get("aliases") or ()},
            versions=tuple(sorted(versions, key=lambda version: version.number)),
        )  # fmt: skip

    def _version(self, name: str, told: Mapping[str, Any]) -> TrackedVersion:
        source = str(told.get("source") or "")
        place = self._get(
            "model-versions/get-download-uri", name=name, version=str(told["version"])
        ).get("artifact_uri")
        return TrackedVersion(
            number=int(told["version"]), created=int(told.get("creation_timestamp") or 0),
            user=str(told.get("user_id") or ""), description=str(told.get("description") or ""),
            stage=str(told.get("current_stage") or ""), source=source,
            place=str(place or source), run=str(told.get("run_id") or ""),
            model_id=str(told.get("model_id") or ""), tags=_pairs(told.get("tags")),
        )  # fmt: skip

    def _pages(self, what: str, name: str, **query: str) -> Iterator[Mapping[str, Any]]:
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            answer = self._get(what, max_results=str(_PAGE), **query, **more)
            yield from answer.get(name, [])
            before, token = token, str(answer.get("next_page_token") or "")
            if not token or token == before:
                return

    def _get(self, what: str, **query: str) -> dict[str, Any]:
        return self._json(f"{_API}/{what}", query)

    def _json(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self._web.get(path, params=query)
            if answer.status_code == 404 and "json" in answer.headers.get("content-type", ""):
                return {}
            self._check(answer)
            content = answer.json()
        except httpx2.HTTPError as error:
            raise self._away(error) from None
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise InvalidInput("bad-mlflow", f"{self.shown} does not answer as MLflow does",
                               hint="look at the URL")  # fmt: skip
        return content

    def _check(self, answer: httpx2.Response) -> None:
        if answer.status_code in _REFUSED:
            raise Denied(
                "source-denied", f"{self.shown} refuses: status {answer.status_code}",
                hint="set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD",
            )  # fmt: skip
        if answer.status_code == 404:
            raise NotFound("no-repository", f"{self.shown} has no {answer.url.path}")
        if answer.status_code != 200:
            raise Unavailable(
                "source-unreachable", f"{self.shown} answers with status {answer.status_code}"
            )

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(
            "source-unreachable", f"{self.shown} can't be reached: {type(error).__name__}",
            hint="try again",
        )  # fmt: skip


def _pairs(told: Any) -> dict[str, str]:
    return {str(part["key"]): str(part.get("value") or "") for part in told or ()}


def _metrics(told: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in sorted(told or (), key=lambda part: int(part.get("timestamp") or 0)):
        try:
            found[str(part["key"])] = float(part["value"])
        except (TypeError, ValueError):
            continue
    return found
