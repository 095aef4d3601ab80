"""What KServe runs to fetch `yard://HOST/MODEL@REV`: the files of a version, into a folder.

    python -m modelyard.cli.storage_initializer yard://models.example.org/digits@3 /mnt/models

The server is the one of `$YARD`, with the token of `$YARD_TOKEN`. Who writes a storageUri may not
choose the server: the token would be sent there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelyard.errors import Denied, InvalidInput, ModelyardError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.core.names import ModelRevision

__all__ = ["fetch", "main", "parse"]


def parse(uri: str, server: str) -> ModelRevision:
    """What a URI names. InvalidInput: `bad-uri`. Denied: `other-yard`."""
    from modelyard.core.names import ModelRevision

    scheme, _, rest = uri.partition("://")
    host, _, target = rest.partition("/")
    if scheme != "yard" or not host or not target or "?" in uri or "#" in uri:
        raise _no_version(uri)
    known = urlsplit(server)
    below = f"{known.path.strip('/')}/".lstrip("/")
    if host != known.netloc or not target.startswith(below):
        raise Denied(
            "other-yard", f"{host[:80]} is not the server that this cluster may ask",
            hint="an admin sets YARD in the ClusterStorageContainer",
        )  # fmt: skip
    named = target.removeprefix(below)
    if not named:
        raise _no_version(uri)
    return ModelRevision.parse(named)


def _no_version(uri: str) -> InvalidInput:
    return InvalidInput("bad-uri", f"{uri[:120]!r} names no version", hint="yard://HOST/MODEL@REV")


def fetch(uri: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Write the files; what they are, for the log."""
    from modelyard.cli.params import revision_of
    from modelyard.client.remote import RemoteYard

    server = environment.get("YARD", "")
    target = parse(uri, server)
    with RemoteYard.at(server, environment=environment) as yard:
        version = yard.resolve(target.model.text, revision_of(target))
        yard.checkout(version.model, version.number, folder)
    return f"{version.model}@{version.number} {version.commit}"


def main(arguments: Sequence[str]) -> int:
    """Take what KServe gives: a URI, and where its files belong; perhaps several such pairs."""
    if not arguments or len(arguments) % 2:
        print("usage: URI FOLDER ...", file=sys.stderr)  # noqa: T201
        return 2
    try:
        for uri, folder in zip(arguments[::2], arguments[1::2], strict=True):
            print(fetch(uri, Path(folder), os.environ), flush=True)  # noqa: T201
    except ModelyardError as error:
        print(f"{error.kind}: {error.message}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
