"""modelyard's SDK as a script uses it.

init YARD | push YARD FILE | pull YARD NUMBER DEST_FOLDER
"""

from __future__ import annotations

import json
import sys
import time

start = time.perf_counter()

import modelyard  # noqa: E402

MODEL = "bench/m"


def init(folder: str) -> dict[str, object]:
    modelyard.open(folder).close()
    return {}


def push(folder: str, file: str) -> dict[str, object]:
    model = modelyard.open(folder).model(MODEL)
    begin = time.perf_counter()
    made = model.commit(file, message="b")
    return {"number": made.number, "inside": time.perf_counter() - begin}


def pull(folder: str, number: str, dest: str) -> dict[str, object]:
    model = modelyard.open(folder).model(MODEL)
    begin = time.perf_counter()
    model[int(number)].checkout(dest)
    return {"inside": time.perf_counter() - begin}


said = {"init": init, "push": push, "pull": pull}[sys.argv[1]](*sys.argv[2:])
print(json.dumps({"process": time.perf_counter() - start, **said}))
