"""Chunks on their way: asked about, put together into parts, sent by several connections."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Self, TypeVar

from modelyard.client.failures import strange
from modelyard.core.transferring import (
    PACKED_TYPE,
    Missing,
    Question,
    Receipt,
    Stored,
    decode_packed,
    encode_frame,
    encode_packed,
    is_set,
)
from modelyard.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from modelyard.client.connection import Reply
    from modelyard.client.desk import RemoteDesk
    from modelyard.client.uploads import Upload
    from modelyard.core.transferring import Frame
    from modelyard.registry.commit import Request

__all__ = ["Parts"]

T = TypeVar("T")

_PART = 16 << 20
_PIECE = 512 << 10
_SENDERS = 3
_WAITING = 5
"""Parts that are in memory at once."""
_SENT_TYPE = "application/octet-stream"


class _Body:
    """Frames in pieces of a size that sockets like, as often as they are asked for."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames
        self.size = sum(len(part) for frame in frames for part in encode_frame(frame))

    def __iter__(self) -> Iterator[bytes]:
        waiting: list[bytes | memoryview] = []
        size = 0
        for frame in self._frames:
            waiting += encode_frame(frame)
            size += len(frame.content)
            if size >= _PIECE:
                yield b"".join(waiting)
                waiting, size = [], 0
        if waiting:
            yield b"".join(waiting)


class Parts:
    """Takes chunks in order; what the server lacks of them is there when `finish` returns."""

    def __init__(
        self,
        desk: RemoteDesk,
        request: Request,
        upload: Upload,
        count: Callable[[int], None],
    ) -> None:
        self._desk = desk
        self._request = request
        self._upload = upload
        self._count = count
        self._path = ("models", request.model.text, "chunks")
        self._asked: set[bytes] = set()
        self._frames: list[Frame] = []
        self._size = 0
        self._number = 0
        self._senders = ThreadPoolExecutor(_SENDERS, "send")
        self._room = threading.Semaphore(_WAITING)
        self._waiting: set[Future[None]] = set()
        self._counting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._senders.shutdown(cancel_futures=True)

    def put(self, frames: Sequence[Frame]) -> None:
        """Send those that the server wants."""
        fresh = []
        for frame in frames:
            if frame.name not in self._asked:
                self._asked.add(frame.name)
                fresh.append(frame)
        wanted = self._wanted(fresh) if fresh else b""
        kept = sum(len(frame.content) for frame in frames)
        for i, frame in enumerate(fresh):
            if is_set(wanted, i):
                kept -= len(frame.content)
                self._add(frame)
        self._tell(kept)

    def finish(self) -> None:
        """Wait until everything is durable on the server."""
        self._flush()
        for future in list(self._waiting):
            future.result()
        self._waiting.clear()

    def _wanted(self, frames: Sequence[Frame]) -> bytes:
        names = [frame.name for frame in frames]
        question = Question(
            names=b"".join(names),
            branch=self._request.branch,
            parent=self._request.parent,
            session=self._upload.session if self._upload.receipts else None,
            have=self._upload.receipts_for(names),
        )
        reply = self._desk.connection.request(
            "POST", (*self._path, "missing"),
            content=encode_packed(question), headers={"content-type": PACKED_TYPE}, key="",
        )  # fmt: skip
        return self._packed(reply, Missing).wanted

    def _add(self, frame: Frame) -> None:
        if self._size + len(frame.content) > _PART:
            self._flush()
        self._frames.append(frame)
        self._size += len(frame.content)

    def _flush(self) -> None:
        if not self._frames:
            return
        frames, self._frames, self._size = self._frames, [], 0
        self._room.acquire()
        done, self._waiting = wait(self._waiting, timeout=0)
        number, self._number = self._number, self._number + 1
        self._waiting.add(self._senders.submit(self._send, number, frames))
        for future in done:
            future.result()

    def _send(self, number: int, frames: Sequence[Frame]) -> None:
        try:
            body = _Body(frames)
            query = {
                "session": self._upload.session, "part": number,
                "branch": self._request.branch, "parent": self._request.parent,
            }  # fmt: skip
            reply = self._desk.connection.request(
                "POST", self._path, query=query, content=body,
                headers={"content-type": _SENT_TYPE, "content-length": str(body.size)}, key="",
            )  # fmt: skip
            stored = self._packed(reply, Stored)
            names = b"".join(frame.name for frame in frames)
            self._upload.add(Receipt(names, stored.receipt))
            self._tell(sum(len(frame.content) for frame in frames))
        finally:
            self._room.release()

    def _tell(self, size: int) -> None:
        with self._counting:
            self._count(size)

    def _packed(self, reply: Reply, cls: type[T]) -> T:
        try:
            return decode_packed(reply.content, cls)
        except InvalidInput:
            raise strange(self._desk.connection.address, "an answer can't be read") from None
