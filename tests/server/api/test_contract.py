"""The OpenAPI document and the server say the same: schemathesis with all its checks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.api.people import fill
from tests.server.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACT = Path(__file__).parent / "contract"
METHODS = ("get", "put", "post", "patch", "delete")
ENDLESS = "stream$|/events$"
"""Streams that end only with the server."""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with running(tmp_path_factory.mktemp("contract") / "yard") as server, server.client() as root:
        yield root.get("/openapi.json").json()


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in METHODS
    ]


def test_every_operation_has_a_name_a_tag_a_sentence_and_who_may(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document)]
    assert len(set(names)) == len(names)
    for operation in operations(document):
        assert len(operation["tags"]) == 1
        assert operation["summary"]
        assert operation["description"]
        assert "security" in operation
    assert document["openapi"].startswith("3.1")


def test_every_parameter_that_is_needed_has_an_example_or_a_schema(
    document: dict[str, Any],
) -> None:
    for operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["schema"], (operation["operationId"], parameter)


@pytest.mark.slow
def test_the_server_keeps_what_its_document_says(tmp_path: Path) -> None:
    with running(tmp_path / "yard", trust_proxy="127.0.0.1") as server, server.client() as root:
        fill(root, "own%2Fnet")
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file", str(CONTRACT / "schemathesis.toml"),
            "run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {server.token}",
            "--checks", "all", "--max-examples", os.environ.get("CONTRACT_EXAMPLES", "8"),
            "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all",
            "--exclude-path-regex", ENDLESS, "--generation-database", "none", "--no-color",
            "--request-timeout", "20",
        ]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=900, check=False, cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.server.api.contract.hooks",
                 "PYTHONPATH": str(Path(__file__).parents[3])},
        )  # fmt: skip
        log = server.log_text()
    assert "internal error" not in log, log[-3000:]
    assert done.returncode == 0, done.stdout[-20_000:]
