from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.diff import FileChange
from modelyard.core.digest import Digest
from modelyard.core.merge import (
    EXECUTABLE,
    REGULAR,
    SYMLINK,
    Entry,
    MergeConflict,
    Places,
    change_tree,
    merge_trees,
)

MANIFEST = ".modelyard/manifest.json"


def file(text: str, mode: int = REGULAR) -> Entry:
    return Entry(mode, Digest.of(text.encode()), len(text), text.encode())


def tree(**texts: str) -> dict[str, Entry]:
    return {path.replace("__", "/"): file(text) for path, text in texts.items()}


A, B, C = file("a"), file("b"), file("c")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged", "conflict"),
    [
        (A, A, A, A, None),
        (A, B, A, B, None),
        (A, A, B, B, None),
        (A, B, B, B, None),
        (A, None, A, None, None),
        (A, A, None, None, None),
        (A, None, None, None, None),
        (None, A, None, A, None),
        (None, None, A, A, None),
        (None, A, A, A, None),
        (None, A, B, A, "both-added"),
        (A, B, C, B, "both-changed"),
        (A, None, B, None, "deleted-changed"),
        (A, B, None, B, "changed-deleted"),
        (A, replace(A, mode=EXECUTABLE), A, replace(A, mode=EXECUTABLE), None),
        (A, replace(A, mode=EXECUTABLE), B, replace(B, mode=EXECUTABLE), None),
        (A, B, replace(A, mode=EXECUTABLE), replace(B, mode=EXECUTABLE), None),
        (A, B, replace(B, mode=EXECUTABLE), replace(B, mode=EXECUTABLE), None),
        (A, B, replace(C, mode=EXECUTABLE), B, "both-changed"),
        (A, file("x", SYMLINK), B, file("x", SYMLINK), "both-changed"),
    ],
)
def test_a_file_is_merged(
    base: Entry | None,
    ours: Entry | None,
    theirs: Entry | None,
    merged: Entry | None,
    conflict: str | None,
) -> None:
    sides = [{"f": entry} if entry else {} for entry in (base, ours, theirs)]
    result = merge_trees(*sides)
    assert result.tree == ({"f": merged} if merged else {})
    assert result.conflicts == ((MergeConflict("f", conflict),) if conflict else ())


def test_without_a_common_past_only_equal_files_join() -> None:
    result = merge_trees(None, tree(a="1", b="2"), tree(a="1", b="3", c="4"))
    assert result.tree == tree(a="1", b="2", c="4")
    assert result.conflicts == (MergeConflict("b", "both-added"),)


def test_changes_of_different_files_never_conflict() -> None:
    base = tree(a="1", b="2", c="3")
    result = merge_trees(base, tree(a="x", b="2", c="3", d="4"), tree(a="1", b="y"))
    assert result.tree == tree(a="x", b="y", d="4")
    assert not result.conflicts


@pytest.mark.parametrize(
    ("ours", "theirs", "conflict"),
    [
        (tree(a="1"), tree(a__b="2"), MergeConflict("a", "file-folder")),
        (tree(a__b="2"), tree(a="1"), MergeConflict("a", "file-folder")),
        (tree(a__b="2"), tree(a__b__c="1", a__b__d="1"), MergeConflict("a/b", "file-folder")),
        (tree(Model="1"), tree(model="2"), MergeConflict("model", "case-collision")),
        (tree(A__x="1"), tree(a__y="2"), MergeConflict("a", "case-collision")),
        ({"é": A}, {"e\u0301": A}, MergeConflict("e\u0301", "unicode-collision")),
    ],
)
def test_names_that_have_no_room_beside_ours_conflict(
    ours: dict[str, Entry], theirs: dict[str, Entry], conflict: MergeConflict
) -> None:
    result = merge_trees({}, ours, theirs)
    assert result.tree == ours
    assert result.conflicts == (conflict,)


