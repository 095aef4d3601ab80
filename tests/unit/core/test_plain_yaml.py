"""YAML is read as plain values, and whatever is not plain is refused in a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.plain_yaml import NotPlain, plain_yaml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc é中:#-'\"\n", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(PLAIN)
def test_what_was_written_is_read_again(value: object) -> None:
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    text = yaml.dump(value, Dumper=Plain, allow_unicode=True)
    assert plain_yaml(text) == value
    assert plain_yaml(text, strict=True) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x", "line 2: no anchors, aliases or tags here"),
        ("a: [1", "line 1: expected ',' or ']', but got '<stream end>'"),
        ("a: 2026-06-31", "this is no YAML that plain values are made of"),
        ("[" * 5000, "this is no YAML that plain values are made of"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: could not determine a constructor"),
        ("a: \x07", "this is no YAML"),
    ],
)
def test_what_is_not_plain_is_refused(text: str, said: str) -> None:
    with pytest.raises(NotPlain) as caught:
        plain_yaml(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1", "line 1: no anchors, aliases or tags here"),
        ("a: !!str 1", "line 1: no anchors, aliases or tags here"),
        ("a: 1\nb: {c: 1, c: 2}", "line 2: 'c' is there twice"),
        ("? [1, 2]\n: 3", "line 1: this can't be a name"),
        ("[" * 5000 + "]" * 5000, "this is no YAML that plain values are made of"),
    ],
)
def test_what_is_written_for_us_has_to_be_plainer(text: str, said: str) -> None:
    with pytest.raises(NotPlain) as caught:
        plain_yaml(text, strict=True)
    assert str(caught.value).startswith(said)


def test_an_empty_text_is_nothing() -> None:
    assert plain_yaml("") is None
    assert plain_yaml("# nothing", strict=True) is None
