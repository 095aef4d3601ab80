"""Merging and reverting by forms as a browser sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow


def _file(ann: Person, model: str, revision: int, path: str) -> bytes:
    place = f"/api/v1/models/{quote(model, '')}/versions/{revision}/files/{path}"
    content: bytes = ann.api.get(place).content
    return content


def _forked(ann: Person, model: str, *, same_file: bool) -> str:
    """Two versions on main; `try` begins at the first and has a third."""
    ann.commit(model, {"a.txt": b"a", "b.txt": b"b"}, message="base")
    ann.act(f"ref/{model}", kind="branch", name="try", revision=1)
    ann.commit(model, {"a.txt": b"main", "b.txt": b"b"}, message="on main")
    theirs = {"a.txt": b"try", "b.txt": b"b"} if same_file else {"a.txt": b"a", "b.txt": b"try"}
    ann.commit(model, theirs, message="on try", branch="try")
    return model


def test_a_merge_is_shown_and_then_made(ann: Person) -> None:
    net = _forked(ann, "joins/clean", same_file=False)

    page = ann.see(f"/merge/{net}?source=3").submit(f"/merge/{net}", press="Look", into="main")
    assert page.status == 200
    assert "One file of main changes" in page.text
    assert "b.txt changed" in page.text
    assert ann.refs(net)["main"] == ("branch", 2)

    done = page.submit(f"/do/merge/{net}", message="together")
    assert "Version 4 is made on the branch main." in done.text
    assert ann.refs(net)["main"] == ("branch", 4)
    version = ann.told(f"/models/{quote(net, '')}/versions/4")
    assert (version["parents"], version["message"]) == ([2, 3], "together")
    assert _file(ann, net, 4, "a.txt") == b"main"
    assert _file(ann, net, 4, "b.txt") == b"try"
    line = ann.last_line(net)
    assert (line["action"], line["ref"], line["new"]) == ("commit", "main", 4)
    assert line["account"] == "admin"


def test_conflicts_are_shown_and_nothing_is_made(ann: Person) -> None:
    net = _forked(ann, "joins/conflict", same_file=True)

    page = ann.see(f"/merge/{net}?source=3&into=main")
    assert "both sides changed the same" in page.text
    assert "a.txt changed on both sides" in page.text
    assert not page.has_form(f"/do/merge/{net}")

    raced = ann.act(f"merge/{net}", source=3, into="main")
    assert "Nothing was merged" in raced.text
    assert "a.txt changed on both sides" in raced.text
    assert ann.refs(net)["main"] == ("branch", 2)


def test_a_conflict_with_a_branch_of_a_strange_name_is_shown_on_its_page(ann: Person) -> None:
    net = _forked(ann, "joins/strange", same_file=True)
    ann.act(f"ref/{net}", kind="branch", name="a&b=c#d%41", revision=2)

    raced = ann.act(f"merge/{net}", source=3, into="a&b=c#d%41")
    assert "Nothing was merged" in raced.text
    assert "a.txt changed on both sides" in raced.text


def test_what_is_merged_already_is_told_so(ann: Person) -> None:
    net = _forked(ann, "joins/done", same_file=False)

    page = ann.see(f"/merge/{net}?source=1&into=main")

    assert "has all of version 1 already" in page.text
    assert not page.has_form(f"/do/merge/{net}")
    assert "has it all" in ann.act(f"merge/{net}", source=1, into="main").text
    assert ann.refs(net)["main"] == ("branch", 2)


def test_a_model_with_one_branch_has_nothing_to_merge_into(ann: Person) -> None:
    ann.commit("joins/alone", {"a.txt": b"a"})

    page = ann.see("/merge/joins/alone?source=1")

    assert page.status == 200
    assert "no other branch to merge into" in page.text


def test_a_revert_makes_a_version_with_old_content(ann: Person) -> None:
    net = "joins/revert"
    for text in (b"one", b"two"):
        ann.commit(net, {"a.txt": text})

    done = ann.act(f"revert/{net}", revision=1, branch="main")

    assert "Version 3 is made on the branch main." in done.text
    assert _file(ann, net, 3, "a.txt") == b"one"
    assert ann.refs(net)["main"] == ("branch", 3)
    assert ann.last_line(net)["new"] == 3
    again = ann.act(f"revert/{net}", revision=1, branch="main")
    assert "Nothing to do" in again.text


def test_the_page_of_a_merge_has_a_twin(ann: Person) -> None:
    net = _forked(ann, "joins/twin", same_file=True)

    twin = ann.api.get(f"/merge/{net}.json", params={"source": 3, "into": "main"}).json()

    assert twin["plan"]["conflicts"] == [{"path": "a.txt", "kind": "both-changed"}]
    assert twin["plan"]["is_done"] is False


def test_readers_do_not_merge(people: People, ann: Person) -> None:
    net = _forked(ann, "joins/closed", same_file=False)
    carl = people.with_role("carl", "reader")

    assert carl.see(f"/merge/{net}?source=3&into=main").status == 403
    assert carl.act(f"merge/{net}", source=3, into="main").status == 403
    assert carl.act(f"revert/{net}", revision=1, branch="main").status == 403
    assert ann.refs(net)["main"] == ("branch", 2)