def test_a_file_may_become_a_folder() -> None:
    result = merge_trees(tree(a="1"), tree(a="1"), tree(a__b="2"))
    assert result.tree == tree(a__b="2")
    assert not result.conflicts


def test_the_manifest_never_conflicts() -> None:
    base, ours, theirs = ({MANIFEST: file(text)} for text in ("{}", '{"a":1}', '{"b":1}'))
    assert merge_trees(base, ours, theirs) == merge_trees(base, ours, base)
    assert merge_trees(base, base, theirs).tree == theirs
    assert merge_trees(None, ours, theirs).tree == ours
    assert not merge_trees(base, {}, theirs).conflicts


@pytest.mark.parametrize("path", [".gitattributes", "x/.gitattributes"])
def test_attributes_are_joined_by_lines(path: str) -> None:
    base, ours, theirs = (
        {path: file(text)} for text in ("a\nb\n", "a\nours", "a\nb\ntheirs\nours\n")
    )
    result = merge_trees(base, ours, theirs)
    assert result.tree == {path: file("a\nours\ntheirs\n")}
    assert not result.conflicts
    assert merge_trees(base, {}, theirs).tree == {}
    assert merge_trees(base, ours, {}).tree == ours
    assert merge_trees(None, ours, theirs).tree == {path: file("a\nours\nb\ntheirs\n")}


names = st.sampled_from(["a", "b", "c", "a/b", "a/c", "A", "b/x/y", MANIFEST, ".gitattributes"])
some_trees = st.dictionaries(names, st.sampled_from([A, B, C, file("a", EXECUTABLE)])).map(
    lambda found: {path: found[path] for path in _fit(found)}
)


def _fit(found: dict[str, Entry]) -> list[str]:
    places = Places()
    return [path for path in found if places.take(path) is None]


@given(some_trees, some_trees, some_trees)
def test_a_merge_is_a_valid_tree_and_explains_what_it_drops(
    base: dict[str, Entry], ours: dict[str, Entry], theirs: dict[str, Entry]
) -> None:
    result = merge_trees(base, ours, theirs)
    assert len(_fit(result.tree)) == len(result.tree)
    assert merge_trees(base, ours, base).tree == ours
    assert merge_trees(base, base, theirs).tree == theirs
    assert merge_trees(base, ours, ours).tree == ours
    if not result.conflicts:
        mirrored = merge_trees(base, theirs, ours)
        exempt = {MANIFEST, ".gitattributes"}
        assert {p: e for p, e in mirrored.tree.items() if p not in exempt} == {
            p: e for p, e in result.tree.items() if p not in exempt
        }


def test_changes_are_named_and_sorted() -> None:
    old = tree(same="1", changed="22", removed="333", moved="4444")
    new = tree(same="1", changed="xxxxx", added="666666", x__moved="4444")
    assert change_tree(old, new) == (
        FileChange("added", "added", None, None, 6),
        FileChange("changed", "changed", None, 2, 5),
        FileChange("removed", "removed", None, 3, None),
        FileChange("x/moved", "renamed", "moved", 4, 4),
    )


def test_a_rename_must_be_the_only_one_like_it() -> None:
    kinds = [c.change for c in change_tree(tree(a="1"), tree(b="1", c="1"))]
    assert kinds == ["removed", "added", "added"]
    kinds = [c.change for c in change_tree(tree(a="1", b="1"), tree(c="1"))]
    assert kinds == ["removed", "removed", "added"]
    kinds = [c.change for c in change_tree(tree(a=""), tree(b=""))]
    assert kinds == ["removed", "added"]
    assert change_tree(tree(a="1", b="1"), tree(a="1", c="1")) == (
        FileChange("c", "renamed", "b", 1, 1),
    )


def test_a_mode_is_a_change_and_hidden_files_are_none() -> None:
    changes = change_tree({"a": A}, {"a": replace(A, mode=EXECUTABLE), MANIFEST: B})
    assert [c.change for c in changes] == ["changed"]
    assert change_tree({MANIFEST: A}, {MANIFEST: B}) == ()
