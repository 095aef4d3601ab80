"""Deleting, restoring and renaming by forms as a browser sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow


def _model(ann: Person, name: str) -> str:
    for number in (1, 2, 3):
        ann.commit(name, {"w.txt": f"{name} {number}".encode()}, labels='{"task": "digits"}')
    return name


def _state(ann: Person, model: str) -> dict[str, Any]:
    """All that people see of a model."""
    place = f"/models/{quote(model, '')}"
    return {
        "model": ann.told(place), "versions": ann.told(f"{place}/versions"),
        "refs": ann.refs(model), "labels": ann.labels(model),
    }  # fmt: skip


def _is_there(ann: Person, model: str, number: int) -> bool:
    place = f"/api/v1/models/{quote(model, '')}/versions/{number}"
    return bool(ann.api.get(place).status_code == 200)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_version_is_deleted_and_brought_back_exactly(ann: Person, number: int) -> None:
    net = _model(ann, f"gone/version-{number}")
    before = _state(ann, net)

    done = ann.act(f"delete/{net}", revision=number)
    assert f"Version {number} of {net} is deleted." in done.text
    assert not _is_there(ann, net, number)
    line = ann.last_line(net)
    assert (line["action"], line["detail"]["number"]) == ("delete", number)
    assert line["account"] == "admin"

    done.undo()
    assert _state(ann, net) == before
    assert "restore" in {line["action"] for line in ann.told("/audit", of=net, limit=2)["items"]}


def test_a_branch_that_ended_at_a_deleted_version_ends_there_again(ann: Person) -> None:
    net = _model(ann, "gone/tip")
    ann.act(f"ref/{net}", kind="branch", name="second", revision=3)
    before = ann.refs(net)

    done = ann.act(f"delete/{net}", revision=3)
    assert ann.refs(net) == {"main": ("branch", 2), "second": ("branch", 2)}

    done.undo()
    assert ann.refs(net) == before


@pytest.mark.parametrize("kind", ["tag", "alias"])
def test_a_version_that_is_named_is_kept_and_told_by_what(ann: Person, kind: str) -> None:
    net = _model(ann, f"kept/{kind}")
    if kind == "tag":
        ann.act(f"ref/{net}", kind="tag", name="release", revision=1)
    else:
        ann.act(f"alias/{net}", alias="release", revision=1)

    refused = ann.act(f"delete/{net}", revision=1)

    assert refused.status == 409
    assert f"{net}@1 is kept by {kind} release" in refused.text
    assert _is_there(ann, net, 1)


def test_the_only_version_may_go_and_come_back(ann: Person) -> None:
    ann.commit("gone/only", {"w.txt": b"w"})
    before = _state(ann, "gone/only")

    done = ann.act("delete/gone/only", revision=1)
    assert done.status == 200
    assert ann.refs("gone/only") == {}

    done.undo()
    assert _state(ann, "gone/only") == before


def test_a_version_is_deleted_by_number_alone(ann: Person) -> None:
    net = _model(ann, "gone/name")

    assert ann.act(f"delete/{net}", revision="main").status == 422
    assert ann.act(f"delete/{net}", revision="").status == 422
    assert _is_there(ann, net, 3)


def test_a_model_is_deleted_if_its_name_is_typed_and_comes_back(ann: Person) -> None:
    net = _model(ann, "gone/model")
    before = _state(ann, net)

    mistyped = ann.act(f"delete-model/{net}", name="gone/modell")
    assert mistyped.status == 422
    assert "nothing was deleted" in mistyped.text
    assert _state(ann, net) == before

    done = ann.act(f"delete-model/{net}", name=net)
    assert f"The model {net} is deleted." in done.text
    assert ann.api.get(f"/api/v1/models/{quote(net, '')}").status_code == 404
    assert [m["name"] for m in ann.told("/models", deleted=True)["items"]] == [net]

    done.undo()
    assert _state(ann, net) == before
    actions = [line["action"] for line in ann.told("/audit", of=net, limit=2)["items"]]
    assert actions == ["restore-model", "delete-model"]


def test_a_model_whose_name_is_taken_again_is_not_put_over_the_other(ann: Person) -> None:
    net = _model(ann, "gone/taken")
    done = ann.act(f"delete-model/{net}", name=net)
    ann.commit(net, {"w.txt": b"another"})

    refused = done.undo()

    assert refused.status == 409
    assert ann.told(f"/models/{quote(net, '')}")["versions"] == 1


def test_a_model_is_renamed_and_back(ann: Person) -> None:
    net = _model(ann, "names/old")
    before = _state(ann, net)

    done = ann.act(f"rename/{net}", name="names/new")
    assert "names/old is called names/new now." in done.text
    assert done.path.startswith("/models/names/new")
    line = ann.last_line("names/new")
    assert line["action"] == "rename"
    assert line["detail"]["from"] == "names/old"
    assert _state(ann, "names/new")["refs"] == before["refs"]

    done.undo()
    after = _state(ann, net)
    changed = {"updated"}
    assert {k: v for k, v in after["model"].items() if k not in changed} == {
        k: v for k, v in before["model"].items() if k not in changed
    }
    assert {k: v for k, v in after.items() if k != "model"} == {
        k: v for k, v in before.items() if k != "model"
    }


@pytest.mark.parametrize("name", ["", "a//b", "a b", "x.git", "names/there"])
def test_a_name_that_can_not_be_changes_nothing(ann: Person, name: str) -> None:
    net = _model(ann, "names/kept")
    if name == "names/there":
        ann.commit(name, {"w.txt": b"x"})

    assert ann.act(f"rename/{net}", name=name).status in (409, 422)
    assert ann.told(f"/models/{quote(net, '')}")["name"] == net


def test_writers_do_not_delete(people: People, ann: Person) -> None:
    net = _model(ann, "closed/deleting")
    bob = people.with_role("bob", "writer")
    before = _state(ann, net)

    assert bob.act(f"delete/{net}", revision=1).status == 403
    assert bob.act(f"delete-model/{net}", name=net).status == 403
    assert bob.act(f"rename/{net}", name="closed/other").status == 403
    assert bob.act(f"restore/{net}", revision=1).status == 403
    assert _state(ann, net) == before


def test_who_maintains_the_old_name_alone_does_not_take_a_new_one(
    people: People, ann: Person
) -> None:
    net = _model(ann, "team/net")
    eve = people.with_role("eve", "maintainer", "team/*")

    assert eve.act(f"rename/{net}", name="others/net").status in (403, 404)
    assert ann.told(f"/models/{quote(net, '')}")["name"] == net
