"""The opcodes of pickle protocols 0 to 5: what each does to the simulated stack.

A handler gets the machine and the place behind its opcode in the window, and gives the place of
the next opcode; STOP gives it negated.
"""

from __future__ import annotations

import codecs
from struct import Struct
from typing import TYPE_CHECKING

from modelyard.formats.pickles.dtypes import dtype_of
from modelyard.formats.pickles.roles import role_of
from modelyard.formats.pickles.source import Spent
from modelyard.formats.pickles.values import OTHER, Blob, Call, Global, Pairs, Persistent, Value
from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.formats.pickles.machine import Machine

__all__ = ["HANDLERS"]

_TEXT_LIMIT = 4096
_U2, _I4, _U4, _U8 = (Struct(code).unpack_from for code in ("<H", "<i", "<I", "<Q"))


# --- names ---------------------------------------------------------------------------------


def _imported(m: Machine, module: Value, name: Value, pos: int) -> Value:
    if module.__class__ is not bytes or name.__class__ is not bytes:
        m.computed.append(m.source.start + m.base + pos)
        return OTHER
    key = (module, name)
    found = m.globals.get(key)
    if found is None:
        dotted = f"{module.decode('utf-8', 'replace')}.{name.decode('utf-8', 'replace')}"
        found = Global(dotted, m.source.start + m.base + pos - 1, role_of(dotted))
        m.globals[key] = found
    return found


def _stack_global(m: Machine, pos: int) -> int:
    name = m.stack.pop()
    m.stack[-1] = _imported(m, m.stack[-1], name, pos)
    return pos


def _global(m: Machine, pos: int) -> int:
    module, pos = m.line(pos)
    name, pos = m.line(pos)
    m.stack.append(_imported(m, module, name, pos))
    return pos


def _inst(m: Machine, pos: int) -> int:
    module, pos = m.line(pos)
    name, pos = m.line(pos)
    args = tuple(_pop_mark(m))
    m.stack.append(Call(_imported(m, module, name, pos), args))
    return pos


def _extension(size: int) -> Callable[[Machine, int], int]:
    def extension(m: Machine, pos: int) -> int:
        m.extensions.append(m.source.start + m.base + pos - 1)
        m.stack.append(OTHER)
        return pos + size

    return extension


# --- calls ---------------------------------------------------------------------------------


def _reduce(m: Machine, pos: int) -> int:
    args = m.stack.pop()
    func = m.stack[-1]
    call = m.stack[-1] = Call(func, args)
    m.held += 1
    if func.__class__ is Global and func.role:
        m.arrays.append(call)
    return pos


def _newobj_ex(m: Machine, pos: int) -> int:
    m.stack.pop()
    return _reduce(m, pos)


def _obj(m: Machine, pos: int) -> int:
    items = _pop_mark(m)
    m.stack.append(Call(items[0], tuple(items[1:])))
    return pos


def _build(m: Machine, pos: int) -> int:
    state = m.stack.pop()
    target = m.stack[-1]
    if target.__class__ is Call:
        target.state = state
        target.known = None
        func = target.func
        if func.__class__ is Global and func.role:
            if func.role == "wrapper":
                return _joblib_array(m, target, pos)
            if func.role == "reconstructor" and target.args and target.args.__class__ is tuple:
                first = target.args[0]
                if first.__class__ is Global and first.role == "wrapper":
                    return _joblib_array(m, target, pos)
    return pos


def _joblib_array(m: Machine, wrapper: Call, pos: int) -> int:
    """Joblib writes the bytes of an array, or a pickle of its objects, behind the wrapper."""
    state = wrapper.state
    shape = state.get(b"shape") if state.__class__ is Pairs else None
    dtype = dtype_of(state.get(b"dtype")) if state.__class__ is Pairs else None
    if dtype is None or shape.__class__ is not tuple:
        raise Spent("an array of joblib has a dtype or shape that isn't understood")
    if dtype.has_objects:
        m.enter()
        return pos
    count = dtype.itemsize
    for side in shape:
        if side.__class__ is not int or side < 0:
            raise bad("bad-pickle", "an array of joblib has an impossible shape")
        count *= side
    if state.get(b"numpy_array_alignment_bytes") is None:
        m.legacy_joblib.append(m.source.start + m.base + pos)
    else:
        pos = m.need(pos, 1)
        padding = m.data[pos]
        if padding > 0x20:
            # Up to here no byte is an opcode: plain pickle loaders stop, joblib's goes on.
            raise bad("bad-pickle", "the padding before an array of joblib is impossible")
        pos += 1 + padding
    start = m.source.start + m.base + pos
    if m.source.size is not None and start + count > m.source.start + m.source.size:
        raise bad("bad-pickle", "an array of joblib is longer than the file")
    wrapper.place = (start, start + count)
    m.arrays.append(wrapper)
    return m.jump(pos + count)


