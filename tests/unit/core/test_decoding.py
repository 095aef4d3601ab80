"""Many threads may decode a class for the first time at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src" / "modelyard"

RACE = """
import sys, threading
import msgspec
from modelyard.core.decoding import converted, decode_json, decode_packed

sys.setswitchinterval(1e-6)
for turn in range(60):
    fields = "".join(f"    f{i}: Annotated[list[int] | None, msgspec.Meta(max_length=9)] = None\\n"
                     for i in range(40))
    space = {}
    exec(f'''
import msgspec
from dataclasses import dataclass
from typing import Annotated
HEAD
class Inner BASE:
{fields}
HEAD
class Outer BASE:
    one: list[Inner]
    other: dict[str, Inner]
''', space)
    plain = {"one": [{"f39": [1]}], "other": {"x": {"f38": [1]}}}
    start = threading.Barrier(4)
    works = [
        lambda: decode_packed(msgspec.msgpack.encode(plain), space["Outer"]),
        lambda: decode_json(msgspec.json.encode(plain), space["Outer"]),
        lambda: converted(plain, space["Outer"]),
        lambda: decode_packed(msgspec.msgpack.encode(plain["one"][0]), space["Inner"]),
    ]

    def run(work):
        start.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("alive")
"""


@pytest.mark.parametrize(
    ("head", "base"), [("", "(msgspec.Struct)"), ("@dataclass(frozen=True, slots=True)", "")]
)
def test_threads_that_meet_a_class_for_the_first_time_do_not_crash(head: str, base: str) -> None:
    program = RACE.replace("HEAD", head).replace("BASE", base)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_nobody_else_names_a_class_to_msgspec() -> None:
    forbidden = re.compile(r"msgspec\.(?:(?:json|msgpack)\.Decoder|convert)\(|\.decode\([^)]*type=")
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if forbidden.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"core/decoding.py"}
