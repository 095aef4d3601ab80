"""Commits to a server: small ones in one request, large ones cut, asked about, sent in parts."""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modelyard.client.parts import Parts
from modelyard.client.uploads import Upload
from modelyard.core.chunks import Kind
from modelyard.core.manifest import Manifest
from modelyard.core.merge import SYMLINK, is_hidden
from modelyard.core.names import MAIN
from modelyard.core.transferring import COMMIT_TYPE, Frame, GivenFile, Header, encode_commit
from modelyard.core.version import Committed, Progress
from modelyard.errors import Conflict, NotFound
from modelyard.formats import external_tensors, inspect
from modelyard.registry.blobs import ParentFiles, Plan
from modelyard.registry.commit import wanted_files
from modelyard.registry.given import OnDisk
from modelyard.registry.saving import is_card
from modelyard.store.pack import chunk_id
from modelyard.store.rooms import Rooms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from modelyard.client.desk import RemoteDesk
    from modelyard.client.reading import RemoteContents
    from modelyard.core.tensor import TensorInfo
    from modelyard.formats import Inspection
    from modelyard.registry.collect import LocalFile
    from modelyard.registry.commit import Request
    from modelyard.store.chunking import Segment

__all__ = ["send_commit"]

_ONE_REQUEST = 4 << 20
"""Bytes of a commit that is sent whole."""
_INLINE_FILE, _INLINE_ALL = 256 << 10, 16 << 20
_RUN, _RUN_CHUNKS = 4 << 20, 256
_WINDOW = 48 << 20
"""Bytes that are cut and named before the server is asked which of them it wants."""
_TRIES = 4


def send_commit(
    desk: RemoteDesk, request: Request, report: Callable[[Progress], None]
) -> Committed:
    """Files of this machine become the next version of a model on the server."""
    started = time.monotonic()
    files = wanted_files(request)
    done = _Sending(desk, request, files, report).run()
    return replace(done, seconds=round(time.monotonic() - started, 3))