def _persid(m: Machine, pos: int) -> int:
    pid, pos = m.line(pos)
    m.stack.append(Persistent(pid))
    return pos


def _binpersid(m: Machine, pos: int) -> int:
    found = m.stack[-1] = Persistent(m.stack[-1])
    m.persistent.append(found)
    return pos


# --- containers ----------------------------------------------------------------------------


def _pop_mark(m: Machine) -> list[Value]:
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
    _pop_mark(m)
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
    m.stack.append(tuple(_pop_mark(m)))
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
    m.stack.append(_pop_mark(m))
    return pos


def _dict(m: Machine, pos: int) -> int:
    m.stack.append(Pairs(_pop_mark(m)))
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
    items = _pop_mark(m)
    _extend(m.stack[-1], items, list)
    return pos


def _setitem(m: Machine, pos: int) -> int:
    value = m.stack.pop()
    key = m.stack.pop()
    m.held += 2
    _extend(m.stack[-1], [key, value], Pairs)
    return pos


def _setitems(m: Machine, pos: int) -> int:
    items = _pop_mark(m)
    _extend(m.stack[-1], items, Pairs)
    return pos


def _frozenset(m: Machine, pos: int) -> int:
    _pop_mark(m)
    m.stack.append(OTHER)
    return pos


# --- memo ----------------------------------------------------------------------------------


def _put(m: Machine, pos: int) -> int:
    index, pos = m.line(pos)
    m.memo[_number(index)] = m.stack[-1]
    return pos


def _get(m: Machine, pos: int) -> int:
    index, pos = m.line(pos)
    m.stack.append(m.memo[_number(index)])
    return pos


def _long_binput(m: Machine, pos: int) -> int:
    m.memo[_U4(m.data, pos)[0]] = m.stack[-1]
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


# --- the stream ----------------------------------------------------------------------------


def _protocol(m: Machine, pos: int) -> int:
    if m.data[pos] > 5:
        raise bad("bad-pickle", f"there is no pickle protocol {m.data[pos]}")
    return pos + 1


def _frame(m: Machine, pos: int) -> int:
    count = _U8(m.data, pos)[0]
    size = m.source.size
    if size is not None and m.base + pos + 8 + count > size:
        raise bad("bad-pickle", "a frame is longer than the file")
    return pos + 8


def _stop(m: Machine, pos: int) -> int:
    if m.frames:
        m.leave()
        return pos
    return -pos


def _unchanged(_m: Machine, pos: int) -> int:
    return pos


def _unknown(m: Machine, pos: int) -> int:
    raise bad("bad-pickle", f"byte {m.source.start + m.base + pos - 1} is no opcode")


_TABLE: dict[bytes, Callable[[Machine, int], int]] = {
    b"(": _mark, b".": _stop, b"0": _pop, b"1": _pop_to_mark, b"2": _dup,
    b"F": _float_line, b"I": _int_line, b"J": _binint, b"M": _binint2, b"L": _int_line,
    b"N": _constant(None), b"P": _persid, b"Q": _binpersid, b"R": _reduce,
    b"S": _string_line, b"T": _sized(4, _I4, _text), b"U": _sized(1, _u1, _text),
    b"V": _unicode_line, b"X": _sized(4, _U4, _text), b"a": _append, b"b": _build,
    b"c": _global, b"d": _dict, b"}": _empty_dict, b"e": _appends, b"g": _get,
    b"i": _inst, b"j": _long_binget, b"l": _list, b"]": _empty_list, b"o": _obj,
    b"p": _put, b"r": _long_binput, b"s": _setitem, b"t": _tuple, b")": _empty_tuple,
    b"u": _setitems, b"G": _constant(OTHER, 8), b"\x80": _protocol, b"\x81": _reduce,
    b"\x82": _extension(1), b"\x83": _extension(2), b"\x84": _extension(4),
    b"\x85": _tuple1, b"\x86": _tuple2, b"\x87": _tuple3, b"\x88": _constant(True),
    b"\x89": _constant(False), b"\x8a": _long1, b"\x8b": _long4, b"B": _sized(4, _U4, _blob),
    b"C": _sized(1, _u1, _blob), b"\x8d": _sized(8, _U8, _text), b"\x8e": _sized(8, _U8, _blob),
    b"\x8f": _constant(OTHER), b"\x90": _pop_to_mark, b"\x91": _frozenset,
    b"\x92": _newobj_ex, b"\x93": _stack_global, b"\x95": _frame,
    b"\x96": _sized(8, _U8, _blob), b"\x97": _constant(OTHER), b"\x98": _unchanged,
}  # fmt: skip

HANDLERS = [_TABLE.get(bytes((code,)), _unknown) for code in range(256)]
"""By opcode. The five that `Machine` writes out are missing on purpose."""
