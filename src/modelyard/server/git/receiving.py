"""git-receive-pack: what `git push` sends, and how it is told what became of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput
from modelyard.registry.git.pushing import Command
from modelyard.server.git.packets import FLUSH, Packets, framed, packet, said

if TYPE_CHECKING:
    from modelyard.registry.git.pushing import Pushed

__all__ = ["CAN", "Request", "report"]

CAN = b"report-status delete-refs side-band-64k quiet atomic ofs-delta"
_LINE = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]{1,400})(?:\0(.*))?\Z", re.DOTALL)
_MOST = 10_000


@dataclass(slots=True)
class Request:
    """What a push asks for."""

    commands: list[Command] = field(default_factory=list)
    can: frozenset[bytes] = frozenset()
    pack: memoryview = field(default_factory=lambda: memoryview(b""))

    @classmethod
    def read(cls, body: bytes) -> Request:
        """InvalidInput: `bad-packet`."""
        packets, asked = Packets(body), cls()
        while not packets.is_over and (line := packets.next()) is not None:
            if line.startswith(b"shallow "):
                continue  # what is missing is looked for among the model's own objects
            match = _LINE.match(line)
            if match is None or len(asked.commands) > _MOST:
                raise InvalidInput("bad-packet", "this is no request of git's")
            if match[4] is not None:
                asked.can = frozenset(match[4].split())
            asked.commands.append(
                Command(match[3].decode("utf-8", "replace"), _sha(match[1]), _sha(match[2]))
            )
        asked.pack = packets.rest
        return asked


def report(request: Request, done: Pushed) -> bytes:
    """The answer: a line for each ref, and words that git shows after `remote:`."""
    unpacked = "ok" if done.is_unpacked else "the pack was refused"
    lines = [packet(f"unpack {unpacked}\n".encode())]
    for command in request.commands:
        why = done.refused.get(command.ref)
        told = f"ok {command.ref}" if why is None else f"ng {command.ref} {_one_line(why)}"
        lines.append(packet(told.encode() + b"\n"))
    status = b"".join([*lines, FLUSH])
    if b"side-band-64k" not in request.can:
        return status if b"report-status" in request.can else b""
    words = b"".join(said(text) for text in done.words[:50])
    return words + b"".join(framed(1, [status])) + FLUSH


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:400]


def _sha(text: bytes) -> bytes | None:
    raw = bytes.fromhex(text.decode())
    return raw if any(raw) else None
