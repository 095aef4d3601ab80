"""What each result looks like, in JSON and to people."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from modelyard.cli.output import Output, encode
from modelyard.cli.views import words
from modelyard.cli.views.detail import DetailView
from modelyard.cli.views.diffs import DiffView
from modelyard.cli.views.files import FileView, TextView
from modelyard.cli.views.house import GcView, StatsView, VerifyView
from modelyard.cli.views.models import LabelsView, ModelsView, RefsView, RefView
from modelyard.cli.views.people import AuditView, TokensView
from modelyard.cli.views.versions import (
    CheckedOutView,
    CommittedView,
    LogView,
    MovesView,
    PageView,
)
from modelyard.core.diff import Diff, FileChange, TensorChange, ValueChange
from modelyard.core.people import AuditLine, AuditPage, Token
from modelyard.core.stats import Damage, GcReport, ModelStats, VerifyReport, YardStats
from modelyard.core.version import (
    CheckedOut,
    Committed,
    FileInfo,
    Finding,
    ModelInfo,
    Page,
    RefInfo,
    RefMove,
    TensorEntry,
    VersionDetail,
    VersionInfo,
)
from modelyard.errors import InvalidInput

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def version(number=1, **changes):
    given = {
        "model": "vision/resnet",
        "number": number,
        "commit": f"{number:x}" * 40,
        "parents": (number - 1,) if number > 1 else (),
        "branch": "main",
        "author": "Ann Lee <ann@example.com>",
        "time": NOON + timedelta(hours=number),
        "message": f"step {number}\n\nmore words",
        "size": 97_500_000,
        "new_bytes": 3_100_000,
        "files": 2,
        "metrics": {"acc": 0.91234567},
    }
    return VersionInfo(**given | changes)


def detail(**changes):
    given = {
        "version": version(3, refs=("main", "prod"), labels={"task": "classify", "ok": ""}),
        "files": (FileInfo("model.onnx", 97_000_000, "ab" * 32, "onnx"),),
        "tensors": tuple(
            TensorEntry("model.onnx", f"layer.{i}", "float32", (8, 4), 128) for i in range(25)
        ),
        "params": {"lr": 0.1, "warm": True},
        "metadata": {"model.onnx": {"producer": "torch"}},
        "findings": (Finding("pickle-global", "danger", "would call os.system", "a.pkl:7"),),
        "signature": None,
        "card": "---\ntask: classify\n---\n# ResNet\n\nSees \x1b[31mthings.\n",
    }
    return VersionDetail(**given | changes)


def committed(**changes):
    given = {
        "model": "m", "number": 4, "commit": "c" * 40, "branch": "main", "size": 97_500_000,
        "new_bytes": 3_100_000, "files": 2, "seconds": 4.21,
    }  # fmt: skip
    return Committed(**given | changes)


def text(view, capsys):
    Output().show(view)
    return capsys.readouterr().out


def document(view):
    return json.loads(encode(view.json(), pretty=False))


def test_commit_ends_with_one_summary_line(capsys):
    assert text(CommittedView(committed()), capsys) == (
        "m@4 ccccccc on main\n97.5 MB, 3.1 MB new, 4.2 s\n"
    )


def test_commit_of_unchanged_content_says_so(capsys):
    assert "nothing changed: m@4" in text(CommittedView(committed(created=False)), capsys)


def test_commit_document_has_the_promised_keys():
    keys = ["model", "number", "commit", "branch", "size", "new_bytes", "files", "seconds"]
    assert list(document(CommittedView(committed())))[: len(keys)] == keys


def test_checkout_names_branch_and_folder(capsys):
    done = CheckedOut(
        model="m", number=4, commit="c" * 40, branch="main", dest="out", files=2, size=2000,
        seconds=0.5,
    )  # fmt: skip
    assert (
        text(CheckedOutView(done), capsys) == "m@4 (branch main) in out\n2 files, 2.0 kB, 0.50 s\n"
    )


def test_log_document_has_exactly_the_promised_keys():
    rows = document(LogView(iter([version(2), version(1)])))
    assert [list(row) for row in rows] == [
        ["number", "commit", "parents", "branch", "author", "time", "message", "refs", "size",
         "new_bytes", "metrics"]
    ] * 2  # fmt: skip
    assert rows[0]["parents"] == [1]
    assert rows[0]["time"] == "2026-11-21T14:00:00Z"


def test_log_shows_graph_refs_metrics_and_sizes(capsys):
    lines = text(LogView(iter([version(2, refs=("main",)), version(1)])), capsys).splitlines()
    assert lines[0] == "* 2 2222222 (main) step 2"
    assert lines[1].startswith("| Ann Lee, 2026-11-2")
    assert lines[1].endswith("97.5 MB, 3.1 MB new, acc=0.9123")
    assert lines[2] == "* 1 1111111 step 1"


def test_log_is_written_while_it_is_read():
    read = []

    def versions():
        for number in range(5, 0, -1):
            read.append(number)
            yield version(number)

    lines = iter(LogView(versions()).lines())
    next(lines)
    assert len(read) <= 2


def test_an_empty_log_is_an_empty_document():
    assert document(LogView(iter([]))) == []


def test_show_document_is_flat():
    shown = document(DetailView(detail()))
    assert shown["number"] == 3
    assert shown["refs"] == ["main", "prod"]
    assert shown["labels"] == {"task": "classify", "ok": ""}
    assert shown["metrics"] == {"acc": 0.91234567}
    assert set(shown["files"][0]) == {"path", "size", "sha256", "format"}
    assert {"file", "name", "dtype", "shape"} <= set(shown["tensors"][0])
    assert len(shown["tensors"]) == 25
    assert {"params", "metadata", "findings", "signature", "card"} <= set(shown)


def test_show_has_facts_files_tensors_findings_and_card(capsys):
    shown = text(DetailView(detail()), capsys)
    for part in (
        "vision/resnet@3 3333333 on main", "refs      main, prod", "labels    task=classify, ok",
        "params    lr=0.1, warm=true", "model.onnx  97.0 MB  onnx", "layer.19  float32  8x4",
        "... and 5 more: add --all", "danger: would call os.system (a.pkl:7)", "# ResNet",
        r"Sees \x1b[31mthings.",
    ):  # fmt: skip
        assert part in shown
    assert "layer.20" not in shown
    assert "task: classify" not in shown


def test_show_all_lists_every_tensor(capsys):
    shown = text(DetailView(detail(), every_tensor=True), capsys)
    assert "layer.24" in shown
    assert "more" not in shown.partition("Sees")[0].partition("tensors")[2]


def test_names_of_tensors_tell_the_file_if_there_are_several(capsys):
    tensors = tuple(TensorEntry(f, "w", "float32", (), 4) for f in ("a.npz", "b.npz"))
    shown = text(DetailView(detail(tensors=tensors)), capsys)
    assert "a.npz: w  float32  scalar" in shown


def a_diff(**changes):
    given = {
        "a": "m@1",
        "b": "m@2",
        "files": (
            FileChange("model.onnx", "changed", None, 1000, 2000),
            FileChange("b.txt", "renamed", "a.txt", 10, 10),
        ),
        "tensors": (
            TensorChange("model.onnx", "new.bias", "added", "float32", (8,)),
            TensorChange(
                "model.onnx",
                "fc.weight",
                "changed",
                "float32",
                (8, 4),
                None,
                None,
                0.031,
                0.9995,
                0.2,
            ),
            TensorChange("model.onnx", "head", "changed", "float16", (9,), "float32", (8,)),
        ),
        "tensors_total": 161,
        "tensors_changed": 3,
        "params": (
            ValueChange("steps", 60, 1500),
            ValueChange("lr", 0.1, 0.01),
            ValueChange("new", None, "x"),
        ),
        "metrics": (ValueChange("acc", 0.912, 0.931),),
        "card_changed": True,
        "text": "2 of 161 tensors changed",
    }
    return Diff(**given | changes)


def test_diff_document_has_the_promised_keys():
    shown = document(DiffView(a_diff()))
    assert {"files", "tensors", "params", "metrics", "summary"} <= set(shown)
    assert "text" not in shown
    assert {
        "name", "change", "dtype", "shape", "relative_change", "cosine", "max_abs",
    } <= set(shown["tensors"][0])  # fmt: skip


def test_diff_begins_with_the_sentence(capsys):
    lines = text(DiffView(a_diff()), capsys).splitlines()
    assert lines[:2] == ["m@1 -> m@2", "2 of 161 tensors changed"]


def test_diff_shows_signs_bars_and_steps(capsys):
    shown = text(DiffView(a_diff()), capsys)
    for part in (
        "~  model.onnx      1.0 kB -> 2.0 kB", ">  a.txt -> b.txt              10 B",
        "+  new.bias", "3.1 %  ████████  0.9995      0.2", "float32 -> float16  8 -> 9",
        "+0.019", "+1,440", "the model card changed",
    ):  # fmt: skip
        assert part in shown


def test_diff_shows_the_first_rows_unless_more_are_asked_for(capsys):
    one = TensorChange("f", "w", "changed", "float32", (1,), relative_change=0.5)
    diff = a_diff(tensors=(one,) * 40, tensors_changed=40)
    assert "... and 10 more: --limit 40" in text(DiffView(diff), capsys)
    assert "more" not in text(DiffView(diff, limit=40), capsys)


def test_no_difference_is_one_sentence(capsys):
    empty = a_diff(
        files=(), tensors=(), tensors_changed=0, params=(), metrics=(), card_changed=False,
        text="no difference",
    )  # fmt: skip
    assert text(DiffView(empty), capsys) == "m@1 -> m@2\nno difference\n"


def test_search_has_items_and_next(capsys):
    view = PageView(Page((version(2),), "token"))
    assert set(document(view)) == {"items", "next"}
    assert "vision/resnet@2" in text(view, capsys)
    assert text(PageView(Page((), None)), capsys) == "nothing found\n"


def test_list_has_items(capsys):
    model = ModelInfo(
        name="m", kind="model", description="a thing\nsecond line", created=NOON, updated=NOON,
        versions=3, latest=3, size=1000, refs=(RefInfo("prod", "alias", 2, "a" * 40),),
    )  # fmt: skip
    assert document(ModelsView([model]))["items"][0]["name"] == "m"
    shown = text(ModelsView([model]), capsys)
    assert "prod=2" in shown
    assert "a thing\n" in shown
    assert text(ModelsView([]), capsys) == "no models\n"


def test_a_moved_ref_tells_where_it_was(capsys):
    ref = RefInfo("prod", "alias", 5, "a" * 40)
    assert text(RefView("m", ref, old=7), capsys) == "alias prod points at m@5 (was 7)\n"
    assert text(RefView("m", ref), capsys) == "alias prod points at m@5\n"
    shown = document(RefView("m", ref, old=7))
    assert (shown["name"], shown["number"], shown["old"]) == ("prod", 5, 7)


def test_lists_of_refs_may_be_empty(capsys):
    assert text(RefsView("m", [], "tag"), capsys) == "m has no tag\n"


def test_moves_show_birth_and_death(capsys):
    moves = [
        RefMove("prod", "alias", 5, None, "Ann <a@b>", NOON, "deleted"),
        RefMove("prod", "alias", None, 5, "Ann <a@b>", NOON, "made"),
    ]
    shown = text(MovesView(moves), capsys)
    assert "5     -   Ann  deleted" in shown
    assert "-     5   Ann  made" in shown


def test_labels_may_be_bare(capsys):
    view = LabelsView("m", 3, {"task": "x", "ok": ""})
    assert text(view, capsys) == "m@3 task=x, ok\n"
    assert document(view) == {"model": "m", "number": 3, "labels": {"task": "x", "ok": ""}}
    assert text(LabelsView("m", None, {}), capsys) == "m has no labels\n"


def test_gc_says_would_when_it_does_not(capsys):
    report = GcReport(
        dry_run=True, chunks=2, freed=1000, waiting=500, packs_deleted=1, packs_waiting=1,
        packs_rewritten=0, versions_purged=0,
    )  # fmt: skip
    assert text(GcView(report), capsys).splitlines() == [
        "2 chunks that nothing needs",
        "would free 1.0 kB now",
        "500 B in 1 pack more when the grace time is over",
        "1 pack deleted, 0 rewritten",
    ]
    assert document(GcView(report))["freed"] == 1000


def test_verify_names_the_damage(capsys):
    good = VerifyReport(versions=1, blobs=1, chunks=1, bytes=9, damage=())
    bad = VerifyReport(
        versions=1, blobs=1, chunks=1, bytes=9, damage=(Damage(
            what="chunk", name="ab", versions=("m@1",), reason="wrong hash"),),
    )  # fmt: skip
    assert text(VerifyView(good), capsys).endswith("all is well\n")
    assert document(VerifyView(good))["ok"] is True
    assert "chunk  ab    m@1       wrong hash" in text(VerifyView(bad), capsys)
    assert document(VerifyView(bad))["ok"] is False


def test_stats_tell_what_was_saved(capsys):
    stats = YardStats(
        models=1, versions=4, blobs=4, chunks=9, packs=1, logical=1000, unique=400, stored=200,
        catalog=50, per_model=(ModelStats(name="m", versions=4, logical=1000, new_bytes=200),),
    )  # fmt: skip
    assert "75.0 % of what plain copies would take" in text(StatsView(stats), capsys)
    assert document(StatsView(stats))["ratio"] == 0.25


def test_a_file_in_json_is_text_or_base64():
    assert document(FileView("a", "ü".encode())) == {"path": "a", "size": 2, "text": "ü"}
    assert document(FileView("a", b"\xff")) == {"path": "a", "size": 1, "base64": "/w=="}


def test_binary_files_are_kept_off_the_terminal(capsys):
    assert text(TextView.read("a", io.BytesIO(b"a\x1b[2Jb\n")), capsys) == "a\\x1b[2Jb\n"
    with pytest.raises(InvalidInput, match="not text"):
        TextView.read("a", io.BytesIO(b"\x00\x01"))


@pytest.mark.parametrize(
    ("ratio", "shown"), [(0.0312, "3.1 %"), (0.996, "100 %"), (2.5, "250 %"), (12.0, "12x")]
)
def test_percent(ratio, shown):
    assert words.percent(ratio) == shown


def test_audit_lines_are_told_without_brackets_paths_and_microseconds(capsys):
    def line(number, action, **detail):
        return AuditLine(
            id=number, time=NOON, action=action, model="ns/m", who="ann", account="ann",
            address=None, request=None, ref=None, kind=None, old=None, new=None, detail=detail,
        )  # fmt: skip

    lines = [
        line(4, "copy", **{"from": "/tmp/yard-body-x/restored", "versions": [1, 2]}),
        line(3, "delete-model", time=1795326104069940),
        line(2, "label", add={"a": "b"}),
        line(1, "report", digest="60" * 32),
    ]
    Output().show(AuditView(AuditPage(items=tuple(lines), next=None)))
    shown = capsys.readouterr().out
    assert "versions 1 2" in shown
    assert "add a=b" in shown
    assert "digest 606060606060 " in shown
    assert not any(word in shown for word in ("yard-body", "1795326104069940", "{", "["))


def test_a_tokens_last_use_is_a_day(capsys):
    token = Token(
        id=1, account="ann", name="laptop", role="admin", models=(), created=NOON, expires=None,
        used=NOON, revoked=None,
    )  # fmt: skip
    Output().show(TokensView([token]))
    heads, row = capsys.readouterr().out.splitlines()
    assert "at most" in heads
    assert row.endswith(f"never    {NOON:%Y-%m-%d}")
