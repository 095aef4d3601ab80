"""What is wished of a deployment, as a form says it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelyard.core.deployment import DeploymentSpec, Limits, Rollout
from modelyard.errors import InvalidInput
from modelyard.server.web.acts import Form
from modelyard.server.web.wishes import number, seconds, spec_of, words_of


def form(**fields: str | list[str]) -> Form:
    told = {"name": "iris", "version": "flowers/iris@champion"} | fields
    return Form({k.replace("__", "."): v if isinstance(v, list) else [v] for k, v in told.items()})


def test_a_name_and_a_version_are_enough() -> None:
    spec = spec_of(form(), None)
    assert [(s.source, s.percent) for s in spec.shares] == [("flowers/iris@champion", 100)]
    assert spec.limits == Limits()
    assert (spec.sample, spec.replicas, spec.engine) == (0.01, 1, "embedded")


def test_the_first_version_gets_what_canaries_leave() -> None:
    spec = spec_of(
        form(
            canary__version=["flowers/iris@6", ""], canary__percent=["5", "5"],
            shadow__version="flowers/iris@3", shadow__percent="20",
        ),
        None,
    )  # fmt: skip
    assert [(s.revision, s.percent, s.shadow) for s in spec.shares] == [
        ("champion", 95, False), ("6", 5, False), ("3", 20, True),
    ]  # fmt: skip


def test_what_the_form_has_no_field_for_stays() -> None:
    before = spec_of(form(), None)
    before = replace(before, paused=True, limits=Limits(body=1000, memory=2000, per_minute=3))
    spec = spec_of(form(deadline="2s", idle="10m"), before)
    assert spec.paused
    assert spec.limits == Limits(body=1000, memory=2000, per_minute=3, deadline=2, idle=600)


def test_a_rollout_goes_on_if_its_canary_stays_as_it_is() -> None:
    fields = {"canary__version": "flowers/iris@6", "canary__percent": "5"}
    going = replace(spec_of(form(**fields), None), rollout=Rollout(steps=(5, 100), every=60))
    assert spec_of(form(**fields, sticky="x-user"), going).rollout == going.rollout
    assert spec_of(form(**fields | {"canary__percent": "7"}), going).rollout is None


def test_everything_else_is_taken_too() -> None:
    spec = spec_of(
        form(
            engine="ray", replicas="3", sticky="X-User", placement="process", sample="50",
            redact="name, email", trusted="my.Model other.Thing", queue_rows="9",
        ),
        None,
    )  # fmt: skip
    made = DeploymentSpec(
        name="iris", shares=spec.shares, engine="ray", replicas=3, sticky="x-user",
        placement="process", sample=0.5, redact=("name", "email"),
        trusted=("my.Model", "other.Thing"), limits=Limits(queue_rows=9),
    )  # fmt: skip
    assert spec == made


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "flowers/iris"}, {"version": "@@"}, {"version": ""}, {"engine": "other"},
        {"placement": "moon"}, {"deadline": "soon"}, {"deadline": "2h"},
        {"deadline": "0"}, {"idle": "0"}, {"queue_rows": "-1"}, {"queue_rows": "0.5"},
        {"sample": "much"}, {"sample": "nan"},
        {"replicas": "0"}, {"name": "No Name"},
        {"canary__version": "flowers/iris@6", "canary__percent": "120"},
        {"canary__version": "flowers/iris@6"},
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        spec_of(form(**fields), None)


def test_times_and_numbers_are_read_as_people_write_them() -> None:
    assert [seconds(t) for t in ("90", "10m", "1.5h", "250ms", " 2 s", "1d")] == [
        90, 600, 5400, 0.25, 2, 86_400,
    ]  # fmt: skip
    assert number("5 %") == 5
    assert words_of(" a, b;c  a ") == ("a", "b", "c")
