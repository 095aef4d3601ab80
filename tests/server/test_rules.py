"""Rules that the server keeps before it starts, and that its code keeps always."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from fastapi import APIRouter

import modelyard
from modelyard.errors import Denied, InvalidInput
from modelyard.server import login, status
from modelyard.server.api import ROUTES
from modelyard.server.routing import Routes, check
from modelyard.server.settings import Settings

if TYPE_CHECKING:
    from tests.server.running import Running

PUBLIC = {
    ("GET", "/health"), ("GET", "/api/v1/version"), ("GET", "/login"), ("POST", "/login"),
    ("GET", "/openapi.json"),
}  # fmt: skip
"""The whole list. A route that is to be on it needs a good reason, and a look at what it tells."""
EARLY = re.compile(r"/login/|/api/v1/oidc|/oidc")
"""Of signing in by OIDC."""

PACKAGE = Path(modelyard.__file__).parent


def _routes() -> list[tuple[str, Any]]:
    every = (status.routes, status.version_routes, login.routes, *ROUTES)
    return [
        (method, route)
        for routes in every
        for route in routes.router.routes
        for method in route.methods
    ]


def test_a_route_that_does_not_say_what_it_needs_keeps_the_server_from_starting() -> None:
    router = APIRouter()
    router.add_api_route("/open", lambda: None)
    with pytest.raises(AssertionError, match="/open"):
        check(router.routes)


def test_a_route_can_not_be_declared_without_needs() -> None:
    with pytest.raises(TypeError, match="needs"):
        Routes("x").get("/x")(lambda ask: None)


def test_only_these_routes_are_public() -> None:
    found = {
        (method, route.path)
        for method, route in _routes()
        if route.endpoint.needs.what == "public" and not EARLY.match(route.path)
    }
    assert found == PUBLIC


def test_every_other_route_answers_401_without_a_token(server: Running) -> None:
    asked = 0
    for method, route in _routes():
        if (method, route.path) in PUBLIC or EARLY.match(route.path) or route.path == "/":
            continue
        path = re.sub(r"\{[^}]*\}", "1", route.path)
        answer = httpx2.request(method, f"{server.url}{path}", timeout=20)
        if answer.status_code == 422:
            body = {"content-type": "application/json"}
            answer = httpx2.request(method, f"{server.url}{path}", content=b"{}", headers=body)
        assert answer.status_code in (401, 422), f"{method} {route.path}: {answer.status_code}"
        if answer.status_code == 422:
            assert "needs" not in answer.text
        asked += 1
    assert asked > 10


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_no_server_without_accounts_is_reached_from_elsewhere(host: str) -> None:
    with pytest.raises(Denied) as told:
        Settings(host=host, accounts=False).check()
    assert told.value.kind == "open-to-all"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.9"])
def test_on_this_machine_accounts_may_be_off(host: str) -> None:
    Settings(host=host, accounts=False).check()


@pytest.mark.parametrize("told", [{"prefix": "models"}, {"prefix": "/a/"}, {"proxies": ("x",)}])
def test_settings_that_make_no_sense_are_refused(told: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="--"):
        Settings(**told).check()


# -- code ------------------------------------------------------------------------------------------

_LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "torch"}
_FRAMEWORKS = ("modelyard.frameworks", "modelyard.runtimes")


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_nothing_of_the_server_can_unpickle_or_load_a_model() -> None:
    for path in (PACKAGE / "server").rglob("*.py"):
        for name in _imports(path):
            assert name.split(".")[0] not in _LOADERS, f"{path}: {name}"
            assert not name.startswith(_FRAMEWORKS), f"{path}: {name}"


def test_nothing_starts_a_shell_or_runs_text() -> None:
    for folder in ("server", "registry", "client", "history"):
        for path in (PACKAGE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = ast.unparse(node.func)
                assert name not in ("eval", "exec", "os.system", "os.popen"), path
                shell = [k for k in node.keywords if k.arg == "shell"]
                assert not shell, path
