"""Several servers on one catalog of a database server and one store: nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.registry import create, open_yard

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalYard

pytestmark = pytest.mark.slow

_SERVERS = 4
_ROUNDS = 8

_PROGRAM = """
import json, sys
from pathlib import Path
from modelyard.errors import Conflict
from modelyard.registry import open_yard

yard, me, rounds = open_yard(sys.argv[1], author=sys.argv[2]), sys.argv[2], int(sys.argv[3])
place = Path(sys.argv[4])
place.mkdir()
print("ready", flush=True)
sys.stdin.readline()
for turn in range(rounds):
    mine = place / "weights.bin"
    # half of the content is everybody's: chunks and blobs are raced for
    mine.write_bytes(bytes(f"{turn % 4}" * 300_000, "ascii") + f"{me} {turn}".encode())
    (place / "common.bin").write_bytes(bytes(f"{turn}" * 200_000, "ascii"))
    for model in ("shared", f"own-{me}", f"round-{turn}"):
        done = yard.commit(model, place, message=f"{me} {turn}")
        print(json.dumps(["version", model, done.number, done.commit, me, turn]), flush=True)
    try:
        yard.alias("shared", "champion", "main")
        print(json.dumps(["alias"]), flush=True)
    except Conflict as error:
        assert error.kind == "ref-moved", error.kind
    yard.label("shared", add={f"{me}-{turn}": "x"})
    print(json.dumps(["label", f"{me}-{turn}"]), flush=True)
yard.close()
"""


def _run(folders: list[Path], tmp_path: Path) -> list[list[Any]]:
    servers = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(folder), f"s{at}", str(_ROUNDS),
             str(tmp_path / f"work-{at}")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for at, folder in enumerate(folders)
    ]  # fmt: skip
    for server in servers:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
    for server in servers:
        assert server.stdin is not None
        server.stdin.write("go\n")
        server.stdin.flush()
    told = [server.communicate(timeout=280)[0] for server in servers]
    assert [server.returncode for server in servers] == [0] * len(servers)
    return [json.loads(line) for text in told for line in text.splitlines()]


def _check(yard: LocalYard, told: list[list[Any]]) -> None:
    versions = [line for line in told if line[0] == "version"]
    assert len(versions) == 3 * _SERVERS * _ROUNDS
    for model in {line[1] for line in versions}:
        ours = sorted(line for line in versions if line[1] == model)
        log = list(yard.log(model))
        assert {(v.number, v.commit) for v in log} == {(line[2], line[3]) for line in ours}
        # numbers have no gaps, and the branch is one line through all of them
        assert [v.number for v in log] == list(range(len(ours), 0, -1))
        assert [v.parents for v in log] == [
            (v.number - 1,) if v.number > 1 else () for v in log
        ]  # fmt: skip
        assert [v.time for v in log] == sorted((v.time for v in log), reverse=True)
    assert set(yard.label("shared")) == {line[1] for line in told if line[0] == "label"}
    moves = list(yard.reflog("shared", "champion"))
    assert len(moves) == sum(line[0] == "alias" for line in told)
    assert [move.old for move in moves[:-1]] == [move.new for move in moves[1:]]
    assert yard.verify().ok


@pytest.mark.parametrize("database", ["postgres_url", "mariadb_url"])
def test_every_acknowledged_version_is_there(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url, store = request.getfixturevalue(database), str(tmp_path / "store")
    folders = [tmp_path / f"server-{at}" for at in range(_SERVERS)]
    for folder in folders:
        create(folder, store=store, catalog=url).close()
    told = _run(folders, tmp_path)
    yard = open_yard(folders[0])
    _check(yard, told)
    yard.close()
