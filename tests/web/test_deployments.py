"""Deployments through pages without JavaScript: deployed, tried, changed, brought back, ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelyard.registry.deployments import fall_back
from modelyard.registry.local import LocalYard

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.acting import People, Person, Seen

pytestmark = pytest.mark.slow


def _graph(factor: float) -> bytes:
    """Multiplies four numbers."""
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["y"])], "g",
        [value("x", TensorProto.FLOAT, ["n", 4])], [value("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(np.full(4, factor, np.float32), "w")],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    made: bytes = helper.make_model(graph, ir_version=10, opset_imports=opset).SerializeToString()
    return made


def _model(ann: Person, name: str, versions: int = 3) -> str:
    for number in range(1, versions + 1):
        ann.commit(name, {"model.onnx": _graph(number)}, message=f"times {number}")
    return name


def _deployed(ann: Person, name: str, model: str, revision: str = "1", **more: str) -> Seen:
    form = ann.see(f"/deploy?version={model}@{revision}")
    seen = form.submit("/do/deploy", name=name, **more)
    assert seen.status == 200, seen.text
    _wait(lambda: _told(ann, name)["state"] == "ready")
    return seen


def _told(ann: Person, name: str) -> dict[str, Any]:
    found: dict[str, Any] = ann.told(f"/deployments/{name}")
    return found


def _shares(ann: Person, name: str) -> list[tuple[int, float, bool]]:
    shares = _told(ann, name)["spec"]["shares"]
    return [(share["number"], share["percent"], share["shadow"]) for share in shares]


def _wait(so: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not so():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_without_a_deployment_the_page_tells_how_to_make_one(people: People) -> None:
    eve = people.with_role("stays-out", "reader", "nothing/*")
    seen = eve.see("/deployments")
    assert "Nothing is deployed." in seen.text
    assert "yard deploy" in seen.text


def test_a_version_is_deployed_from_its_page_and_answers(ann: Person) -> None:
    net = _model(ann, "deployed/first")
    page = ann.see(f"/versions/{net}@2")
    assert f"/deploy?version={net.replace('/', '%2F')}%402" in page.links

    seen = _deployed(ann, "first", net, "2")
    assert "first is deployed." in seen.text
    assert _shares(ann, "first") == [(2, 100, False)]

    page = ann.see("/deployments/first")
    tried = page.submit("/do/try/first")
    assert tried.status == 200
    assert "Version 2 answered" in tried.text
    assert '"predictions"' in tried.text
    wrong = page.submit("/do/try/first", body='{"rows": [[1]]}')
    assert "400" in wrong.text
    assert "bad-inputs" in wrong.text
    broken = page.submit("/do/try/first", body="<b>{")
    assert "<b>{" not in broken.html
    assert "400" in broken.text

    log = ann.see("/requests/first")
    assert "answered" in log.text
    assert "bad-inputs" in log.text
    assert " answered " not in ann.see("/requests/first?only=failed").text
    assert "first" in ann.see(f"/models/{net}").text
    assert "/deployments/first" in ann.see(f"/versions/{net}@2").links
    assert "/deployments/first" not in ann.see(f"/versions/{net}@1").links


def test_the_list_tells_of_its_versions_and_their_state(ann: Person) -> None:
    net = _model(ann, "deployed/listed")
    _deployed(ann, "listed", net)
    text = ann.see("/deployments").text
    assert "listed ready" in text
    assert f"{net}@1 100 %" in text
    assert "listed" not in ann.see("/deployments?model=deployed/none").text
    (line,) = [
        line
        for line in ann.client.get("/deployments.json").json()["items"]
        if line["deployment"]["spec"]["name"] == "listed"
    ]
    assert (line["state"], line["parts"][0]["kind"]) == ("ready", "stable")


def test_a_canary_is_added_moved_rolled_out_and_promoted(ann: Person) -> None:
    net = _model(ann, "deployed/canary")
    _deployed(ann, "grows", net)
    page = ann.see("/deployments/grows")
    seen = page.submit(
        "/do/deployments/canary/grows", version=f"{net}@2", kind="canary", percent="10"
    )
    assert f"{net}@2 gets 10 % of the requests." in seen.text
    assert _shares(ann, "grows") == [(1, 90, False), (2, 10, False)]

    seen = seen.submit("/do/deployments/share/grows", percent="25")
    assert "The canary gets 25 % now." in seen.text
    assert _shares(ann, "grows") == [(1, 75, False), (2, 25, False)]

    seen = seen.submit("/do/deployments/rollout/grows", steps="30, 60, 100", every="1h")
    assert "the canary gets 30 % now" in seen.text
    assert "next step in" in seen.text
    assert _shares(ann, "grows")[1][1] == 30

    seen = seen.submit("/do/deployments/promote/grows")
    assert f"{net}@2 gets all requests now." in seen.text
    assert _shares(ann, "grows") == [(2, 100, False)]

    back = seen.undo()
    assert back.status == 200, back.text
    assert _shares(ann, "grows")[0][:2] == (1, 70)


def test_a_shadow_gets_copies_and_a_canary_is_dropped(ann: Person) -> None:
    net = _model(ann, "deployed/shadow")
    _deployed(ann, "shaded", net)
    page = ann.see("/deployments/shaded")
    page = page.submit(
        "/do/deployments/canary/shaded", version=f"{net}@3", kind="shadow", percent="100"
    )
    page = page.submit(
        "/do/deployments/canary/shaded", version=f"{net}@2", kind="canary", percent="5"
    )
    assert _shares(ann, "shaded") == [(1, 95, False), (2, 5, False), (3, 100, True)]
    _wait(lambda: _told(ann, "shaded")["state"] == "ready")
    ann.see("/deployments/shaded").submit("/do/try/shaded")
    _wait(lambda: "copy" in ann.see("/requests/shaded").text)
    page = ann.see("/deployments/shaded").submit("/do/deployments/drop/shaded")
    assert _shares(ann, "shaded") == [(1, 100, False), (3, 100, True)]


def test_a_deployment_is_edited_rolled_back_and_that_is_taken_back(ann: Person) -> None:
    net = _model(ann, "deployed/back")
    _deployed(ann, "goes-back", net)
    form = ann.see("/deploy?name=goes-back")
    seen = form.submit("/do/deploy", version=f"{net}@3", sticky="x-user", deadline="2s")
    assert "goes-back is changed." in seen.text
    told = _told(ann, "goes-back")["spec"]
    assert (told["sticky"], told["limits"]["deadline"]) == ("x-user", 2)

    seen = ann.act("deployments/rollback/goes-back")  # the button in the head
    assert f"Requests go to {net}@1." in seen.text
    assert _shares(ann, "goes-back") == [(1, 100, False)]
    seen.undo()
    assert _shares(ann, "goes-back") == [(3, 100, False)]
    text = ann.see("/deployments/goes-back").text
    assert "rolled back" in text
    assert "Sticky by header x-user" in text


def test_a_button_that_is_pressed_twice_is_taken_once(ann: Person) -> None:
    net = _model(ann, "deployed/twice")
    _deployed(ann, "twice", net)
    for act, fields in (
        ("rollback", {}), ("drop", {}), ("promote", {}), ("rollout", {"steps": "5,100"}),
    ):  # fmt: skip
        stable = {"version": f"{net}@2", "canary.version": f"{net}@3", "canary.percent": "5"}
        ann.see("/deploy?name=twice").submit("/do/deploy", **stable)
        page = ann.see("/deployments/twice")
        form = next(f for f in page.forms if f.action == f"/do/deployments/{act}/twice")
        told = [ann.send(form, form.filled(None, fields)).status for _ in range(2)]
        assert told[0] == 200, act
        assert told[1] in (409, 412), act
        assert _shares(ann, "twice")[0][0] == (3 if act == "promote" else 2), act


def test_an_older_change_is_gone_back_to_from_the_history(ann: Person) -> None:
    net = _model(ann, "deployed/history")
    _deployed(ann, "has-past", net)
    for revision in ("2", "3"):
        ann.see("/deploy?name=has-past").submit("/do/deploy", version=f"{net}@{revision}")
    first = ann.see("/deployments/has-past")
    seen = first.submit("/do/deployments/rollback/has-past", holding={"to": "1"})
    assert seen.status == 200
    assert _shares(ann, "has-past") == [(1, 100, False)]


def test_the_history_tells_why_a_version_gets_no_more(people: People, ann: Person) -> None:
    net = _model(ann, "deployed/fails")
    _deployed(ann, "fails", net, **{"canary.version": f"{net}@2", "canary.percent": "5"})
    told = _told(ann, "fails")
    failed = told["spec"]["shares"][1]
    with LocalYard.at(people.server.folder) as yard:
        fall_back(
            yard.house, "fails", generation=told["generation"], model=net, number=2,
            commit=failed["commit"], reason="it failed again and again",
        )  # fmt: skip
    assert "it failed again and again" in ann.see("/deployments/fails").text


def test_a_deployment_is_paused_and_goes_on(ann: Person) -> None:
    net = _model(ann, "deployed/paused")
    _deployed(ann, "rests", net)
    seen = ann.see("/deployments/rests").submit("/do/deployments/pause/rests")
    assert _told(ann, "rests")["spec"]["paused"] is True
    seen.undo()
    assert _told(ann, "rests")["spec"]["paused"] is False


def test_a_deployment_ends_only_if_its_name_is_repeated_and_comes_again(ann: Person) -> None:
    net = _model(ann, "deployed/ended")
    _deployed(ann, "ends", net)
    page = ann.see("/deployments/ends")
    wrong = page.submit("/do/deployments/undeploy/ends", sure="other")
    assert "Nothing was ended" in wrong.text
    assert _told(ann, "ends")["state"] == "ready"

    gone = page.submit("/do/deployments/undeploy/ends", sure="ends")
    assert "ends is undeployed." in gone.text
    left = ann.see("/deployments/ends")
    assert (left.status, left.path) == (200, "/undeployed/ends")
    assert "undeployed" in left.text
    assert left.has_form("/do/deployments/again/ends")
    assert ann.client.get("/deployments/ends.json").json()["name"] == "ends"
    again = gone.undo()
    assert "deployed as it was" in again.text
    assert _shares(ann, "ends") == [(1, 100, False)]


def test_a_version_that_can_not_be_loaded_tells_why_and_gets_nothing(ann: Person) -> None:
    net = _model(ann, "deployed/broken")
    _deployed(ann, "survives", net)
    ann.commit(net, {"model.onnx": b"no graph at all"}, message="broken")
    seen = ann.see("/deploy?name=survives").submit("/do/deploy", version=f"{net}@4")
    if seen.status == 200:  # else it was refused at once
        _wait(lambda: _told(ann, "survives")["state"] == "failed")
        text = ann.see("/deployments/survives").text
        assert "failed" in text
        assert "kept" in text
    tried = ann.see("/deployments/survives").submit("/do/try/survives")
    assert "Version 1 answered" in tried.text


def test_what_is_wrong_with_a_form_is_told(ann: Person) -> None:
    net = _model(ann, "deployed/wrong")
    for fields in (
        {"name": "No Name", "version": f"{net}@1"}, {"name": "x1", "version": f"{net}@99"},
        {"name": "x1", "version": "deployed/none@1"}, {"name": "x1", "version": net},
    ):  # fmt: skip
        seen = ann.act("deploy", **fields)
        assert seen.status in (404, 409, 422), (fields, seen.status)
    assert ann.see("/deployments/x1").status == 404


def test_nobody_elses_change_is_overwritten(ann: Person) -> None:
    net = _model(ann, "deployed/stale")
    _deployed(ann, "stale", net)
    old = ann.see("/deploy?name=stale")
    ann.see("/deploy?name=stale").submit("/do/deploy", version=f"{net}@2")
    late = old.submit("/do/deploy", version=f"{net}@3")
    assert late.status in (409, 412)
    assert _shares(ann, "stale")[0][0] == 2
    taken = ann.see(f"/deploy?version={net}@3").submit("/do/deploy", name="stale")
    assert taken.status in (409, 412)
    assert _shares(ann, "stale")[0][0] == 2


def test_a_reader_sees_it_and_asks_it_but_changes_nothing(people: People, ann: Person) -> None:
    net = _model(ann, "deployed/read")
    _deployed(ann, "looked-at", net, sample="100")
    eve = people.with_role("eve-looks", "reader", "deployed/*")
    page = eve.see("/deployments/looked-at")
    assert page.status == 200
    assert not [f for f in page.forms if f.action.startswith("/do/deployments")]
    assert "Version 1 answered" in page.submit("/do/try/looked-at").text
    assert "Values" in ann.see("/requests/looked-at").text
    assert "Values" not in eve.see("/requests/looked-at").text
    assert "inputs" in ann.told("/deployments/looked-at/requests")["requests"][0]
    assert "inputs" not in eve.told("/deployments/looked-at/requests")["requests"][0]
    assert eve.act("deployments/pause/looked-at").status == 403
    assert eve.act("deployments/undeploy/looked-at", sure="looked-at").status == 403


def test_who_may_not_read_a_model_sees_nothing_of_its_deployment(
    people: People, ann: Person
) -> None:
    net = _model(ann, "deployed-hidden/net")
    _deployed(ann, "hidden-one", net)
    eve = people.with_role("eve-outside", "reader", "nothing/*")
    for path in (
        "/deployments/hidden-one", "/requests/hidden-one", "/deploy?name=hidden-one",
        "/undeployed/hidden-one",
    ):  # fmt: skip
        assert eve.see(path).status == 404, path
        assert eve.see(path.replace("hidden-one", "never-was")).status == 404, path
    assert "hidden-one" not in eve.see("/deployments").html
    assert eve.act("try/hidden-one", body="{}").status == 404
    assert eve.act("deployments/pause/hidden-one").status == 404
