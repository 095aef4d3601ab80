"""Branches, tags, aliases; going back; deleting and undoing it."""

from __future__ import annotations


def test_an_alias_moves_and_rolls_back(resnet):
    resnet.run("alias", "vision/resnet", "prod", "1")
    moved = resnet.json("alias", "vision/resnet", "prod", "2")
    assert (moved["kind"], moved["number"], moved["old"]) == ("alias", 2, 1)
    back = resnet.run("rollback", "vision/resnet", "prod")
    assert back.stdout == "alias prod points at vision/resnet@1 (was 2)\n"
    assert resnet.json("show", "vision/resnet@prod")["number"] == 1
    assert resnet.json("rollback", "vision/resnet", "prod", "--to", "wild")["number"] == 3


def test_moves_are_logged(resnet):
    resnet.run("alias", "vision/resnet", "prod", "1")
    resnet.run("alias", "vision/resnet", "prod", "2")
    moves = resnet.json("log", "vision/resnet@prod", "--moves")
    assert [(move["old"], move["new"]) for move in moves] == [(1, 2), (None, 1)]


def test_a_tag_never_moves(resnet):
    assert resnet.json("tag", "vision/resnet", "v1.0", "1")["kind"] == "tag"
    assert resnet.error("tag", "vision/resnet", "v1.0", "2")["kind"] == "ref-exists"
    assert resnet.json("tag", "vision/resnet")["items"][0]["name"] == "v1.0"


def test_a_branch_is_made_and_deleted_and_told_how_to_undo(resnet):
    resnet.run("branch", "vision/resnet", "calm", "2")
    gone = resnet.run("branch", "vision/resnet", "calm", "--delete")
    assert "deleted branch calm" in gone.stdout
    assert "yard branch vision/resnet calm 2 makes it again" in gone.stderr
    names = [item["name"] for item in resnet.json("branch", "vision/resnet")["items"]]
    assert sorted(names) == ["main", "wild"]


def test_a_ref_is_deleted_only_as_what_it_is(resnet):
    resnet.run("tag", "vision/resnet", "v1.0", "1")
    error = resnet.error("alias", "vision/resnet", "v1.0", "--delete")
    assert error["hint"] == "yard tag vision/resnet v1.0 --delete"


def test_empty_lists_of_refs_say_what_to_do(resnet):
    result = resnet.run("tag", "vision/resnet")
    assert result.stdout == "vision/resnet has no tag\n"
    assert result.stderr == "hint: yard tag vision/resnet NAME [REV]\n"


def test_revert_makes_a_new_version_with_old_content(resnet):
    made = resnet.json("revert", "vision/resnet", "1")
    assert made["number"] == 4
    assert resnet.json("diff", "vision/resnet@1", "4")["tensors"] == []


def test_merge_takes_what_one_side_changed(resnet):
    (resnet.home / "out" / "notes.txt").write_text("on the branch\n")
    resnet.run("branch", "vision/resnet", "notes", "2")
    resnet.run("commit", "vision/resnet", "out/notes.txt", "-m", "n", "--branch", "notes",
               "--only", "notes.txt")  # fmt: skip
    made = resnet.json("merge", "vision/resnet", "notes", "--into", "main")
    assert made["branch"] == "main"
    files = {file["path"] for file in resnet.json("show", "vision/resnet")["files"]}
    assert files == {"model.npz", "vocabulary.txt", "notes.txt"}


def test_a_conflicting_merge_names_the_files(resnet):
    error = resnet.error("merge", "vision/resnet", "wild", "--into", "main")
    assert error["kind"] == "merge-conflict"
    assert "model.npz" in error["message"] + (error["hint"] or "")


def test_delete_needs_yes_without_a_terminal(resnet):
    for target in ("vision/resnet", "vision/resnet@1"):
        error = resnet.error("delete", target, code=2)
        assert (error["kind"], error["hint"]) == ("needs-yes", "add --yes")
    assert resnet.json("list")["items"][0]["versions"] == 3


def test_a_deleted_model_comes_back(resnet):
    result = resnet.run("delete", "vision/resnet", "--yes")
    assert "yard restore vision/resnet" in result.stderr
    assert resnet.json("list") == {"items": []}
    assert [item["name"] for item in resnet.json("list", "--deleted")["items"]] == ["vision/resnet"]
    resnet.run("restore", "vision/resnet")
    assert resnet.json("show", "vision/resnet")["number"] == 2


def test_a_deleted_version_comes_back(resnet):
    resnet.run("rm", "vision/resnet@1", "--yes")
    assert resnet.run("show", "vision/resnet@1", code=1).stdout == ""
    resnet.run("restore", "vision/resnet@1")
    assert resnet.json("show", "vision/resnet@1")["message"] == "first"


def test_a_version_with_a_tag_is_protected(resnet):
    resnet.run("tag", "vision/resnet", "v1.0", "1")
    assert resnet.error("delete", "vision/resnet@1", "--yes")["kind"] == "protected"


def test_the_old_name_leads_to_the_new_one(resnet):
    resnet.run("rename", "vision/resnet", "resnet")
    assert resnet.json("show", "vision/resnet")["model"] == "resnet"
    assert resnet.out("list", "-q") == "resnet\n"


def test_a_deleted_version_can_still_be_purged(resnet):
    resnet.run("delete", "vision/resnet@3", "--yes")
    assert resnet.out("delete", "vision/resnet@3", "--purge", "--yes") == "purged vision/resnet@3\n"
    assert resnet.error("restore", "vision/resnet@3")["kind"]
