"""The opcodes of pickle protocols 0 to 5: what each does to the simulated stack.

A handler gets the machine and the place behind its opcode in the window, and gives the place of
the next opcode; STOP gives it negated.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from modelyard.formats.pickles.dtypes import dtype_of
from modelyard.formats.pickles.roles import role_of
from modelyard.formats.pickles.source import Spent
from modelyard.formats.pickles.stacking import TABLE, pop_mark
from modelyard.formats.pickles.values import OTHER, Call, Global, Pairs, Persistent, Value
from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.formats.pickles.machine import Machine

__all__ = ["HANDLERS"]

_U8 = Struct("<Q").unpack_from


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
    args = tuple(pop_mark(m))
    m.calls += 1
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
    m.calls += 1
    if func.__class__ is not Global:
        # Even an instance of an allowed class may be callable: then anything may follow.
        m.computed_calls.append(m.source.start + m.base + pos - 1)
    elif func.role:
        m.arrays.append(call)
    return pos


def _newobj_ex(m: Machine, pos: int) -> int:
    m.stack.pop()
    return _reduce(m, pos)


def _obj(m: Machine, pos: int) -> int:
    items = pop_mark(m)
    m.calls += 1
    if items[0].__class__ is not Global:
        m.computed_calls.append(m.source.start + m.base + pos - 1)
    m.stack.append(Call(items[0], tuple(items[1:])))
    return pos


def _build(m: Machine, pos: int) -> int:
    state = m.stack.pop()
    target = m.stack[-1]
    if target.__class__ is Global:  # would set attributes of a class or function, for everybody
        m.computed_calls.append(m.source.start + m.base + pos - 1)
    elif target.__class__ is Call:
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


_TABLE: dict[bytes, Callable[[Machine, int], int]] = TABLE | {
    b".": _stop, b"P": _persid, b"Q": _binpersid, b"R": _reduce, b"b": _build, b"c": _global,
    b"i": _inst, b"o": _obj, b"\x80": _protocol, b"\x81": _reduce, b"\x82": _extension(1),
    b"\x83": _extension(2), b"\x84": _extension(4), b"\x92": _newobj_ex,
    b"\x93": _stack_global, b"\x95": _frame, b"\x98": _unchanged,
}  # fmt: skip

HANDLERS = [_TABLE.get(bytes((code,)), _unknown) for code in range(256)]
"""By opcode. The five that `Machine` writes out are missing on purpose."""
