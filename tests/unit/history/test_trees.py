from __future__ import annotations

import pytest
from dulwich import objects as dulwich
from hypothesis import example, given
from hypothesis import strategies as st

from modelyard.core.digest import Digest
from modelyard.core.merge import EXECUTABLE, REGULAR, SYMLINK, Entry, Places
from modelyard.errors import Corrupt, InvalidInput, NotFound, Unsupported
from modelyard.history.gitobject import BLOB, TREE, GitObject
from modelyard.history.trees import (
    INLINE_LIMIT,
    is_hidden,
    is_inline,
    parse_pointer,
    pointer,
    read_tree,
    write_tree,
)

DIGEST = Digest.of(b"weights")


class Memory:
    """Git objects in a dict."""

    def __init__(self, *objects: GitObject) -> None:
        self.kept = {item.sha: (item.kind, item.body) for item in objects}

    def get(self, sha: bytes) -> tuple[int, bytes]:
        if sha not in self.kept:
            raise NotFound("git-object-missing", f"no git object {sha.hex()}")
        return self.kept[sha]


def inline(text: bytes, mode: int = REGULAR) -> Entry:
    return Entry(mode, Digest.of(text), len(text), text)


def large(size: int = 7, mode: int = REGULAR) -> Entry:
    return Entry(mode, DIGEST, size, None)


def again(tree: dict[str, Entry]) -> dict[str, Entry]:
    root, objects = write_tree(tree)
    return read_tree(root, Memory(*objects))


def attributes(tree: dict[str, Entry], path: str = ".gitattributes") -> bytes:
    """The attributes file as git sees it."""
    root, objects = write_tree(tree)
    memory = Memory(*objects)
    *folders, name = path.split("/")
    for part in [*folders, name]:
        rows = dulwich.parse_tree(memory.get(root)[1], 20, strict=True)
        found = {name: sha for name, _, sha in rows}
        root = bytes.fromhex(found[part.encode()].decode())
    return memory.get(root)[1]


parts = st.one_of(
    st.sampled_from(["a", "b", "model.bin", "a.b", "a-b", ".gitattributes", ".modelyard", "模型"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1,
            max_size=12),
)  # fmt: skip
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)
texts = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from([b"*.bin filter=lfs", b"# x", b"\r\n", b"\n", b""])).map(b"".join),
)
files = st.one_of(
    st.builds(inline, texts, st.sampled_from([REGULAR, EXECUTABLE])),
    st.builds(large, st.integers(0, 2**62), st.sampled_from([REGULAR, EXECUTABLE])),
    st.sampled_from(["a", "x/y", "."]).map(lambda target: inline(target.encode(), SYMLINK)),
)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Entry]:
    """Any tree that a version may have."""
    tree: dict[str, Entry] = {}
    places = Places()
    for path, entry in draw(st.dictionaries(paths, files, max_size=8)).items():
        try:
            write_tree({path: entry})
        except InvalidInput:
            continue
        if places.take(path) is None:
            tree[path] = entry
    return tree


@given(trees())
@example({".gitattributes": inline(b""), "a.bin": large()})
@example({".gitattributes": inline(b"*.txt text"), "a.bin": large()})
@example({"x/.gitattributes": inline(b"a\n"), "x/y/a.bin": large()})
def test_what_is_written_is_read(tree: dict[str, Entry]) -> None:
    assert again(tree) == tree


@given(trees())
def test_objects_are_as_dulwich_writes_them(tree: dict[str, Entry]) -> None:
    root, objects = write_tree(tree)
    assert objects[-1].sha == root
    assert len({item.sha for item in objects}) == len(objects)
    for item in objects:
        theirs = dulwich.ShaFile.from_raw_string(item.kind, item.body)
        assert theirs.id.decode() == item.sha.hex()
        theirs.check()
        if isinstance(theirs, dulwich.Tree):
            rebuilt = dulwich.Tree()
            for name, mode, sha in theirs.iteritems():
                rebuilt.add(name, mode, sha)
            assert rebuilt.as_raw_string() == item.body


@given(trees())
def test_the_order_of_files_does_not_matter(tree: dict[str, Entry]) -> None:
    assert write_tree(dict(reversed(tree.items())))[0] == write_tree(tree)[0]


def test_attributes_name_exactly_the_pointers() -> None:
    tree = {"b c.bin": large(), "x/[1]*?.bin": large(), "notes.txt": inline(b"hi")}
    assert attributes(tree).decode().splitlines() == [
        "# >>> modelyard (generated): alone",
        "/b[[:space:]]c.bin filter=lfs diff=lfs merge=lfs -text",
        r"/x/\[1]\*\?.bin filter=lfs diff=lfs merge=lfs -text",
        "# <<< modelyard",
    ]


def test_attributes_of_a_git_clone_may_be_committed_again() -> None:
    tree = {"a.bin": large(), ".gitattributes": inline(b"*.txt text")}
    seen = attributes(tree)
    assert write_tree(tree | {".gitattributes": inline(seen)})[0] == write_tree(tree)[0]
    alone = {"a.bin": large()}
    cloned = alone | {".gitattributes": inline(attributes(alone))}
    assert write_tree(cloned)[0] == write_tree(alone)[0]


