from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dulwich import objects as dulwich
from dulwich.object_store import MissingObjectFinder

from modelyard.core.digest import Digest
from modelyard.core.merge import REGULAR, Entry
from modelyard.errors import NotFound
from modelyard.history.commits import write_commit
from modelyard.history.objects import YardObjectStore
from modelyard.history.trees import write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelyard.history.gitobject import GitObject


class Source:
    def __init__(self) -> None:
        self.kept: dict[bytes, GitObject] = {}

    def get(self, sha: bytes) -> tuple[int, bytes]:
        if sha not in self.kept:
            raise NotFound("git-object-missing", f"no git object {sha.hex()}")
        return self.kept[sha].kind, self.kept[sha].body

    def contains(self, sha: bytes) -> bool:
        return sha in self.kept

    def shas(self) -> Iterator[bytes]:
        return iter(self.kept)

    def add(self, objects: Sequence[GitObject]) -> None:
        self.kept |= {item.sha: item for item in objects}


def version(source: Source, *parents: bytes, text: bytes = b"hi") -> bytes:
    tree = {
        "a/README.md": Entry(REGULAR, Digest.of(text), len(text), text),
        "m.bin": Entry(REGULAR, Digest.of(b"w"), 1, None),
    }
    root, objects = write_tree(tree)
    commit = write_commit(tree=root, parents=parents, author="ann", time=0, message="m")
    source.add([*objects, commit])
    return commit.sha


@pytest.fixture
def source() -> Source:
    return Source()


def test_dulwich_walks_a_version(source: Source) -> None:
    sha = version(source)
    store = YardObjectStore(source)
    commit = store[sha.hex().encode()]
    assert isinstance(commit, dulwich.Commit)
    assert commit.author == b"ann <ann@yard>"
    names = [entry.path for entry in store.iter_tree_contents(commit.tree)]
    assert names == [b".gitattributes", b"a/README.md", b"m.bin"]
    assert store[sha] == commit
    assert sorted(store) == sorted(key.hex().encode() for key in source.kept)


def test_absence_is_what_dulwich_expects(source: Source) -> None:
    store = YardObjectStore(source)
    assert b"0" * 40 not in store
    assert store.packs == []
    with pytest.raises(KeyError):
        store.get_raw(b"0" * 40)


def test_dulwich_finds_what_a_fetch_must_send(source: Source) -> None:
    first = version(source)
    second = version(source, first, text=b"ho")
    store = YardObjectStore(source)
    have, want = first.hex().encode(), second.hex().encode()
    missing = {sha for sha, _ in MissingObjectFinder(store, [have], [want], shallow=set())}
    assert want in missing
    assert len(missing) == 4  # commit, root, folder a, README.md
    count, _ = store.generate_pack_data([have], [want])
    assert count == 4


def test_objects_may_be_added(source: Source) -> None:
    store = YardObjectStore(source)
    one, two = dulwich.Blob.from_string(b"one"), dulwich.Blob.from_string(b"two")
    store.add_object(one)
    store.add_objects([(two, None)])
    assert store[one.id] == one
    assert two.id in store
