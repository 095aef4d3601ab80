"""Run as a program: puts objects into a database's store, from a process of its own."""

import os
import resource
import sys

from modelyard.store.mongodb import MongoBackend
from modelyard.store.sql import SqlBackend


def main(url: str, size: int, count: int) -> None:
    backend = MongoBackend(url) if url.startswith("mongodb") else SqlBackend(url)
    backend.put("warm", os.urandom(3 << 20))
    content = bytes(range(256)) * (size >> 8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("ready", flush=True)
    for _ in range(count):
        backend.put("big", content)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print((after - before) * 1024, flush=True)
    backend.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
