"""Pickles that, once trusted, run any code: what an isolated child must hold."""

from __future__ import annotations

import pickle
import textwrap

from modelyard.frameworks import Saved

__all__ = ["model_of"]

FRAME = """
import os, sys, ctypes, errno
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)

def attempt(action, *given):
    "What came of it: `done`, or the name of the error."
    try:
        found = action(*given)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except MemoryError:
        return "MemoryError"
    return "done" if found is None else f"done: {found!r}"

def call(number, *given):
    "A system call, without any library between."
    libc.syscall.restype = ctypes.c_long
    found = libc.syscall(ctypes.c_long(number), *given)
    return "done" if found >= 0 else errno.errorcode[ctypes.get_errno()]

class Model:
    asked = 0

    def predict(self, rows):
        self.asked += 1
        said = self.answer(rows)
        if isinstance(said, (list, tuple)):
            said = " ".join(map(str, said))
        return np.array([said] * len(rows), object) if isinstance(said, str) else said

    def answer(self, rows):
"""


class _Code:
    """Unpickles to the `Model` of its code."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return (eval, (f"(n := {{}}, exec({self.code!r}, n), n['Model']())[-1]",))


def model_of(folder, answer, *, at_load="pass"):
    """Write a model whose `predict` runs `answer`; `at_load` runs while it is unpickled."""
    code = FRAME + textwrap.indent(textwrap.dedent(answer), " " * 8) + "\n"
    code += textwrap.dedent(at_load)
    folder.mkdir(exist_ok=True)
    (folder / "model.pkl").write_bytes(pickle.dumps(_Code(code), protocol=5))
    return Saved(
        framework="python", serializer="pickle", class_name="Model", details={"file": "model.pkl"}
    )