class _Sending:
    """One commit."""

    def __init__(
        self,
        desk: RemoteDesk,
        request: Request,
        files: Sequence[LocalFile],
        report: Callable[[Progress], None],
    ) -> None:
        self.desk = desk
        self.request = request
        # ONNX files first: they tell where tensors lie in the files beside them
        self.files = sorted(files, key=lambda file: not file.path.endswith(".onnx"))
        self._report = report
        self._done = 0
        self._total = sum(file.status.st_size for file in files)
        self._external: dict[str, Sequence[TensorInfo]] = {}
        self._base: RemoteContents | None = None
        self._is_base_known = False
        self._rooms = Rooms(_WINDOW // _RUN)

    def run(self) -> Committed:
        inline, large = self._split()
        manifest = self.request.manifest
        header = Header(
            files=inline,
            message=self.request.message,
            branch=self.request.branch,
            parent=self.request.parent,
            keep=self._kept(),
            manifest=None if manifest == Manifest() else manifest.encode(),
            labels=dict(self.request.labels),
            kind=self.request.kind,
            scan=self.request.scan,
            author=self.request.author or None,
        )
        if not large:
            return self._commit(header)
        upload = Upload.of(
            self.desk.uploads, self.desk.connection.address.url, self.request.model.text,
            self.request.branch or MAIN, os.path.abspath(str(self.request.source)),
        )  # fmt: skip
        error: Conflict | None = None
        for _ in range(_TRIES):
            self._done = self._total - sum(file.status.st_size for file in large)
            given = self._send(large, upload)
            whole = Header(
                **{
                    name: getattr(header, name)
                    for name in header.__struct_fields__
                    if name not in ("files", "session", "have")
                },
                files=[*inline, *given], session=upload.session, have=upload.receipts,
            )  # fmt: skip
            try:
                done = self._commit(whole)
            except Conflict as missing:
                if missing.kind != "chunks-missing":
                    raise
                error = missing
                continue
            upload.done()
            return done
        assert error is not None
        raise error

    def _commit(self, header: Header) -> Committed:
        body = b"".join(encode_commit(header))
        reply = self.desk.connection.request(
            "POST", ("models", self.request.model.text, "commits"),
            content=body, headers={"content-type": COMMIT_TYPE},
        )  # fmt: skip
        self._report(Progress("store", self._total, self._total))
        return reply.as_(Committed)

    # -- files that ride in the header ------------------------------------------------------------

    def _split(self) -> tuple[list[GivenFile], list[LocalFile]]:
        """Small files with their bytes, and those that are cut."""
        whole = self._total <= _ONE_REQUEST
        inline: list[GivenFile] = []
        large: list[LocalFile] = []
        room = _INLINE_ALL
        for file in self.files:
            size = file.status.st_size
            fits = file.mode == SYMLINK or whole or size <= min(_INLINE_FILE, room)
            if not fits:
                large.append(file)
                continue
            content = OnDisk(file).content()
            room -= len(content)
            inline.append(GivenFile(path=file.path, mode=file.mode, inline=content))
            if file.path.endswith(".onnx") and file.mode != SYMLINK:
                self._note(file.path, inspect(io.BytesIO(content), file.path, scan=False))
        return inline, large

    def _kept(self) -> str | list[str] | None:
        """Which files of the parent stay, as the server is told."""
        keep = self.request.keep
        if keep is None:
            return "all" if self.request.only else None
        if keep is is_card:
            return "cards"
        base = self._based_on()
        return [] if base is None else [p for p in base.tree if not is_hidden(p) and keep(p)]

    def _based_on(self) -> RemoteContents | None:
        """The version that this one builds on, as far as we can tell: for hints only."""
        if not self._is_base_known:
            self._is_base_known = True
            request = self.request
            wished = [request.branch or MAIN, MAIN] if request.parent is None else [request.parent]
            for revision in wished:
                try:
                    self._base = self.desk.contents(request.model.text, revision)
                    break
                except NotFound:
                    continue
        return self._base

    def _note(self, path: str, inspection: Inspection) -> None:
        """Tensors that lie in other files are cut there."""
        folder = path.rpartition("/")[0]
        for other, infos in external_tensors(inspection).items():
            self._external[f"{folder}/{other}" if folder else other] = infos

    # -- files that are cut -----------------------------------------------------------------------

    def _send(self, files: Sequence[LocalFile], upload: Upload) -> list[GivenFile]:
        """Send what the server lacks; the files as lists of chunks."""
        base = self._based_on()
        rows = {}
        if base is not None:
            rows = {p: base.blob(e) for p, e in base.all_files.items() if e.inline is None}
        parent = ParentFiles(self.desk, rows)
        with Parts(self.desk, self.request, upload, self._count) as parts:
            given = [self._send_file(file, parent, parts) for file in files]
            parts.finish()
        return given

    def _send_file(self, file: LocalFile, parent: ParentFiles, parts: Parts) -> GivenFile:
        with file.opened() as opened:
            number = opened.fileno()
            before = os.fstat(number)
            plan = Plan(
                opened, file.path, before.st_size, parent, self._external.get(file.path, ()),
                self.request.scan, lambda start, end: os.pread(number, end - start, start),
            )  # fmt: skip
            chunks: list[tuple[bytes, int]] = []
            is_first = True
            for window in self._windows(number, plan):
                chunks += [(frame.name, len(frame.content)) for frame in window]
                if is_first and window:
                    window[0] = window[0]._replace(is_first=True)
                    is_first = False
                parts.put(window)
            after = os.fstat(number)
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise _changed()
            self._note(file.path, plan.inspection)
        return GivenFile(path=file.path, mode=file.mode, chunks=chunks)

    def _windows(self, number: int, plan: Plan) -> Iterator[list[Frame]]:
        """Named chunks, a window at a time; the next one is read while one is sent."""
        waiting: _Window | None = None
        window = _Window()
        try:
            for run in _runs(plan.segments()):
                window.futures.append(self.desk.pool.submit(_named, number, run, self._rooms))
                window.size += run[-1].end - run[0].start
                if window.size >= _WINDOW:
                    if waiting is not None:
                        yield waiting.frames()
                    waiting, window = window, _Window()
            for last in (waiting, window):
                if last is not None:
                    yield last.frames()
        finally:
            for each in (waiting, window):
                for future in each.futures if each is not None else ():
                    future.cancel()
                    if not future.cancelled():
                        future.exception()  # the file is closed after it

    def _count(self, size: int) -> None:
        self._done = min(self._done + size, self._total)
        self._report(Progress("store", self._done, self._total))


@dataclass(slots=True)
class _Window:
    futures: list[Future[list[Frame]]] = field(default_factory=list)
    size: int = 0

    def frames(self) -> list[Frame]:
        return [frame for future in self.futures for frame in future.result()]


def _runs(segments: Iterator[Segment]) -> Iterator[list[Segment]]:
    run: list[Segment] = []
    for segment in segments:
        if run and (segment.end - run[0].start > _RUN or len(run) == _RUN_CHUNKS):
            yield run
            run = []
        run.append(segment)
    if run:
        yield run


def _named(number: int, run: Sequence[Segment], rooms: Rooms) -> list[Frame]:
    """Read a stretch of a file, and name its chunks."""
    start, end = run[0].start, run[-1].end
    room = rooms.take(end - start)
    view, at = room.data, start
    while view:
        count = os.preadv(number, [view], at)
        if count == 0:
            raise _changed()
        view, at = view[count:], at + count
    content = room.data
    return [
        Frame(
            chunk_id(Kind.CONTENT, piece), piece, segment.width, segment.is_float, segment.base
        )
        for segment in run
        for piece in [content[segment.start - start : segment.end - start]]
    ]  # fmt: skip


def _changed() -> Conflict:
    return Conflict(
        "file-changed", "a file changed while it was read",
        hint="commit again when nothing writes to it",
    )  # fmt: skip
