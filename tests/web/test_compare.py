"""Comparing on a server: what is shown, to whom, and while it is being made."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from modelyard.testing.models import layers, safetensors_bytes

if TYPE_CHECKING:
    from tests.web.acting import People, Person

pytestmark = pytest.mark.slow


def _net(ann: Person, name: str) -> str:
    for seed in (1, 2):
        ann.commit(name, {
            "m.safetensors": safetensors_bytes(layers(seed, count=4)),
            "README.md": f"# Net\n\nseed {seed}\n".encode(),
        }, metrics=json.dumps({"accuracy": 0.8 + seed / 100, "loss": 1.0 / seed}),
            params=json.dumps({"lr": 0.1 / seed}))  # fmt: skip
    return name


def test_what_changed_is_told_in_words_numbers_and_colours(ann: Person) -> None:
    net = _net(ann, "compare/told")
    seen = ann.see(f"/compare?a={net}@1&b={net}@2")
    assert "8 of 8 tensors changed" in seen.text
    assert "1 parameter changed" in seen.text
    assert "better" in seen.text
    assert "seed 2" in seen.text
    fields = [link for link in seen.links if link.startswith("/compare/tensor?")]
    assert len(set(fields)) >= 8
    tensor = ann.see(fields[0])
    assert "largest difference" in tensor.text


def test_a_comparison_is_made_once(ann: Person) -> None:
    net = _net(ann, "compare/once")
    address = f"/compare.json?a={net}@1&b={net}@2"
    first, second = (ann.client.get(address).json() for _ in range(2))
    assert first == second
    assert first["found"]["tensors"]["changed"] == 8


def test_ticks_in_a_list_lead_to_the_two_older_first(ann: Person) -> None:
    net = _net(ann, "compare/ticked")
    answer = ann.client.get(f"/compare?v={net}@2&v={net}@1")
    assert answer.url.query.decode() == "a=compare%2Fticked%401&b=compare%2Fticked%402"
    assert "Tick two versions" in ann.see(f"/compare?model={net}&v={net}@2").text


def test_a_tick_that_is_no_version_is_told_so(ann: Person) -> None:
    assert ann.client.get(f"/compare?v=m@{'9' * 5000}&v=m@1").status_code == 422


def test_nobody_sees_what_they_may_not_read(people: People, ann: Person) -> None:
    net = _net(ann, "hidden/compare")
    bob = people.with_role("bob-compare", "reader", "other/*")
    for path in (
        f"/compare?a={net}@1&b={net}@2", f"/compare?model={net}", f"/compare/many?model={net}",
        f"/compare/many?v={net}@1&v={net}@2", f"/compare/tensor?a={net}@1&b={net}@2&name=x",
    ):  # fmt: skip
        assert bob.client.get(path).status_code == 404, path


def test_many_versions_stand_side_by_side_with_the_best_marked(ann: Person) -> None:
    net = _net(ann, "compare/many")
    page = ann.client.get(f"/compare/many.json?model={net}").json()
    axes = {axis["name"]: i for i, axis in enumerate(page["axes"])}
    assert {"lr", "accuracy", "loss"} <= set(axes)
    newest, oldest = page["rows"]
    assert newest["best"][axes["loss"]]
    assert not oldest["best"][axes["loss"]]
    assert page["no_verdict"] == "not-alike"
    seen = ann.see(f"/compare/many?model={net}&q=metric.accuracy>0.815")
    assert "not two versions" in seen.text


def test_a_query_that_is_none_is_a_problem(ann: Person) -> None:
    net = _net(ann, "compare/query")
    assert ann.client.get(f"/compare/many?model={net}&q=metric.accuracy>>1").status_code == 422


def test_a_job_of_another_pair_is_not_taken_for_this_one(ann: Person) -> None:
    net = _net(ann, "compare/jobs")
    page = ann.client.get(f"/compare?a={net}@1&b={net}@2&job={'0' * 32}")
    assert page.status_code == 200
    assert re.search(r"<svg[^>]*class=\"heat\"", page.text)
