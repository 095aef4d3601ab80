"""Opcodes that only move values: containers, memo, numbers, text and bytes."""

from __future__ import annotations

import codecs
from struct import Struct
from typing import TYPE_CHECKING

from modelyard.formats.pickles.values import OTHER, Blob, Call, Pairs, Value
from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.formats.pickles.machine import Machine

__all__ = ["TABLE", "pop_mark"]

_TEXT_LIMIT = 4096
_U2, _I4, _U4, _U8 = (Struct(code).unpack_from for code in ("<H", "<i", "<I", "<Q"))


# --- containers ----------------------------------------------------------------------------


def pop_mark(m: Machine) -> list[Value]:
    at = m.marks.pop()
    items = m.stack[at:]
    del m.stack[at:]
    m.held += len(items)
    return items


def _mark(m: Machine, pos: int) -> int:
    m.marks.append(len(m.stack))
    m.held += 1
    return pos


def _pop(m: Machine, pos: int) -> int:
    if m.marks and m.marks[-1] == len(m.stack):
        m.marks.pop()
    else:
        m.stack.pop()
    return pos


def _pop_to_mark(m: Machine, pos: int) -> int:
    pop_mark(m)
    return pos


def _dup(m: Machine, pos: int) -> int:
    m.stack.append(m.stack[-1])
    return pos


def _empty_tuple(m: Machine, pos: int) -> int:
    m.stack.append(())
    return pos


def _empty_list(m: Machine, pos: int) -> int:
    m.stack.append([])
    return pos


def _empty_dict(m: Machine, pos: int) -> int:
    m.stack.append(Pairs())
    return pos


def _tuple(m: Machine, pos: int) -> int:
    m.stack.append(tuple(pop_mark(m)))
    return pos


def _tuple1(m: Machine, pos: int) -> int:
    m.stack[-1] = (m.stack[-1],)
    m.held += 1
    return pos


def _tuple2(m: Machine, pos: int) -> int:
    last = m.stack.pop()
    m.stack[-1] = (m.stack[-1], last)
    m.held += 1
    return pos


def _tuple3(m: Machine, pos: int) -> int:
    last = m.stack.pop()
    middle = m.stack.pop()
    m.stack[-1] = (m.stack[-1], middle, last)
    m.held += 1
    return pos


def _list(m: Machine, pos: int) -> int:
    m.stack.append(pop_mark(m))
    return pos


def _dict(m: Machine, pos: int) -> int:
    m.stack.append(Pairs(pop_mark(m)))
    return pos


def _extend(target: Value, items: list[Value], pairs: type[list[Value]]) -> None:
    """Put items into what holds them: a container, or a call that will be one."""
    if target.__class__ is pairs:
        target.extend(items)
    elif target.__class__ is Call:
        if target.items is None:
            target.items = pairs()
        target.items.extend(items)


def _append(m: Machine, pos: int) -> int:
    item = m.stack.pop()
    m.held += 1
    _extend(m.stack[-1], [item], list)
    return pos


def _appends(m: Machine, pos: int) -> int:
    items = pop_mark(m)
    _extend(m.stack[-1], items, list)
    return pos


def _setitem(m: Machine, pos: int) -> int:
    value = m.stack.pop()
    key = m.stack.pop()
    m.held += 2
    _extend(m.stack[-1], [key, value], Pairs)
    return pos


def _setitems(m: Machine, pos: int) -> int:
    items = pop_mark(m)
    _extend(m.stack[-1], items, Pairs)
    return pos


def _frozenset(m: Machine, pos: int) -> int:
    pop_mark(m)
    m.stack.append(OTHER)
    return pos


# --- memo ----------------------------------------------------------------------------------


_MEMO_AHEAD = 1_000_000


def _put(m: Machine, pos: int) -> int:
    index, pos = m.line(pos)
    _remember(m, _number(index), pos)
    return pos


def _remember(m: Machine, index: int, pos: int) -> None:
    """Loaders make room up to the index; no writer gives one far beyond the bytes before it."""
    if index > m.source.start + m.base + pos + _MEMO_AHEAD:
        raise IndexError("an index of the memo is beyond all that was read")
    m.memo[index] = m.stack[-1]


def _get(m: Machine, pos: int) -> int:
    index, pos = m.line(pos)
    m.stack.append(m.memo[_number(index)])
    return pos


def _long_binput(m: Machine, pos: int) -> int:
    _remember(m, _U4(m.data, pos)[0], pos)
    return pos + 4


def _long_binget(m: Machine, pos: int) -> int:
    m.stack.append(m.memo[_U4(m.data, pos)[0]])
    return pos + 4


