"""Committing and looking at what was committed."""

from __future__ import annotations

import json

import pytest

COMMIT_KEYS = {"model", "number", "commit", "branch", "size", "new_bytes", "files", "seconds"}
LOG_KEYS = {
    "number", "commit", "parents", "branch", "author", "time", "message", "refs", "size",
    "new_bytes", "metrics",
}  # fmt: skip


def test_commit_tells_number_and_sizes(yard):
    result = yard.run("commit", "vision/resnet", yard.weights("out"), "-m", "first")
    assert result.stdout.startswith("vision/resnet@1 ")
    assert " new, " in result.stdout.splitlines()[-1]
    assert result.stderr == "hint: yard show vision/resnet\n"


def test_commit_document_has_the_promised_keys(yard):
    made = yard.json("commit", "m", yard.weights("out"), "-m", "first")
    assert set(made) >= COMMIT_KEYS
    assert (made["model"], made["number"], made["branch"], made["files"]) == ("m", 1, "main", 2)


def test_unchanged_content_makes_no_new_version(yard):
    first = yard.json("commit", "m", yard.weights("out"), "-m", "first")
    again = yard.json("commit", "m", yard.weights("out"), "-m", "again")
    assert again["number"] == first["number"]
    assert again["created"] is False
    assert "nothing changed" in yard.out("commit", "m", "out", "-m", "again")


def test_quiet_commit_prints_what_can_be_pasted_back(yard):
    title = yard.out("commit", "m", yard.weights("out"), "-m", "first", "-q").strip()
    assert title == "m@1"
    assert yard.json("show", title)["message"] == "first"


def test_only_takes_the_rest_from_the_parent(resnet):
    (resnet.home / "new").mkdir()
    (resnet.home / "new" / "vocabulary.txt").write_text("d e f\n")
    resnet.run("commit", "vision/resnet", "new", "-m", "words", "--only", "*.txt")
    files = {file["path"] for file in resnet.json("show", "vision/resnet")["files"]}
    assert files == {"model.npz", "vocabulary.txt"}
    assert resnet.out("cat", "vision/resnet", "vocabulary.txt") == "d e f\n"


def test_a_single_file_keeps_its_name(yard):
    yard.weights("out")
    yard.run("commit", "m", "out/model.npz", "-m", "first")
    assert [file["path"] for file in yard.json("show", "m")["files"]] == ["model.npz"]


def test_log_document_has_exactly_the_promised_keys(resnet):
    rows = resnet.json("log", "vision/resnet")
    assert [row["number"] for row in rows] == [3, 2, 1]
    assert all(set(row) == LOG_KEYS for row in rows)
    assert rows[0]["parents"] == rows[1]["parents"] == [1]
    assert rows[1]["refs"] == ["main"]
    assert rows[1]["metrics"] == {"acc": 0.93}
    assert rows[1]["author"].startswith("Ann Lee")


def test_log_draws_the_graph(resnet):
    lines = resnet.out("log", "vision/resnet").splitlines()
    assert lines[0].startswith("* 3 ")
    assert "(wild) wild" in lines[0]
    assert lines[2].startswith("| * 2 ")
    assert lines[3].startswith("|/ ")
    assert lines[4].startswith("* 1 ")


def test_log_respects_revision_and_limit(resnet):
    assert [row["number"] for row in resnet.json("log", "vision/resnet@main")] == [2, 1]
    assert [row["number"] for row in resnet.json("log", "vision/resnet", "--limit", "1")] == [3]


def test_show_is_flat_and_complete(resnet):
    shown = resnet.json("show", "vision/resnet@2")
    assert shown["metrics"] == {"acc": 0.93}
    assert shown["params"] == {"lr": 0.1}
    assert shown["labels"] == {"task": "classify"}
    assert shown["refs"] == ["main"]
    model = next(file for file in shown["files"] if file["path"] == "model.npz")
    assert model["format"] == "npz"
    assert len(model["sha256"]) == 64
    weight = next(tensor for tensor in shown["tensors"] if tensor["name"] == "fc.weight")
    assert (weight["file"], weight["dtype"], weight["shape"]) == ("model.npz", "float32", [64, 32])


def test_show_is_for_people_too(resnet):
    shown = resnet.out("show", "vision/resnet")
    assert shown.startswith("vision/resnet@2 ")
    assert "fc.weight  float32  64x32" in shown


