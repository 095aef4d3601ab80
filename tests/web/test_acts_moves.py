"""Aliases, branches and tags, moved by forms as a browser sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow


def _model(ann: Person, name: str) -> str:
    for number in (1, 2, 3):
        ann.commit(name, {"w.txt": str(number).encode()}, message=f"number {number}")
    return name


def test_an_alias_is_made_moved_and_brought_back(ann: Person) -> None:
    net = _model(ann, "moves/alias")

    made = ann.act(f"alias/{net}", alias="champion", revision=1, seen="")
    assert "The alias champion is new and points at version 1." in made.text
    assert ann.refs(net)["champion"] == ("alias", 1)

    moved = ann.act(f"alias/{net}", alias="champion", revision=3, seen=["", "champion 1"])
    assert "moved from version 1 to version 3" in moved.text
    line = ann.last_line(net)
    assert (line["action"], line["ref"], line["old"], line["new"]) == ("alias", "champion", 1, 3)
    assert (line["account"], line["who"]) == ("admin", "admin")

    moved.undo()
    assert ann.refs(net)["champion"] == ("alias", 1)
    line = ann.last_line(net)
    assert (line["ref"], line["old"], line["new"]) == ("champion", 3, 1)


def test_undoing_a_new_alias_takes_it_away(ann: Person) -> None:
    net = _model(ann, "moves/new")
    before = ann.refs(net)

    ann.act(f"alias/{net}", alias="champion", revision=1, seen="").undo()

    assert ann.refs(net) == before


def test_an_alias_that_somebody_else_moved_meanwhile_stays(ann: Person) -> None:
    net = _model(ann, "moves/stale")
    ann.act(f"alias/{net}", alias="champion", revision=1)
    moved = ann.act(f"alias/{net}", alias="champion", revision=2)
    ann.act(f"alias/{net}", alias="champion", revision=3)

    late = ann.act(f"alias/{net}", alias="champion", revision=1, seen=["", "champion 2"])
    unaware = ann.act(f"alias/{net}", alias="champion", revision=1, seen="")
    undone = moved.undo()

    assert [late.status, unaware.status, undone.status] == [412, 412, 412]
    assert ann.refs(net)["champion"] == ("alias", 3)


def test_an_alias_that_is_there_already_is_told_so(ann: Person) -> None:
    net = _model(ann, "moves/same")
    ann.act(f"alias/{net}", alias="champion", revision=1)

    again = ann.act(f"alias/{net}", alias="champion", revision=1)

    assert "points at version 1 already" in again.text
    assert not any(text == "Undo" for form in again.forms for _, _, text in form.buttons)


def test_a_rollback_is_shown_done_and_undone(ann: Person) -> None:
    net = _model(ann, "moves/rollback")
    for number in (1, 2, 3):
        ann.act(f"alias/{net}", alias="champion", revision=number)

    page = ann.see(f"/rollback/{net}?alias=champion")
    assert page.status == 200
    assert "Now Version 3" in page.text
    assert "After Version 2" in page.text
    done = page.submit(f"/do/rollback/{net}")
    assert "went back from version 3 to version 2" in done.text
    assert ann.refs(net)["champion"] == ("alias", 2)
    line = ann.last_line(net)
    assert (line["action"], line["old"], line["new"]) == ("rollback", 3, 2)

    done.undo()
    assert ann.refs(net)["champion"] == ("alias", 3)


def test_a_rollback_may_go_further_back(ann: Person) -> None:
    net = _model(ann, "moves/further")
    for number in (1, 2, 3):
        ann.act(f"alias/{net}", alias="champion", revision=number)

    ann.see(f"/rollback/{net}?alias=champion&to=1").submit(f"/do/rollback/{net}")

    assert ann.refs(net)["champion"] == ("alias", 1)


def test_a_rollback_of_what_moved_meanwhile_is_refused(ann: Person) -> None:
    net = _model(ann, "moves/raced")
    ann.act(f"alias/{net}", alias="champion", revision=1)
    ann.act(f"alias/{net}", alias="champion", revision=2)
    page = ann.see(f"/rollback/{net}?alias=champion")
    ann.act(f"alias/{net}", alias="champion", revision=3)

    assert page.submit(f"/do/rollback/{net}").status == 412
    assert ann.refs(net)["champion"] == ("alias", 3)


def test_an_alias_with_no_past_has_nothing_to_roll_back_to(ann: Person) -> None:
    net = _model(ann, "moves/young")
    ann.act(f"alias/{net}", alias="champion", revision=1)

    page = ann.see(f"/rollback/{net}?alias=champion")

    assert page.status == 200
    assert "pointed nowhere before" in page.text
    assert not page.has_form(f"/do/rollback/{net}")


@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_branches_and_tags_are_made_and_taken_back(ann: Person, kind: str) -> None:
    net = _model(ann, f"moves/{kind}")
    before = ann.refs(net)

    made = ann.act(f"ref/{net}", kind=kind, name="v2", revision=2)
    assert ann.refs(net) == {**before, "v2": (kind, 2)}
    assert (ann.last_line(net)["action"], ann.last_line(net)["new"]) == (kind, 2)

    made.undo()
    assert ann.refs(net) == before
    assert (ann.last_line(net)["action"], ann.last_line(net)["new"]) == ("delete", None)


@pytest.mark.parametrize("kind", ["branch", "tag", "alias"])
def test_a_ref_that_was_deleted_comes_back(ann: Person, kind: str) -> None:
    net = _model(ann, f"moves/del-{kind}")
    if kind == "alias":
        ann.act(f"alias/{net}", alias="mine", revision=2)
    else:
        ann.act(f"ref/{net}", kind=kind, name="mine", revision=2)
    before = ann.refs(net)

    gone = ann.act(f"delete-ref/{net}", name="mine", expected=2)
    assert "mine is deleted" in gone.text
    assert "mine" not in ann.refs(net)

    gone.undo()
    assert ann.refs(net) == before


def test_a_branch_that_grew_is_not_taken_back(ann: Person) -> None:
    net = _model(ann, "moves/grew")
    made = ann.act(f"ref/{net}", kind="branch", name="try", revision=2)
    ann.commit(net, {"w.txt": b"more"}, branch="try")

    assert made.undo().status == 412
    assert ann.refs(net)["try"] == ("branch", 4)


@pytest.mark.parametrize("name", ["main", "1234567", "a b", "a..b", ""])
def test_names_that_can_not_be_are_refused_with_a_sentence(ann: Person, name: str) -> None:
    net = _model(ann, "moves/names")
    before = ann.refs(net)

    answers = [
        ann.act(f"ref/{net}", kind="tag", name=name, revision=1),
        ann.act(f"alias/{net}", alias=name, revision=1),
    ]

    assert {seen.status for seen in answers} <= {409, 422}
    assert ann.refs(net) == before


def test_hostile_names_are_words_on_the_page(ann: Person) -> None:
    net = _model(ann, "moves/hostile")
    name = "<img/src=x/onerror=alert(1)>"

    made = ann.act(f"alias/{net}", alias=name, revision=1)

    assert f"The alias {name} is new" in made.text
    assert "<img/src" not in made.html
    made.undo()
    assert name not in ann.refs(net)


def test_a_guarded_alias_becomes_a_proposal(people: People, ann: Person) -> None:
    net = _model(ann, "guarded/net")
    guard = {"pattern": "guarded/*", "ref": "prod", "role": "writer", "approvals": 1}
    assert ann.api.put("/api/v1/guards", json=guard).status_code == 200

    asked = ann.act(f"alias/{net}", alias="prod", revision=2, message="better")

    assert "prod is guarded: proposal" in asked.text
    assert "when 1 other has approved" in asked.text
    assert "prod" not in ann.refs(net)
    [proposal] = ann.told("/proposals", of=net)
    assert (proposal["ref"], proposal["new"], proposal["state"]) == ("prod", 2, "open")
    assert proposal["message"] == "better"
    assert ann.last_line(net)["action"] == "propose"


def test_a_rollback_of_a_guarded_alias_becomes_a_proposal(people: People, ann: Person) -> None:
    net = _model(ann, "careful/net")
    for number in (1, 2):
        ann.act(f"alias/{net}", alias="prod", revision=number)
    guard = {"pattern": "careful/*", "ref": "prod", "role": "writer", "approvals": 2}
    assert ann.api.put("/api/v1/guards", json=guard).status_code == 200

    asked = ann.see(f"/rollback/{net}?alias=prod").submit(f"/do/rollback/{net}")

    assert "when 2 others have approved" in asked.text
    assert ann.refs(net)["prod"] == ("alias", 2)
    [proposal] = ann.told("/proposals", of=net)
    assert (proposal["old"], proposal["new"]) == (2, 1)


def test_where_only_a_role_is_missing_nothing_is_proposed(people: People, ann: Person) -> None:
    net = _model(ann, "roles/net")
    guard = {"pattern": "roles/*", "ref": "prod", "role": "maintainer", "approvals": 0}
    assert ann.api.put("/api/v1/guards", json=guard).status_code == 200
    bob = people.with_role("bob", "writer")

    refused = bob.act(f"alias/{net}", alias="prod", revision=2)

    assert refused.status == 403
    assert "guarded" in refused.text
    assert "prod" not in ann.refs(net)
    assert ann.told("/proposals", of=net) == []


def test_readers_can_not_act_and_strangers_learn_nothing(people: People, ann: Person) -> None:
    net = _model(ann, "closed/net")
    before = ann.refs(net)
    carl = people.with_role("carl", "reader")

    acts = {
        f"alias/{net}": {"alias": "x", "revision": "1"},
        f"rollback/{net}": {"alias": "x"},
        f"ref/{net}": {"kind": "tag", "name": "x", "revision": "1"},
        f"delete-ref/{net}": {"name": "main"},
    }
    for path, fields in acts.items():
        assert carl.act(path, **fields).status == 403, path
        hidden = carl.act(path.replace(net, "closed/other"), **fields)
        assert hidden.status in (403, 404), path
    assert carl.see(f"/rollback/{net}?alias=main").status == 403
    assert ann.refs(net) == before


def test_forms_of_other_sites_are_refused(ann: Person) -> None:
    net = _model(ann, "moves/cross")
    fields = {"alias": "x", "revision": "1"}

    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {}):
        answer = ann.client.post(f"/do/alias/{net}", data=fields, headers=headers)
        assert answer.status_code == 403, headers
    assert "x" not in ann.refs(net)
