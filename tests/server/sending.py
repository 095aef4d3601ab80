"""A client of the transfer protocol in a few lines, written by its specification."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import blake3
import numpy as np

from modelyard.core.digest import ChunkId
from modelyard.core.transferring import (
    COMMIT_TYPE,
    Frame,
    GivenFile,
    Header,
    Layout,
    Missing,
    Question,
    Receipt,
    Stored,
    decode_packed,
    encode_commit,
    encode_frame,
    encode_packed,
    is_set,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2

__all__ = ["Sender", "body_of", "chunk", "cut", "random_file"]


def random_file(size: int) -> bytes:
    """Bytes that nobody ever sent before."""
    return np.random.default_rng(list(os.urandom(16))).bytes(size)


def chunk(content: bytes, **said: Any) -> Frame:
    return Frame(ChunkId(blake3.blake3(content).digest()), content, **said)


def cut(content: bytes, size: int = 1 << 20) -> list[Frame]:
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    return [chunk(piece, is_first=i == 0) for i, piece in enumerate(pieces)]


def body_of(frames: Sequence[Frame]) -> bytes:
    return b"".join(part for frame in frames for part in encode_frame(frame))


@dataclass
class Sender:
    """Somebody who sends to a model."""

    client: httpx2.Client
    model: str
    session: str = field(default_factory=lambda: os.urandom(16).hex())
    have: list[Receipt] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"/api/v1/models/{quote(self.model, safe='')}"

    def wanted(self, frames: Sequence[Frame], **said: Any) -> list[bool]:
        question = Question(
            names=b"".join(f.name for f in frames), session=self.session, have=self.have, **said
        )
        answer = self.client.post(f"{self.place}/chunks/missing", content=encode_packed(question))
        assert answer.status_code == 200, answer.text
        bits = decode_packed(answer.content, Missing).wanted
        return [is_set(bits, i) for i in range(len(frames))]

    def send(self, frames: Sequence[Frame], part: int = 0, **query: Any) -> Stored:
        answer = self.post_part(body_of(frames), part, **query)
        assert answer.status_code == 200, answer.text
        stored = decode_packed(answer.content, Stored)
        self.have.append(Receipt(b"".join(f.name for f in frames), stored.receipt))
        return stored

    def post_part(self, body: bytes, part: int = 0, **query: Any) -> httpx2.Response:
        said = {"session": self.session, "part": str(part), **query}
        return self.client.post(f"{self.place}/chunks", params=said, content=body)

    def commit(
        self, files: dict[str, bytes | list[Frame]], riding: Sequence[Frame] = (), **said: Any
    ) -> httpx2.Response:
        given = [
            GivenFile(path=path, inline=content)
            if isinstance(content, bytes)
            else GivenFile(path=path, chunks=[(f.name, len(f.content)) for f in content])
            for path, content in files.items()
        ]
        return self.post_commit(Header(files=given, **said), riding)

    def finish(self, files: dict[str, bytes | list[Frame]], **said: Any) -> httpx2.Response:
        """Commit what was sent in this session."""
        return self.commit(files, session=self.session, have=self.have, **said)

    def post_commit(self, header: Header, riding: Sequence[Frame] = ()) -> httpx2.Response:
        body = b"".join(encode_commit(header, riding))
        said = {"content-type": COMMIT_TYPE}
        return self.client.post(f"{self.place}/commits", content=body, headers=said)

    def layout(self, number: int) -> Layout:
        answer = self.client.get(f"{self.place}/versions/{number}/layout")
        assert answer.status_code == 200, answer.text
        return decode_packed(answer.content, Layout)

    def encoded(self, number: int, etag: str, start: int, end: int) -> httpx2.Response:
        said = {"range": f"bytes={start}-{end - 1}", "if-match": f'"{etag}"'}
        return self.client.get(f"{self.place}/versions/{number}/encoded", headers=said)

    def file(self, number: int, path: str) -> bytes:
        """A file as it comes back: by its layout, decoded and checked."""
        from modelyard.store.codecs import decode, workspace
        from modelyard.store.ingest import decode_recipe

        listed = self.client.get(f"{self.place}/versions/{number}/contents").json()
        sha256 = next(f["sha256"] for f in listed["files"] if f["path"] == path)
        layout = self.layout(number)
        blob = next(b for b in layout.blobs if b.sha256.hex() == sha256)
        parts = decode_recipe(blob.recipe) if blob.recipe else [(blob.content, blob.size)]
        rows = {bytes(c.name): c for c in layout.chunks}

        def content(row: Any) -> np.ndarray:
            answer = self.encoded(number, layout.etag, row.start, row.start + row.length)
            assert answer.status_code == 206, answer.text
            base = content(layout.chunks[row.base]) if row.base >= 0 else None
            out = np.empty(row.size, np.uint8)
            decode(row.codec, memoryview(answer.content), base, out, workspace())
            assert blake3.blake3(out.data).digest() == row.name
            return out

        return b"".join(content(rows[bytes(name)]).tobytes() for name, _ in parts)
