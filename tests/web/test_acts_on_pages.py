"""The forms stand on the pages where people look for them, for those who may send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.server.running import running
from tests.web.acting import Person

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.acting import People

pytestmark = pytest.mark.slow


def _model(ann: Person, name: str) -> str:
    for number in (1, 2):
        ann.commit(name, {"w.txt": f"{name} {number}".encode()}, labels='{"task": "digits"}')
    return name


def test_the_page_of_a_version_points_aliases_at_it(ann: Person) -> None:
    net = _model(ann, "pages/alias")

    there = ann.see(f"/versions/{net}@2").submit(f"/do/alias/{net}", alias="champion")

    assert there.status == 200
    assert there.path.endswith("2")
    assert ann.refs(net)["champion"] == ("alias", 2)
    again = ann.see(f"/versions/{net}@1").submit(f"/do/alias/{net}", alias="champion")
    assert "moved from version 2 to version 1" in again.text
    assert ann.refs(net)["champion"] == ("alias", 1)
    assert "The alias champion moved from version 1 to version 2." in again.undo().text
    assert ann.refs(net)["champion"] == ("alias", 2)


def test_the_page_of_a_version_labels_it(ann: Person) -> None:
    net = _model(ann, "pages/label")
    page = ann.see(f"/versions/{net}@1")

    page.submit(f"/do/label/{net}", holding={"add": ""}, add="domain=vision")
    assert ann.labels(net, 1) == {"task": "digits", "domain": "vision"}

    removers = [f for f in page.forms if ("remove", "task", "×") in f.buttons]
    ann.send(removers[0], removers[0].filled("task", {}))
    assert ann.labels(net, 1) == {"domain": "vision"}


def test_the_page_of_a_version_makes_branches_and_tags(ann: Person) -> None:
    net = _model(ann, "pages/refs")
    page = ann.see(f"/versions/{net}@1")

    page.submit(f"/do/ref/{net}", press="branch", name="try")
    page.submit(f"/do/ref/{net}", press="tag", name="v1")

    assert ann.refs(net) == {"main": ("branch", 2), "try": ("branch", 1), "v1": ("tag", 1)}


def test_the_page_of_a_version_deletes_reverts_and_merges(ann: Person) -> None:
    net = _model(ann, "pages/version")
    page = ann.see(f"/versions/{net}@1")

    reverted = page.submit(f"/do/revert/{net}")
    assert "Version 3 is made on the branch main." in reverted.text
    assert any(link.startswith(f"/merge/{net}") for link in page.links)
    gone = page.submit(f"/do/delete/{net}")
    assert f"Version 1 of {net} is deleted." in gone.text
    assert gone.status == 200
    assert "is there again" in gone.undo().text


def test_the_page_of_a_model_renames_deletes_and_rolls_back(ann: Person) -> None:
    net = _model(ann, "pages/model")
    for number in (1, 2):
        ann.act(f"alias/{net}", alias="champion", revision=number)
    page = ann.see(f"/models/{net}")

    rollback = next(link for link in page.links if link.startswith(f"/rollback/{net}"))
    ann.see(rollback).submit(f"/do/rollback/{net}")
    assert ann.refs(net)["champion"] == ("alias", 1)
    renamed = page.submit(f"/do/rename/{net}", name="pages/other")
    assert renamed.status == 200
    renamed.undo()
    gone = page.submit(f"/do/delete-model/{net}", name=net)
    assert gone.status == 200
    listed = ann.see("/models?deleted=1")
    back = listed.submit(f"/do/restore/{net}") if listed.has_form(f"/do/restore/{net}") else None
    assert "is there again" in (back or gone.undo()).text


def test_an_alias_is_deleted_where_it_is_listed(ann: Person) -> None:
    net = _model(ann, "pages/list")
    ann.act(f"alias/{net}", alias="champion", revision=1)

    gone = ann.see(f"/models/{net}").submit(f"/do/delete-ref/{net}", holding={"name": "champion"})

    assert "champion is deleted" in gone.text
    assert gone.path == f"/models/{net}"
    assert "champion" not in ann.refs(net)


def test_readers_see_no_form_that_changes_something(people: People, ann: Person) -> None:
    net = _model(ann, "pages/reader")
    ann.act(f"alias/{net}", alias="champion", revision=1)
    carl = people.with_role("carl", "reader")

    for path in (f"/models/{net}", f"/versions/{net}@1", f"/history/{net}", "/models"):
        seen = carl.see(path)
        assert seen.status == 200
        changing = {f.action for f in seen.forms if f.method == "post"}
        assert changing <= {"/do/language", "/do/theme", "/logout"}, path


def test_a_model_whose_name_ends_like_a_twin_has_its_acts(ann: Person) -> None:
    ann.commit("pages/x.json", {"w.txt": b"w"})

    done = ann.see("/models/pages/x.json.html").submit(
        "/do/label/pages/x.json", holding={"add": ""}, add="a=b"
    )

    assert done.status == 200
    assert ann.labels("pages/x.json") == {"a": "b"}


def test_behind_a_proxy_acts_stay_below_its_path(tmp_path: Path) -> None:
    with running(tmp_path / "yard", prefix="/yards") as server:
        place = server.url.removesuffix("/yards")
        headers = {"authorization": f"Bearer {server.token}"}
        with (
            httpx2.Client(base_url=place, follow_redirects=True) as client,
            httpx2.Client(base_url=f"{place}/yards", headers=headers) as api,
        ):
            eve = Person(client, api)
            page = eve.see("/yards/login")
            page.submit("/yards/login", name="admin", password=server.token)
            eve.commit("far/net", {"w.txt": b"w"})

            done = eve.see("/yards/versions/far/net@1").submit(
                "/yards/do/alias/far/net", alias="champion"
            )

            assert done.path.startswith("/yards/versions/far/net")
            assert eve.refs("far/net")["champion"] == ("alias", 1)
            done.undo()
            assert "champion" not in eve.refs("far/net")
            sent = client.post(
                "/yards/do/upload/far/net", files=[("files", ("a.txt", b"a"))],
                headers={"accept": "application/json", "sec-fetch-site": "same-origin"},
            )  # fmt: skip
            assert sent.json()["go_to"].startswith("/yards/versions/far/net")
