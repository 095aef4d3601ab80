from __future__ import annotations

import unicodedata

import pytest

from modelyard.core.digest import Digest
from modelyard.core.merge import REGULAR, SYMLINK, Entry
from modelyard.errors import InvalidInput
from modelyard.history.paths import check_path, check_symlink, check_tree


def file(text: bytes = b"x", mode: int = REGULAR) -> Entry:
    return Entry(mode, Digest.of(text), len(text), text)


def refusal(tree: dict[str, Entry]) -> str:
    with pytest.raises(InvalidInput) as refused:
        check_tree(tree)
    return refused.value.kind


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "a/..",
        "../a",
        "./a",
        ".git",
        "x/.git/hooks/post-checkout",
        ".GIT/config",
        ".git.",
        ".git ",
        ".git . .",
        ".git::$INDEX_ALLOCATION/config",
        ".git:x",
        "git~1",
        "GIT~1/config",
        ".g\u200cit/config",
        "\ufeff.git",
        ".gitmodules",
        ".gitMODULES",
        "x/.gitmodules ",
        "gitmod~1",
        "gi7eba~1",
        "GITATT~2",
        "gi7d29~1",
        ".GitAttributes",
        ".gitattributes.",
        ".gitattributes/a",
        "x/.gitattributes/a",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "a\ud800",
        "x" * 256,
        "模" * 86,
    ],
)
def test_unfit_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_path(path)
    assert refused.value.kind == "bad-path"


@pytest.mark.parametrize(
    "path",
    [
        "a",
        ".gitattributes",
        ".gitignore",
        ".github/workflows/x.yml",
        "x.git/y",
        "backup~1",
        "...",
        "a..b",
        "x" * 255,
        "模" * 85,
        " ",
        "c:",
        "-",
        "a/b/" + "/".join("c" * 300),
    ],
)
def test_odd_paths_are_fit(path: str) -> None:
    check_path(path)


def test_long_paths_are_refused() -> None:
    assert refusal({"/".join("c" * 351): file()}) == "path-too-long"


@pytest.mark.parametrize(
    ("one", "two", "kind"),
    [
        ("Model.bin", "model.bin", "case-collision"),
        ("A/x", "a/y", "case-collision"),
        ("A", "a/y", "case-collision"),
        ("Straße", "STRASSE", "case-collision"),
        ("ΑΣ", "ας", "case-collision"),
        ("É", unicodedata.normalize("NFD", "é"), "case-collision"),
        ("é", unicodedata.normalize("NFD", "é"), "unicode-collision"),
        ("é/x", unicodedata.normalize("NFD", "é/y"), "unicode-collision"),
        ("a", "a/b", "file-folder"),
        ("a/b", "a", "file-folder"),
        ("x/a/b/c", "x/a", "file-folder"),
    ],
)
def test_paths_that_can_not_live_together_are_refused(one: str, two: str, kind: str) -> None:
    assert refusal({one: file(), two: file()}) == kind
    assert refusal({two: file(), one: file()}) == kind


def test_one_file_alone_may_be_written_either_way() -> None:
    check_tree({"é": file()})
    check_tree({unicodedata.normalize("NFD", "é"): file()})


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("l", b"/etc/passwd"),
        ("l", b".."),
        ("l", b"../x"),
        ("a/l", b"../../x"),
        ("a/l", b"x/../../.."),
        ("a/b/l", b"d/../../secret"),
    ],
)
def test_symlinks_that_lead_out_are_refused(path: str, target: bytes) -> None:
    assert refusal({path: file(target, SYMLINK)}) == "symlink-escapes"


@pytest.mark.parametrize("target", [b"", b"a\0b", b"\xff", b"a\\..\\b", b"x" * 4001, None])
def test_symlinks_that_are_none_are_refused(target: bytes | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_symlink("l", target)
    assert refused.value.kind == "bad-symlink"


@pytest.mark.parametrize(("path", "target"), [("l", b"a"), ("a/l", b"../b/c"), ("l", b"./a/b/")])
def test_symlinks_that_stay_inside_are_fit(path: str, target: bytes) -> None:
    check_tree({path: file(target, SYMLINK)})


@pytest.mark.parametrize("name", [".gitattributes", ".gitignore", "x/.mailmap", ".GITIGNORE"])
def test_files_that_git_reads_are_no_symlinks(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_tree({name: file(b"a", SYMLINK)})


def test_odd_entries_are_refused() -> None:
    assert refusal({"a": file(mode=0o100600)}) == "bad-mode"
    assert refusal({"a": Entry(REGULAR, Digest.of(b""), 5, b"four")}) == "bad-size"
    assert refusal({".gitattributes": Entry(REGULAR, Digest.of(b""), 5, None)}) == "bad-attributes"


def test_a_path_too_long_for_attributes_is_refused() -> None:
    from modelyard.history.trees import write_tree

    path = "/".join([" " * 200] * 3)
    check_tree({path: file()})
    with pytest.raises(InvalidInput) as refused:
        write_tree({path: Entry(REGULAR, Digest.of(b""), 5, None)})
    assert refused.value.kind == "path-too-long"
