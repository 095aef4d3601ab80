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
    made = modelyard.open(folder).model(MODEL).commit(file, message="b")
    return {"number": getattr(made, "number", None)}


def pull(folder: str, number: str, dest: str) -> dict[str, object]:
    modelyard.open(folder).model(MODEL)[int(number)].checkout(dest)
    return {}


imported = time.perf_counter()
said = {"init": init, "push": push, "pull": pull}[sys.argv[1]](*sys.argv[2:])
end = time.perf_counter()
print(json.dumps({"inside": end - imported, "import": imported - start, **said}))
