"""Xet's own client on a store in a folder: push STORE FILE NOTE | pull STORE NOTE DEST."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import hf_xet


def push(store: str, file: str, note: str) -> None:
    commit = hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}")
    upload = commit.start_upload_file(file)
    commit.wait_to_finish()
    told = upload.result().xet_info
    Path(note).write_text(json.dumps([told.hash, told.file_size]))


def pull(store: str, note: str, dest: str) -> None:
    group = hf_xet.XetSession().new_file_download_group(endpoint=f"local://{store}")
    group.start_download_file(hf_xet.XetFileInfo(*json.loads(Path(note).read_text())), dest)
    group.wait_to_finish()


start = time.perf_counter()
{"push": push, "pull": pull}[sys.argv[1]](*sys.argv[2:])
print(json.dumps({"inside": time.perf_counter() - start}))
