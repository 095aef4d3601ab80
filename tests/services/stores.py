"""The object stores that tests use, and what their clients find in the environment."""

from __future__ import annotations

import http.client
import shutil
import sys
from typing import TYPE_CHECKING

from tests.services import oss, webdav
from tests.services.service import Service, ours
from tests.services.state import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["NPM", "STORES"]

NPM = ROOT / ".services" / "npm"


def _answers(port: int) -> bool:
    """Any answer will do: that it is signed wrong, too."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    finally:
        connection.close()


def _own(name: str) -> Callable[[str, Path, int], list[str]]:
    """A server of the tests' own: a module of this folder."""
    return lambda program, folder, port: [
        program,
        "-m",
        f"tests.services.{name}",
        "--port",
        str(port),
    ]


def _npm(script: str) -> Callable[[], str | None]:
    """A program that npm installed; run by node."""

    def found() -> str | None:
        path = NPM / "node_modules" / script
        return str(path) if shutil.which("node") and path.exists() else None

    return found


def _s3rver_command(program: str, folder: Path, port: int) -> list[str]:
    return ["node", program, "-d", f"{folder}/data", "-a", "127.0.0.1", "-p", str(port), "-s"]


def _azurite_command(program: str, folder: Path, port: int) -> list[str]:
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", f"{folder}/data"]
    return ["node", program, *place, "--silent", "--disableTelemetry", "--skipApiVersionCheck"]


_AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
_S3RVER = {**_AWS, "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}
_AZURE = {  # the account that Azure's emulators have: published, the same everywhere
    "AZURE_STORAGE_ACCOUNT_NAME": "devstoreaccount1",
    "AZURE_STORAGE_ACCOUNT_KEY": (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    ),
}
_OSS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": oss.ACCESS_KEY,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": oss.SECRET_KEY,
}
_WEBDAV = {"WEBDAV_USERNAME": webdav.USER, "WEBDAV_PASSWORD": webdav.PASSWORD}

STORES = (
    Service(
        name="s3",
        program=ours("moto_server"),
        command=lambda program, folder, port: [program, "-H", "127.0.0.1", "-p", str(port)],
        url="http://127.0.0.1:{port}",
        healthy=_answers,
        environ=_AWS,
    ),
    Service(
        name="s3rver",
        program=_npm("s3rver/bin/s3rver.js"),
        command=_s3rver_command,
        url="http://127.0.0.1:{port}",
        healthy=_answers,
        environ=_S3RVER,
    ),
    Service(
        name="azurite",
        program=_npm("azurite/dist/src/blob/main.js"),
        command=_azurite_command,
        url="http://127.0.0.1:{port}/devstoreaccount1",
        healthy=_answers,
        environ=_AZURE,
    ),
    Service(
        name="oss",
        program=lambda: sys.executable,
        command=_own("oss"),
        url="http://127.0.0.1:{port}",
        healthy=_answers,
        environ=_OSS,
    ),
    Service(
        name="webdav",
        program=lambda: sys.executable,
        command=_own("webdav"),
        url="http://127.0.0.1:{port}",
        healthy=_answers,
        environ=_WEBDAV,
    ),
    Service(
        name="gcs",
        program=lambda: sys.executable,
        command=_own("gcs"),
        url="http://127.0.0.1:{port}",
        healthy=_answers,
    ),
)
