"""Labels, set and removed by forms as a browser sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow


def _model(ann: Person, name: str) -> str:
    ann.commit(name, {"w.txt": name.encode()}, labels='{"domain": "vision", "draft": ""}')
    return name


def test_a_label_of_a_version_is_set_and_taken_back(ann: Person) -> None:
    net = _model(ann, "labels/set")
    before = ann.labels(net, 1)

    done = ann.act(f"label/{net}", revision=1, add="task=digits")
    assert "Labelled task=digits." in done.text
    assert ann.labels(net, 1) == {**before, "task": "digits"}
    line = ann.last_line(net)
    assert line["action"] == "label"
    assert line["detail"]["add"] == {"task": "digits"}
    assert line["detail"]["number"] == 1
    assert line["account"] == "admin"

    done.undo()
    assert ann.labels(net, 1) == before


def test_a_label_that_had_another_value_gets_it_back(ann: Person) -> None:
    net = _model(ann, "labels/change")

    done = ann.act(f"label/{net}", revision=1, add="domain=speech")
    assert ann.labels(net, 1)["domain"] == "speech"

    done.undo()
    assert ann.labels(net, 1) == {"domain": "vision", "draft": ""}


@pytest.mark.parametrize("key", ["domain", "draft"])
def test_a_label_that_was_removed_comes_back(ann: Person, key: str) -> None:
    net = _model(ann, f"labels/remove-{key}")

    done = ann.act(f"label/{net}", revision=1, remove=key)
    assert "Removed the label" in done.text
    assert key not in ann.labels(net, 1)
    assert ann.last_line(net)["detail"]["remove"] == [key]

    done.undo()
    assert ann.labels(net, 1) == {"domain": "vision", "draft": ""}


def test_labels_of_the_model_are_its_own(ann: Person) -> None:
    net = _model(ann, "labels/model")

    done = ann.act(f"label/{net}", revision="", add="team=research\n语言=中文\n")
    assert ann.labels(net) == {"team": "research", "语言": "中文"}
    assert ann.labels(net, 1) == {"domain": "vision", "draft": ""}

    done.undo()
    assert ann.labels(net) == {}


def test_what_changes_nothing_offers_no_undo(ann: Person) -> None:
    net = _model(ann, "labels/same")

    done = ann.act(f"label/{net}", revision=1, add="domain=vision")

    assert "as they were" in done.text
    assert not any(text == "Undo" for form in done.forms for _, _, text in form.buttons)


@pytest.mark.parametrize("add", ["", "=x", "-key=x", "key=" + "x" * 257])
def test_labels_that_can_not_be_are_refused(ann: Person, add: str) -> None:
    net = _model(ann, "labels/bad")

    assert ann.act(f"label/{net}", revision=1, add=add).status == 422
    assert ann.labels(net, 1) == {"domain": "vision", "draft": ""}


def test_a_hostile_label_is_words_on_the_page(ann: Person) -> None:
    net = _model(ann, "labels/hostile")
    value = '"><script>alert(1)</script>'

    done = ann.act(f"label/{net}", revision=1, add=f"note={value}")

    assert ann.labels(net, 1)["note"] == value
    assert "<script>alert" not in done.html
    done.undo()
    assert "note" not in ann.labels(net, 1)


def test_readers_do_not_label(people: People, ann: Person) -> None:
    net = _model(ann, "labels/closed")
    carl = people.with_role("carl", "reader")

    assert carl.act(f"label/{net}", revision=1, add="a=b").status == 403
    assert ann.labels(net, 1) == {"domain": "vision", "draft": ""}
