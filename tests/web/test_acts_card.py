"""The card, written in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow

_CARD = "---\nlicense: mit\n---\n# Digits\n\nReads **digits**.\n"


def _model(ann: Person, name: str, card: str = _CARD) -> str:
    ann.commit(name, {"w.txt": name.encode(), "README.md": card.encode()}, metrics='{"f1": 0.5}')
    return name


def _file(ann: Person, model: str, revision: int | str, path: str = "README.md") -> str:
    place = f"/api/v1/models/{quote(model, '')}/versions/{revision}/files/{path}"
    return str(ann.api.get(place).content.decode())


def test_a_card_is_changed_in_a_version_that_keeps_all_else(ann: Person) -> None:
    net = _model(ann, "cards/net")
    page = ann.see(f"/card/{net}")
    assert dict(page.form(f"/do/card/{net}").fields)["text"] == _CARD

    new = "\n# Digits\r\n\r\n读 <手写> 数字 & more\r\n"
    done = page.submit(f"/do/card/{net}", text=new, message="say more")

    assert "The card is changed, in version 2." in done.text
    assert _file(ann, net, 2) == new.replace("\r\n", "\n")
    assert _file(ann, net, 2, "w.txt") == net
    version = ann.told(f"/models/{quote(net, '')}/versions/2")
    assert (version["message"], version["metrics"], version["author"]) == (
        "say more", {"f1": 0.5}, "admin",
    )  # fmt: skip
    line = ann.last_line(net)
    assert (line["action"], line["ref"], line["old"], line["new"]) == ("commit", "main", 1, 2)
    assert line["account"] == "admin"


def test_a_preview_shows_the_text_and_stores_nothing(ann: Person) -> None:
    net = _model(ann, "cards/preview")

    shown = ann.see(f"/card/{net}").submit(
        f"/do/card/{net}",
        to="/do/card-preview/cards/preview",
        text="# Hello\n\nIt is *new*. <script>alert(1)</script>",
    )

    assert shown.status == 200
    assert "<em>new</em>" in shown.html
    assert "<script>alert" not in shown.html
    assert dict(shown.form(f"/do/card/{net}").fields)["text"].startswith("# Hello")
    assert ann.refs(net) == {"main": ("branch", 1)}


def test_both_texts_are_shown_when_somebody_was_faster(ann: Person) -> None:
    net = _model(ann, "cards/raced")
    page = ann.see(f"/card/{net}")
    ann.commit(net, {"w.txt": net.encode(), "README.md": b"# Theirs\n"})

    met = page.submit(f"/do/card/{net}", text="# Mine\n", message="mine")

    assert met.status == 409
    assert "main moved to version 2 while you wrote." in met.text
    assert "# Theirs" in met.text
    fields = dict(met.form(f"/do/card/{net}").fields)
    assert (fields["text"], fields["parent"], fields["message"]) == ("# Mine\n", "2", "mine")
    assert _file(ann, net, "main") == "# Theirs\n"

    done = met.submit(f"/do/card/{net}", text="# Mine and theirs\n")
    assert "in version 3" in done.text
    assert _file(ann, net, "main") == "# Mine and theirs\n"


def test_a_text_that_is_not_changed_makes_no_version(ann: Person) -> None:
    net = _model(ann, "cards/same")

    done = ann.see(f"/card/{net}").submit(f"/do/card/{net}")

    assert "The card is as it was." in done.text
    assert ann.refs(net) == {"main": ("branch", 1)}


def test_a_model_without_a_card_gets_one(ann: Person) -> None:
    ann.commit("cards/none", {"w.txt": b"w"})

    page = ann.see("/card/cards/none")
    page.submit("/do/card/cards/none", text="# First\n")

    assert _file(ann, "cards/none", "main") == "# First\n"
    assert ann.told("/models/cards%2Fnone/versions/2")["message"] == "Edit the card"


def test_a_card_is_written_on_the_branch_that_is_chosen(ann: Person) -> None:
    net = _model(ann, "cards/branch")
    ann.act(f"ref/{net}", kind="branch", name="try", revision=1)

    page = ann.see(f"/card/{net}?branch=try")
    page.submit(f"/do/card/{net}", text="# Try\n")

    assert ann.refs(net) == {"main": ("branch", 1), "try": ("branch", 2)}


def test_a_card_that_is_no_text_is_left_to_the_command_line(ann: Person) -> None:
    ann.commit("cards/binary", {"README.md": b"\xff\xfe\x00" * 100})

    refused = ann.see("/card/cards/binary")

    assert refused.status == 501
    assert "yard checkout cards/binary" in refused.text


def test_readers_do_not_write(people: People, ann: Person) -> None:
    net = _model(ann, "cards/closed")
    carl = people.with_role("carl", "reader")

    assert carl.see(f"/card/{net}").status == 403
    sent = carl.act(f"card/{net}", branch="main", parent=1, text="# x")
    assert sent.status == 403
    assert ann.refs(net) == {"main": ("branch", 1)}
