"""The log of a deployment's requests, as somebody may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelyard.core.access import Account, Caller, Grant
from modelyard.core.deployment import DeploymentSpec, Share
from modelyard.server.request_log import seen_by

if TYPE_CHECKING:
    from modelyard.core.access import Role

SPEC = DeploymentSpec(name="svc", shares=(Share(model="own/now", revision="1"),))


def line(model: str | None) -> dict[str, Any]:
    return {"model": model, "inputs": {"x": [1]}, "outputs": {"y": [2]}}


LOG = [line("own/now"), line("other/former"), line(None)]


def seen(**roles: Role) -> list[tuple[str | None, bool]]:
    """Models that answered, and whether the values are shown."""
    grants = tuple(Grant(f"{space}/*", role) for space, role in roles.items())
    caller = Caller(account=Account(id=7, name="bob"), grants=grants)
    return [(told["model"], "inputs" in told) for told in seen_by(caller, SPEC, LOG)]


def test_values_are_for_who_may_write_the_model_that_answered() -> None:
    everything = [("own/now", True), ("other/former", True), (None, True)]
    assert seen(own="writer", other="writer") == everything
    assert seen(own="writer", other="reader") == [
        ("own/now", True), ("other/former", False), (None, True),
    ]  # fmt: skip


def test_nothing_is_told_of_a_former_model_that_is_hidden() -> None:
    assert seen(own="writer") == [("own/now", True), (None, True)]


def test_a_reader_sees_no_values() -> None:
    told = seen(own="reader", other="writer")
    assert told == [("own/now", False), ("other/former", False), (None, False)]