def test_lines_around_a_block_are_the_users() -> None:
    block = attributes({"a.bin": large()})
    tree = again({"a.bin": large(), ".gitattributes": inline(b"one\n" + block + b"two\n")})
    assert tree[".gitattributes"].inline == b"one\ntwo\n"


def test_a_block_without_an_end_is_the_users() -> None:
    text = b"# >>> modelyard (generated): alone\n*.bin text\n"
    assert again({".gitattributes": inline(text), "a.bin": large()})[".gitattributes"] == inline(
        text
    )


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("a", b"", True),
        ("a", b"x" * (INLINE_LIMIT - 1), True),
        ("a", b"x" * INLINE_LIMIT, False),
        ("a", b"\xff", False),
        ("a", "模型".encode(), True),
        ("a", pointer(DIGEST, 5), False),
        ("x/.gitattributes", b"\xff", True),
    ],
)
def test_what_git_keeps(path: str, data: bytes, expected: bool) -> None:
    assert is_inline(path, data) is expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pointer(DIGEST, 5)[:-1],
        pointer(DIGEST, 5) + b"\n",
        pointer(DIGEST, 5).replace(b"\n", b"\r\n"),
        pointer(DIGEST, 5).replace(b"size 5", b"size 05"),
        pointer(DIGEST, 5).replace(b"size 5", b"size -5"),
        pointer(DIGEST, 2**63),
        pointer(DIGEST, 5).replace(b"oid", b"ext-0-x sha256:1\noid"),
        pointer(DIGEST, 5).upper(),
    ],
)
def test_only_exact_pointers_are_pointers(data: bytes) -> None:
    assert parse_pointer(data) is None


def test_a_pointer_is_read() -> None:
    assert parse_pointer(pointer(DIGEST, 2**63 - 1)) == (DIGEST, 2**63 - 1)
    assert parse_pointer(pointer(DIGEST, 0)) == (DIGEST, 0)


def test_bytes_that_read_as_a_pointer_are_not_kept_in_git() -> None:
    with pytest.raises(InvalidInput) as error:
        write_tree({"a": inline(pointer(DIGEST, 1))})
    assert error.value.kind == "inline-pointer"


def test_hidden_paths() -> None:
    assert is_hidden(".modelyard/manifest.json")
    assert not is_hidden("x/.modelyard/manifest.json")
    assert not is_hidden(".gitattributes")


def row(mode: bytes, name: bytes, sha: bytes = b"s" * 20) -> bytes:
    return mode + b" " + name + b"\0" + sha


@pytest.mark.parametrize(
    ("body", "error", "kind"),
    [
        (b"100644 a", Corrupt, "bad-tree"),
        (b"100644", Corrupt, "bad-tree"),
        (b"x" * 40, Corrupt, "bad-tree"),
        (row(b"100644", b"a", b"short"), Corrupt, "bad-tree"),
        (row(b"100644", b"a") * 2, Corrupt, "bad-tree"),
        (row(b"100644", b"b") + row(b"100644", b"a"), Corrupt, "bad-tree"),
        (row(b"160000", b"a"), Unsupported, "submodule"),
        (row(b"100600", b"a"), InvalidInput, "bad-mode"),
        (row(b"040000", b"a"), InvalidInput, "bad-mode"),
        (row(b"100644", b"\xff"), InvalidInput, "name-not-utf8"),
        (row(b"100644", b".."), InvalidInput, "bad-path"),
        (row(b"40000", b".git"), InvalidInput, "bad-path"),
        (row(b"100644", b"a/b"), InvalidInput, "bad-path"),
        (row(b"40000", b"../x"), InvalidInput, "bad-path"),
        (row(b"100644", b""), Corrupt, "bad-tree"),
    ],
)
def test_hostile_trees_are_refused(body: bytes, error: type[Exception], kind: str) -> None:
    root = GitObject.of(TREE, body)
    with pytest.raises(error) as refused:
        read_tree(root.sha, Memory(root, GitObject(b"s" * 20, BLOB, b"")))
    assert refused.value.kind == kind


@given(st.binary(min_size=1, max_size=80))
def test_any_bytes_as_a_tree_are_refused(body: bytes) -> None:
    root = GitObject.of(TREE, body)
    with pytest.raises((Corrupt, InvalidInput, Unsupported, NotFound)):
        read_tree(root.sha, Memory(root))


def test_a_missing_or_mistaken_object_is_told() -> None:
    root, objects = write_tree({"a": inline(b"1")})
    with pytest.raises(NotFound):
        read_tree(root, Memory(objects[-1]))
    with pytest.raises(Corrupt, match="kind 3"):
        read_tree(objects[0].sha, Memory(*objects))


def test_a_tree_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.history.trees._MAX_ENTRIES", 10_000)
    objects = [GitObject.of(BLOB, b"x")]
    mode = b"100644"
    for _ in range(8):
        body = b"".join(row(mode, b"%d" % i, objects[-1].sha) for i in range(10))
        objects.append(GitObject.of(TREE, body))
        mode = b"40000"
    with pytest.raises(Unsupported) as refused:
        read_tree(objects[-1].sha, Memory(*objects))
    assert refused.value.kind == "tree-too-large"


def test_old_group_writable_files_are_plain_files() -> None:
    blob = GitObject.of(BLOB, b"x")
    root = GitObject.of(TREE, row(b"100664", b"a", blob.sha))
    assert read_tree(root.sha, Memory(root, blob)) == {"a": inline(b"x")}
