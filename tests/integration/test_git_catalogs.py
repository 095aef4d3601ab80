"""A push lands, and files wait for theirs, in every database that a catalog may be in."""

from __future__ import annotations

import hashlib
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from modelyard.core.digest import Digest
from modelyard.history.commits import write_commit
from modelyard.history.gitobject import BLOB, TREE, GitObject
from modelyard.history.packs import write_pack
from modelyard.history.pointers import pointer
from modelyard.registry import create
from modelyard.registry.git.large import arrive, found, missing_error
from modelyard.registry.git.pushing import Command, push

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.house import House


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres_url", "mariadb_url"])
def test_a_file_arrives_is_kept_by_gc_and_pushed(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue(database)
    with create(tmp_path / "yard", author="ann", catalog=url) as yard:
        house: House = yard.house
        content = os.urandom(150_000)
        digest = Digest(hashlib.sha256(content).digest())
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            arrive(house, "a/b", digest.raw, file, "refs/heads/main")
            arrive(house, "a/b", digest.raw, file, "")
        yard.gc()
        assert digest.raw in found(house, "a/b", [digest.raw])
        blob = GitObject.of(BLOB, pointer(digest, len(content)))
        tree = GitObject.of(TREE, b"100644 w.bin\0" + blob.sha)
        commit = write_commit(tree=tree.sha, parents=(), author="ann", time=10**12, message="one")
        parts = [(o.kind, o.body) for o in (blob, tree, commit)]
        done = push(
            house, "a/b", [Command("refs/heads/main", None, commit.sha)],
            b"".join(write_pack(3, iter(parts))),
        )  # fmt: skip
        assert not done.refused, done
        assert yard.resolve("a/b", "main").commit == commit.sha.hex()
        assert digest.raw in found(house, "a/b", [digest.raw])
        assert missing_error(house, "a/b", bytes(32), 5).kind == "no-file"
        yard.checkout("a/b", 1, tmp_path / "out")
        assert (tmp_path / "out" / "w.bin").read_bytes() == content
        yard.gc()
        assert yard.verify().ok
