"""git-upload-pack: what `git clone` and `git fetch` ask for (protocol version 0, stateless).

A request tells what is wanted and what is there; the answer names what both have, and once the
client says `done`, or nothing is left to ask, brings the pack. See git's `gitprotocol-pack`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelyard.errors import InvalidInput, NotFound
from modelyard.registry.git.sending import Sending, ancestors, deepened
from modelyard.server.git.packets import FLUSH, Packets, framed, packet, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.git.refs import Known
    from modelyard.registry.house import House

__all__ = ["Question", "advertised", "answer"]

_CAN = (
    b"multi_ack multi_ack_detailed side-band side-band-64k ofs-delta thin-pack no-progress shallow"
    b" include-tag allow-tip-sha1-in-want allow-reachable-sha1-in-want"
)
_AGENT = b" agent=modelyard"
_SHA = re.compile(rb"[0-9a-f]{40}\Z")
_MOST = 200_000
"""Lines of one request."""


def advertised(known: Known, service: str, can: bytes | None = None) -> bytes:
    """A model's refs and what this server can do."""
    lines = [(name, sha) for name, sha in known.refs.items()]
    powers = can if can is not None else _CAN
    if can is None and known.head is not None:
        lines.insert(0, ("HEAD", known.refs[known.head]))
        powers += b" symref=HEAD:" + known.head.encode()
    out = [packet(b"# service=%b\n" % service.encode()), FLUSH]
    powers += _AGENT
    if not lines:
        lines = [("capabilities^{}", bytes(20))]
    for name, sha in lines:
        line = sha.hex().encode() + b" " + name.encode()
        out.append(packet(line + (b"\0" + powers if powers else b"") + b"\n"))
        powers = b""
    return b"".join([*out, FLUSH])


@dataclass(slots=True)
class Question:
    """One request of a client."""

    wants: list[bytes] = field(default_factory=list)
    can: frozenset[bytes] = frozenset()
    shallow: list[bytes] = field(default_factory=list)
    """Commits whose parents the client does not have."""
    depth: int = 0
    rounds: list[list[bytes]] = field(default_factory=list)
    """What the client has, as it told of it, up to each flush."""
    is_done: bool = False

    @classmethod
    def read(cls, body: bytes) -> Question:
        """InvalidInput: `bad-packet`; `unknown-want` for what is not understood."""
        asked, packets = cls(), Packets(body)
        count = 0
        while (line := packets.next()) is not None:
            asked._want(line)
            count += 1
            if count > _MOST:
                raise InvalidInput("bad-packet", "the request has too many lines")
        haves: list[bytes] = []
        while not packets.is_over and not asked.is_done:
            line = packets.next()
            if line is None:
                asked.rounds.append(haves)
                haves = []
            elif line == b"done":
                asked.is_done = True
            elif line.startswith(b"have "):
                haves.append(_sha(line[5:]))
                count += 1
            if count > _MOST:
                raise InvalidInput("bad-packet", "the request has too many lines")
        asked.rounds.append(haves)
        return asked

    def _want(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        if word == b"want":
            sha, _, can = rest.partition(b" ")
            if not self.wants:
                self.can = frozenset(can.split())
            self.wants.append(_sha(sha))
        elif word == b"shallow":
            self.shallow.append(_sha(rest))
        elif word == b"deepen" and rest.isdigit() and len(rest) < 12:
            self.depth = int(rest)
        else:
            raise InvalidInput("bad-packet", f"{line[:40]!r} is not understood here")


def answer(house: House, known: Known, asked: Question) -> Iterator[bytes]:
    """The answer, piece by piece. What is wrong is raised before the first piece."""
    _check(known, asked)
    if not asked.wants:
        return iter(())
    return _answer(house, known, asked)


def _check(known: Known, asked: Question) -> None:
    allowed = ancestors(known, known.refs.values())
    for sha in asked.wants:
        row = known.versions.get(sha)
        if row is None or (row.deleted and sha not in allowed):
            raise NotFound("no-version", f"{known.name} has no commit {sha.hex()}")


def _answer(house: House, known: Known, asked: Question) -> Iterator[bytes]:
    shallow = [sha for sha in asked.shallow if sha in known.versions]
    wanted: set[bytes] | None = None
    if asked.depth:
        wanted, ends = deepened(known, asked.wants, asked.depth)
        yield b"".join(
            [
                *(packet(b"shallow " + c.hex().encode()) for c in sorted(ends - set(shallow))),
                *(
                    packet(b"unshallow " + c.hex().encode())
                    for c in sorted((wanted & set(shallow)) - ends)
                ),
                FLUSH,
            ]
        )
        if not asked.is_done and not any(asked.rounds):
            return
    common = [sha for some in asked.rounds for sha in some if sha in known.versions]
    yield from _acknowledged(known, asked)
    if not asked.is_done:
        return
    if common and asked.can & {b"multi_ack", b"multi_ack_detailed"}:
        yield packet(b"ACK " + common[-1].hex().encode() + b"\n")
    elif not common:
        yield packet(b"NAK\n")
    there = ancestors(known, common, shallow)
    if wanted is None:
        wanted = ancestors(known, asked.wants, set(shallow) & there)
    yield from _pack(house, known, wanted, there, asked)


def _acknowledged(known: Known, asked: Question) -> Iterator[bytes]:
    detailed, multi = b"multi_ack_detailed" in asked.can, b"multi_ack" in asked.can
    common: list[bytes] = []
    for at, some in enumerate(asked.rounds):
        for sha in some:
            if sha not in known.versions:
                continue
            if detailed:
                yield packet(b"ACK %b common\n" % sha.hex().encode())
            elif multi:
                yield packet(b"ACK %b continue\n" % sha.hex().encode())
            elif not common:
                yield packet(b"ACK %b\n" % sha.hex().encode())
            common.append(sha)
        is_last = at == len(asked.rounds) - 1
        if is_last:
            return
        if common and detailed and _is_enough(known, asked, common):
            yield packet(b"ACK %b ready\n" % common[-1].hex().encode())
        if not common or multi or detailed:
            yield packet(b"NAK\n")


def _is_enough(known: Known, asked: Question, common: list[bytes]) -> bool:
    """Whether every wanted commit is made from one that the client has."""
    there = set(common)
    return all(not there.isdisjoint(ancestors(known, [sha])) for sha in asked.wants)


def _pack(
    house: House, known: Known, wanted: set[bytes], there: set[bytes], asked: Question
) -> Iterator[bytes]:
    sending = Sending(house, known, wanted, there)
    if not asked.can & {b"side-band", b"side-band-64k"}:
        yield from sending.pack(sending.names())
        return
    quiet = b"no-progress" in asked.can
    names = sending.names()
    if not quiet:
        count = sum(1 for name in names if name in known.versions)
        yield said(f"{count:,} versions, {len(names):,} objects")
    largest = 65515 if b"side-band-64k" in asked.can else 995
    yield from framed(1, _gathered(sending.pack(names)), largest)
    yield FLUSH


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Few large pieces instead of many small ones."""
    out = bytearray()
    for piece in pieces:
        out += piece
        if len(out) >= 65515:
            yield bytes(out)
            out.clear()
    if out:
        yield bytes(out)


def _sha(text: bytes) -> bytes:
    if _SHA.match(text) is None:
        raise InvalidInput("bad-packet", f"{text[:50]!r} is no name of a commit")
    return bytes.fromhex(text.decode())
