"""The desk of a yard on a server: what loading, changing and measuring objects needs of it."""

from __future__ import annotations

import copy
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from modelyard.client import reading
from modelyard.client.shelf import RemoteBackend, RemoteIndex, RemoteReader
from modelyard.core.evaluation import Report
from modelyard.core.monitoring import ProfileInfo
from modelyard.core.names import MAIN, ModelName, RefName, parse_revision
from modelyard.core.transferring import encode_packed
from modelyard.errors import Conflict, InvalidInput
from modelyard.registry.outcomes import encode_outcomes
from modelyard.registry.reports import check_content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from modelyard.client.cache import RangeCache
    from modelyard.client.connection import Connection
    from modelyard.core.version import Committed, Progress, RefInfo
    from modelyard.registry.commit import Request
    from modelyard.registry.data import DataName
    from modelyard.registry.files import Contents

__all__ = ["NONE", "RemoteDesk", "revision_in_path"]

NONE = "-"
"""A revision that is not given, in a path."""


class RemoteDesk:
    """`registry.desk.Desk` over HTTP."""

    def __init__(
        self, connection: Connection, author: str, cache: RangeCache | None, uploads: Path
    ) -> None:
        self.connection = connection
        self.author = author
        """Empty: as the server knows the account."""
        self.uploads = uploads
        self.index: Any = RemoteIndex(connection, self._layout)
        self.reader = RemoteReader.over(RemoteBackend(connection, self.index, cache), self.index)
        self.pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 8), "yard")

    def without_cache(self) -> RemoteDesk:
        """The same for what is kept elsewhere anyway."""
        other = copy.copy(self)
        other.reader = RemoteReader.over(RemoteBackend(self.connection, self.index), self.index)
        return other

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)
        self.connection.close()

    def contents(self, model: str, revision: str | int | None) -> reading.RemoteContents:
        name = ModelName.parse(model).text
        return reading.contents(self.connection, self.index, name, revision_in_path(revision))

    def branches_at(self, found: Contents) -> Sequence[str]:
        assert isinstance(found, reading.RemoteContents)
        return found.branches

    def branch_for(self, found: Contents, wanted: str | None) -> str:
        hint = "--branch NEW begins a new branch there"
        if wanted is None:
            tips = self.branches_at(found)
            if not tips:
                raise InvalidInput(
                    "not-a-tip", f"version {found.version.number} is the tip of no branch",
                    hint=hint,
                )  # fmt: skip
            return MAIN if MAIN in tips else min(tips)
        name = RefName.parse(wanted).text
        ref = next((ref for ref in self.refs(found.model.name) if ref.name == name), None)
        if ref is not None and ref.kind != "branch":
            raise Conflict(
                "not-a-branch", f"{name} is a {ref.kind} of {found.model.name}",
                hint="give a branch; yard log shows them",
            )  # fmt: skip
        if ref is not None and ref.number != found.version.number:
            raise InvalidInput(
                "not-a-tip", f"{name} is at version {ref.number}, not at {found.version.number}",
                hint=f"start from {name}, or name a new branch with --branch",
            )  # fmt: skip
        return name

    def refs(self, model: str) -> tuple[RefInfo, ...]:
        from modelyard.core.listed import Listed
        from modelyard.core.version import RefInfo

        name = ModelName.parse(model).text
        return self.connection.get(("models", name, "refs"), Listed[RefInfo]).items

    def commit(self, request: Request, report: Callable[[Progress], None]) -> Committed:
        from modelyard.client.sending import send_commit

        return send_commit(self, request, report)

    def keep_report(
        self,
        model: str,
        number: str | int | None,
        kind: str,
        content: Mapping[str, Any],
        *,
        data: DataName,
        suite: str = "",
        outcomes: Mapping[str, np.ndarray] | None = None,
    ) -> Report:
        check_content(content)
        named = {"name": data.name, "digest": data.digest} if data.name or data.digest else None
        body = {
            "revision": number, "kind": kind, "content": content, "data": named, "suite": suite,
        }  # fmt: skip
        path = ("models", ModelName.parse(model).text, "reports")
        if outcomes is None:
            return self.connection.post(path, Report, body)
        packed = encode_packed({**body, "outcomes": encode_outcomes(outcomes)})
        headers = {"content-type": "application/msgpack"}
        reply = self.connection.request("POST", path, content=packed, headers=headers)
        return reply.as_(Report)

    def keep_profile(
        self, info: ProfileInfo, body: bytes, readable: Callable[[bytes], bool] = bool
    ) -> ProfileInfo:
        path = ("models", info.model, "versions", str(info.number), "profile")
        content = encode_packed({"info": info, "body": body})
        headers = {"content-type": "application/msgpack"}
        reply = self.connection.request("PUT", path, content=content, headers=headers)
        return reply.as_(ProfileInfo)

    def _layout(self, model: str, number: int) -> Any:
        return reading.layout(self.connection, model, number)


def revision_in_path(revision: str | int | None) -> str:
    """A revision as a segment of a path. InvalidInput: `bad-revision`."""
    if revision is None:
        return NONE
    parse_revision(revision)
    return str(revision)
