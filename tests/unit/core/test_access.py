"""Roles by pattern: which of several grants decides, and what a narrower one may change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.access import (
    ROLES,
    Account,
    Caller,
    Grant,
    at_least,
    check_pattern,
    fits,
    role_for,
)
from modelyard.errors import InvalidInput

MODELS = ["a/x", "a/y", "b/x", "x", "a/xx"]
PATTERNS = ["*", "a/*", "b/*", *MODELS]
GRANTS = st.builds(Grant, st.sampled_from(PATTERNS), st.sampled_from(ROLES), st.booleans())
SOME = st.lists(GRANTS, max_size=6).map(tuple)
LEVEL = {"*": 0, "a/*": 1, "b/*": 1}


def caller(*grants: Grant, **more: object) -> Caller:
    return Caller(account=Account(id=1, name="ann"), grants=grants, **more)  # type: ignore[arg-type]


@given(SOME, GRANTS)
def test_a_grant_changes_only_models_of_its_pattern(grants: tuple[Grant, ...], new: Grant) -> None:
    for model in MODELS:
        if not fits(new.pattern, model):
            assert role_for((*grants, new), model) == role_for(grants, model)


@given(SOME, GRANTS)
def test_a_wider_grant_changes_nothing_where_an_own_narrower_one_decides(
    grants: tuple[Grant, ...], new: Grant
) -> None:
    for model in MODELS:
        narrower = any(
            fits(g.pattern, model)
            and not g.shared
            and LEVEL.get(g.pattern, 2) > LEVEL.get(new.pattern, 2)
            for g in grants
        )
        if narrower and new != Grant("*", "admin"):
            assert role_for((*grants, new), model) == role_for(grants, model)


@given(SOME, st.sampled_from(PATTERNS), st.sampled_from(ROLES[1:]))
def test_what_everybody_gets_never_lowers_anybody(
    grants: tuple[Grant, ...], pattern: str, role: object
) -> None:
    shared = Grant(pattern, role, shared=True)  # type: ignore[arg-type]
    had_none = [g for g in grants if g.role == "none" and g.shared]
    if not had_none:
        for model in MODELS:
            assert at_least(role_for((*grants, shared), model), role_for(grants, model))


@given(SOME)
def test_order_of_grants_does_not_matter(grants: tuple[Grant, ...]) -> None:
    for model in MODELS:
        assert role_for(grants, model) == role_for(tuple(reversed(grants)), model)


@given(SOME, st.lists(st.sampled_from(PATTERNS), max_size=2), st.sampled_from(ROLES))
def test_role_over_a_pattern_is_the_least_of_its_models(
    grants: tuple[Grant, ...], only: list[str], ceiling: object
) -> None:
    asked = caller(*grants, only=tuple(only), ceiling=ceiling)
    for pattern in ("*", "a/*"):
        for model in MODELS:
            if fits(pattern, model):
                assert at_least(asked.role(model), asked.role_over(pattern))


@given(SOME, st.lists(st.sampled_from(PATTERNS), max_size=2))
def test_who_reads_all_may_read_each(grants: tuple[Grant, ...], only: list[str]) -> None:
    asked = caller(*grants, only=tuple(only))
    if asked.reads_all:
        assert all(asked.may(model, "reader") for model in MODELS)


def test_the_most_exact_pattern_decides() -> None:
    ann = caller(Grant("*", "reader"), Grant("a/*", "writer"), Grant("a/x", "none"))
    assert [ann.role(m) for m in ("b/x", "a/y", "a/x")] == ["reader", "writer", "none"]


def test_a_public_model_stays_its_maintainers() -> None:
    ann = caller(Grant("a/*", "maintainer"), Grant("a/x", "reader", shared=True))
    assert ann.role("a/x") == "maintainer"


def test_what_is_hidden_from_everybody_is_seen_by_those_who_are_named() -> None:
    hidden = Grant("a/*", "none", shared=True)
    assert caller(Grant("*", "writer"), hidden).role("a/x") == "none"
    assert caller(Grant("*", "writer"), Grant("a/x", "reader"), hidden).role("a/x") == "reader"


def test_a_token_lowers_the_role_and_bounds_the_models() -> None:
    ann = caller(Grant("*", "admin"), ceiling="reader", only=("a/*",))
    assert (ann.role("a/x"), ann.role("b/x"), ann.role("*")) == ("reader", "none", "none")


@pytest.mark.parametrize("text", ["", "**", "a/*/b", "a*", "a/b/*", "*/x", "a/b/c", "a//*"])
def test_what_stands_for_no_models_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        check_pattern(text)
    assert error.value.kind == "bad-pattern"