def test_show_of_a_model_tells_where_its_other_refs_point(resnet):
    assert "elsewhere wild=3\n" in resnet.out("show", "vision/resnet")
    assert "elsewhere" not in resnet.out("show", "vision/resnet@1")


def test_the_hint_after_a_commit_compares_with_its_parent(resnet):
    result = resnet.run(
        "commit", "vision/resnet", resnet.weights("out", step=2.0), "-m", "x", "-b", "wild"
    )
    assert result.stderr == "hint: yard diff vision/resnet@3 4\n"


def test_the_card_is_shown_and_read_into_labels(yard):
    folder = yard.weights("out")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# My net\n\nIt sees.\n")
    yard.run("commit", "m", folder, "-m", "first")
    shown = yard.out("show", "m")
    assert "# My net" in shown
    assert yard.json("show", "m")["labels"]["license"] == "mit"


def test_diff_tells_what_moved(resnet):
    diff = resnet.json("diff", "vision/resnet@1", "2")
    assert [tensor["name"] for tensor in diff["tensors"]] == ["fc.weight"]
    moved = diff["tensors"][0]
    assert moved["change"] == "changed"
    assert 0 < moved["relative_change"] < 1
    assert 0.9 < moved["cosine"] < 1
    assert moved["max_abs"] == pytest.approx(0.1, rel=1e-3)
    assert diff["metrics"] == [{"name": "acc", "old": 0.91, "new": 0.93}]
    assert "1 of 2 tensors changed, largest: fc.weight" in diff["summary"]


def test_diff_takes_a_revision_of_the_same_model_or_another_model(resnet):
    resnet.run("commit", "other", resnet.weights("out"), "-m", "same as the first")
    assert resnet.json("diff", "vision/resnet@1", "wild")["b"].endswith("@3")
    assert resnet.json("diff", "vision/resnet@1", "other")["tensors"] == []
    assert resnet.error("diff", "vision/resnet@1", "wlid")["hint"].startswith(
        "did you mean vision/resnet@wild?"
    )


def test_diff_exit_code(resnet):
    resnet.run("diff", "vision/resnet@1", "2", "--exit-code", code=1)
    resnet.run("diff", "vision/resnet@1", "1", "--exit-code")
    resnet.run("diff", "vision/resnet@1", "2")


def test_cat_gives_the_bytes_back(resnet):
    resnet.weights("again")
    result = resnet.run("cat", "vision/resnet@1", "model.npz")
    assert result.stdout_bytes == (resnet.home / "again" / "model.npz").read_bytes()
    assert resnet.json("cat", "vision/resnet", "vocabulary.txt")["text"] == "a b c\n"


def test_hostile_messages_do_not_reach_the_terminal(yard):
    yard.run("commit", "m", yard.weights("out"), "-m", "red \x1b[31malert\x07 \u202egpj")
    for command in (["log", "m"], ["show", "m"], ["search", "red"]):
        shown = yard.out(*command)
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert json.loads(yard.out("log", "m", "--json"))[0]["message"].startswith("red \x1b")


def test_search_finds_by_label_and_metric(resnet):
    found = resnet.json("search", "label:task=classify metric.acc>0.92")
    assert [item["number"] for item in found["items"]] == [2]
    assert found["next"] is None
    assert resnet.json("search", "nonesuch") == {"items": [], "next": None}


def test_search_pages(resnet):
    first = resnet.json("search", "--limit", "2")
    second = resnet.json("search", "--limit", "2", "--after", first["next"])
    numbers = [item["number"] for page in (first, second) for item in page["items"]]
    assert numbers == [3, 2, 1]
    assert "--after" in resnet.run("search", "--limit", "2").stderr


def test_list_shows_models_and_where_refs_point(resnet):
    resnet.run("alias", "vision/resnet", "prod", "1")
    items = resnet.json("list")["items"]
    assert [(item["name"], item["latest"], item["versions"]) for item in items] == [
        ("vision/resnet", 3, 3)
    ]
    assert "prod=1" in resnet.out("ls")
    assert resnet.out("list", "-q") == "vision/resnet\n"


def test_labels_are_set_removed_and_shown(resnet):
    assert resnet.json("label", "vision/resnet@2", "ok", "--remove", "task") == {
        "model": "vision/resnet", "number": 2, "labels": {"ok": ""},
    }  # fmt: skip
    resnet.run("label", "vision/resnet", "domain=street")
    assert resnet.json("label", "vision/resnet")["labels"] == {"domain": "street"}
    assert resnet.out("label", "vision/resnet@2") == "vision/resnet@2 ok\n"
