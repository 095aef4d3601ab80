"""ZipNN on one file: push FILE DEST DTYPE | pull FILE DEST DTYPE."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from zipnn import ZipNN


def push(file: str, dest: str, dtype: str) -> None:
    zipper = ZipNN(input_format="byte", bytearray_dtype=dtype, threads=os.cpu_count() or 1)
    Path(dest).write_bytes(zipper.compress(Path(file).read_bytes()))


def pull(file: str, dest: str, dtype: str) -> None:
    zipper = ZipNN(input_format="byte", bytearray_dtype=dtype, threads=os.cpu_count() or 1)
    Path(dest).write_bytes(zipper.decompress(Path(file).read_bytes()))


start = time.perf_counter()
{"push": push, "pull": pull}[sys.argv[1]](*sys.argv[2:])
print(json.dumps({"inside": time.perf_counter() - start}))