# --- numbers and constants -----------------------------------------------------------------


def _constant(value: Value, size: int = 0) -> Callable[[Machine, int], int]:
    def constant(m: Machine, pos: int) -> int:
        m.stack.append(value)
        return pos + size

    return constant


def _number(text: bytes) -> int:
    if not text.strip().lstrip(b"-").isdigit() or len(text) > 40:
        raise bad("bad-pickle", "a number is none")
    return int(text)


def _int_line(m: Machine, pos: int) -> int:
    text, pos = m.line(pos)
    text = text.strip().rstrip(b"Ll")
    m.stack.append(
        {b"00": False, b"01": True}.get(text) or _number(text) if len(text) < 40 else OTHER
    )
    return pos


def _float_line(m: Machine, pos: int) -> int:
    _, pos = m.line(pos)
    m.stack.append(OTHER)
    return pos


def _binint(m: Machine, pos: int) -> int:
    m.stack.append(_I4(m.data, pos)[0])
    return pos + 4


def _binint2(m: Machine, pos: int) -> int:
    m.stack.append(_U2(m.data, pos)[0])
    return pos + 2


def _long1(m: Machine, pos: int) -> int:
    end = pos + 1 + m.data[pos]
    m.stack.append(int.from_bytes(m.data[pos + 1 : end], "little", signed=True))
    return end


def _long4(m: Machine, pos: int) -> int:
    count = _I4(m.data, pos)[0]
    if count < 0:
        raise bad("bad-pickle", "a number has a negative length")
    m.stack.append(OTHER)
    return m.jump(pos + 4 + count)


# --- text and bytes ------------------------------------------------------------------------


def _text(m: Machine, pos: int, count: int) -> int:
    if count > _TEXT_LIMIT:
        return _blob(m, pos, count)
    pos = m.need(pos, count)
    m.stack.append(m.data[pos : pos + count])
    return pos + count


def _blob(m: Machine, pos: int, count: int) -> int:
    start = m.source.start + m.base + pos
    m.stack.append(Blob(start, start + count))
    return m.jump(pos + count)


def _sized(
    size: int, unpack: Callable[..., tuple[int, ...]], then: Callable[[Machine, int, int], int]
) -> Callable[[Machine, int], int]:
    def sized(m: Machine, pos: int) -> int:
        count = unpack(m.data, pos)[0]
        if count < 0:
            raise bad("bad-pickle", "a block has a negative length")
        return then(m, pos + size, count)

    return sized


def _u1(data: bytes, pos: int) -> tuple[int]:
    return (data[pos],)


def _string_line(m: Machine, pos: int) -> int:
    text, pos = m.line(pos)
    text = text.strip()
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        raise bad("bad-pickle", "a text has no quotes")
    inner = text[1:-1]
    m.stack.append(codecs.escape_decode(inner)[0] if b"\\" in inner else inner)
    return pos


def _unicode_line(m: Machine, pos: int) -> int:
    text, pos = m.line(pos)
    if b"\\" in text:
        text = text.decode("raw-unicode-escape").encode("utf-8", "surrogatepass")
    m.stack.append(text)
    return pos


TABLE: dict[bytes, Callable[[Machine, int], int]] = {
    b"(": _mark, b"0": _pop, b"1": _pop_to_mark, b"2": _dup,
    b"F": _float_line, b"I": _int_line, b"J": _binint, b"M": _binint2, b"L": _int_line,
    b"N": _constant(None), b"S": _string_line, b"T": _sized(4, _I4, _text),
    b"U": _sized(1, _u1, _text), b"V": _unicode_line, b"X": _sized(4, _U4, _text),
    b"a": _append, b"d": _dict, b"}": _empty_dict, b"e": _appends, b"g": _get,
    b"j": _long_binget, b"l": _list, b"]": _empty_list,
    b"p": _put, b"r": _long_binput, b"s": _setitem, b"t": _tuple, b")": _empty_tuple,
    b"u": _setitems, b"G": _constant(OTHER, 8), b"\x85": _tuple1, b"\x86": _tuple2,
    b"\x87": _tuple3, b"\x88": _constant(True), b"\x89": _constant(False), b"\x8a": _long1,
    b"\x8b": _long4, b"B": _sized(4, _U4, _blob), b"C": _sized(1, _u1, _blob),
    b"\x8d": _sized(8, _U8, _text), b"\x8e": _sized(8, _U8, _blob),
    b"\x8f": _constant(OTHER), b"\x90": _pop_to_mark, b"\x91": _frozenset,
    b"\x96": _sized(8, _U8, _blob), b"\x97": _constant(OTHER),
}  # fmt: skip
"""Handlers by opcode."""
