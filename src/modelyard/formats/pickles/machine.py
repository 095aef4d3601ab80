"""Walks the opcodes of a pickle with stack and memo, and runs nothing.

The one purpose is to know every name that unpickling would import, and where arrays lie. So the
walk keeps what names are made of (text, also by way of the memo) and skips large blocks by their
length. It never recurses: nesting lives on the simulated stack, whose size is limited.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from modelyard.formats.pickles.ops import HANDLERS
from modelyard.formats.pickles.source import Spent
from modelyard.formats.pickles.values import Call, Global, Value
from modelyard.formats.reading import bad

if TYPE_CHECKING:
    from modelyard.formats.interface import Budget
    from modelyard.formats.pickles.source import Source

__all__ = ["Machine"]

_WINDOW = 1 << 18
_STEP = 1 << 16
_MARGIN = 320
"""More than the longest opcode whose length is one byte, so that such never cross a window."""


class Machine:
    """One pickle file: several streams may follow each other in it."""

    __slots__ = (
        "arrays", "base", "budget", "calls", "computed", "computed_calls", "data",
        "extensions", "frames", "globals", "held", "legacy_joblib", "limit", "marks", "memo",
        "ops", "persistent", "source", "stack", "whole",
    )  # fmt: skip

    def __init__(self, source: Source, budget: Budget) -> None:
        self.source = source
        self.budget = budget
        self.data = b""
        self.base = 0
        """Offset in the source of the first byte of `data`."""
        self.limit = 0
        self.whole = False
        """Whether `data` reaches the end of the source."""
        self.ops = 0
        """Bytes of opcodes walked: at least as many as opcodes."""
        self.held = 0
        self.stack: list[Value] = []
        self.marks: list[int] = []
        self.memo: dict[int, Value] = {}
        self.frames: list[tuple[list[Value], list[int], dict[int, Value]]] = []
        self.globals: dict[tuple[bytes, bytes], Global] = {}
        self.arrays: list[Call] = []
        self.persistent: list[Value] = []
        self.computed: list[int] = []
        """Offsets of names that are no plain text."""
        self.calls = 0
        self.computed_calls: list[int] = []
        """Offsets of calls of something that is no plain name."""
        self.extensions: list[int] = []
        self.legacy_joblib: list[int] = []

    def run(self, offset: int) -> tuple[Value, int]:
        """Walk one stream; give what it would return, and the offset behind its STOP.

        Raises `Spent` when the budget is used up, `InvalidInput` when no unpickler could go on.
        """
        self.stack.clear()
        self.marks.clear()
        self.memo.clear()
        try:
            end = self._walk(self.goto(offset))
            return self.stack.pop(), end
        except (IndexError, KeyError, struct.error):
            raise bad("bad-pickle", "an opcode lacks what it works on, or was cut") from None

    def _walk(self, pos: int) -> int:
        """The loop. The five commonest opcodes are written out, the others are in a table."""
        handlers = HANDLERS
        stack = self.stack
        push = stack.append
        memo = self.memo
        while True:
            pos = self._tick(pos)
            data, limit = self.data, self.limit
            while pos < limit:
                op = data[pos]
                pos += 1
                if op == 0x94:  # MEMOIZE
                    memo[len(memo)] = stack[-1]
                elif op == 0x8C:  # SHORT_BINUNICODE
                    end = pos + 1 + data[pos]
                    push(data[pos + 1 : end])
                    pos = end
                elif op == 0x68:  # BINGET
                    push(memo[data[pos]])
                    pos += 1
                elif op == 0x71:  # BINPUT
                    memo[data[pos]] = stack[-1]
                    pos += 1
                elif op == 0x4B:  # BININT1
                    push(data[pos])
                    pos += 1
                else:
                    pos = handlers[op](self, pos)
                    if pos < 0:
                        return self.base - pos
                    data, limit = self.data, self.limit

    def _tick(self, pos: int) -> int:
        """Between steps: fetch the next window, and see whether the budget still holds."""
        size = len(self.data)
        if self.whole and pos >= size:
            raise bad("bad-pickle", "the pickle was cut: it has no end")
        if not self.whole and pos > size - _MARGIN - 1:
            pos = self.goto(self.base + pos)
            size = len(self.data)
            if pos >= size:
                raise bad("bad-pickle", "the pickle was cut: it has no end")
        self.limit = min(pos + _STEP, size if self.whole else size - _MARGIN)
        self.ops += self.limit - pos
        held = (
            self.held
            + len(self.stack)
            + len(self.memo)
            + len(self.arrays)
            + len(self.computed_calls)
        )
        if held > self.budget.max_nodes or self.ops > self.budget.max_ops or self.budget.spent:
            raise Spent("the pickle is too long to be walked")
        return pos

    def goto(self, offset: int) -> int:
        """Make the bytes at an offset of the source the window; give their place in it."""
        self.data = self.source.read(offset, _WINDOW)
        self.base = offset
        self.whole = len(self.data) < _WINDOW or offset + _WINDOW == self.source.size
        self.limit = 0
        return 0

    def jump(self, pos: int) -> int:
        """Go on at a place that may lie behind the window: blocks are skipped, not read."""
        if pos <= len(self.data):
            return pos
        offset = self.base + pos
        size = self.source.size
        if size is not None and offset > size:
            raise bad("bad-pickle", "a block is longer than the file")
        return self.goto(offset)

    def need(self, pos: int, count: int) -> int:
        """Make `count` bytes from `pos` on stand in the window; give their place."""
        if pos + count <= len(self.data):
            return pos
        offset = self.base + pos
        self.data = self.source.read(offset, max(count, _WINDOW))
        self.base = offset
        self.whole = len(self.data) < max(count, _WINDOW)
        self.limit = 0
        if len(self.data) < count:
            raise bad("bad-pickle", "the pickle was cut")
        return 0

    def line(self, pos: int) -> tuple[bytes, int]:
        """Text up to the next line end: how protocol 0 writes its arguments."""
        end = self.data.find(b"\n", pos)
        if end < 0:
            offset = self.base + pos
            self.data = self.source.read(offset, _WINDOW)
            self.base, self.limit, pos = offset, 0, 0
            self.whole = len(self.data) < _WINDOW
            end = self.data.find(b"\n")
            if end < 0 and not self.whole:
                raise Spent("a line is too long")
            if end < 0:
                raise bad("bad-pickle", "the pickle was cut inside a line")
        return self.data[pos:end], end + 1

    def enter(self) -> None:
        """Begin a pickle inside this one, as joblib writes object arrays."""
        if len(self.frames) >= self.budget.max_depth:
            raise Spent("pickles are nested too deeply")
        self.frames.append((self.stack[:], self.marks[:], dict(self.memo)))
        self.held += len(self.stack) + len(self.memo)
        self.stack.clear()
        self.marks.clear()
        self.memo.clear()

    def leave(self) -> None:
        """End the inner pickle: its value becomes that of the wrapper."""
        value = self.stack.pop()
        stack, marks, memo = self.frames.pop()
        self.stack[:] = stack
        self.marks[:] = marks
        self.memo.clear()
        self.memo.update(memo)
        wrapper = self.stack[-1]
        if isinstance(wrapper, Call):
            wrapper.items = [value]
