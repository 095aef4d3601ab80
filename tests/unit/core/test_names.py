"""Names: what people may type, and what nothing may be called."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modelyard.core.names import (
    ByCommit,
    ByName,
    ByNumber,
    Latest,
    ModelName,
    ModelRevision,
    RefName,
    parse_label,
    parse_revision,
)
from modelyard.errors import InvalidInput
from modelyard.testing.strategies import hostile_names, model_names, ref_names

GIT_FORBIDS = " ~^:?*[\\\x7f\x00\n\t"


@given(model_names())
def test_a_good_model_name_is_kept_as_it_is(text):
    assert ModelName.parse(text).text == text
    assert str(ModelName.parse(text)) == text


@given(hostile_names())
def test_a_hostile_name_is_refused_as_a_model_with_kind_and_hint(text):
    with pytest.raises(InvalidInput) as caught:
        ModelName.parse(text)
    assert caught.value.kind == "bad-model-name"
    assert caught.value.hint
    assert len(caught.value.message) < 700, "hostile input is not echoed in full"


@given(st.text(max_size=40))
def test_every_text_is_a_safe_model_name_or_refused(text):
    try:
        name = ModelName.parse(text)
    except InvalidInput:
        return
    parts = name.text.split("/")
    assert name.text == text
    assert len(parts) <= 2
    assert all(part not in ("", ".", "..") for part in parts)
    assert set(text) <= set(string.ascii_letters + string.digits + "._-/")


@pytest.mark.parametrize("text", ["a" * 96, "a" * 96 + "/" + "b" * 96, "v1.0", "A_b-c.d", "0"])
def test_the_longest_and_oddest_good_names_are_taken(text):
    assert ModelName.parse(text).text == text


@pytest.mark.parametrize("text", ["a" * 97, "a/b/c", "a.git", "x/a.lock", "a.", "a-", "été"])
def test_names_just_beyond_the_rule_are_refused(text):
    with pytest.raises(InvalidInput):
        ModelName.parse(text)


@given(ref_names())
def test_a_good_ref_name_is_a_revision_too(text):
    assert RefName.parse(text).text == text
    assert parse_revision(text) == ByName(RefName(text))


@given(st.text(max_size=30), st.sampled_from(GIT_FORBIDS), st.text(max_size=30))
def test_no_ref_name_holds_what_git_forbids(before, bad, after):
    with pytest.raises(InvalidInput):
        RefName.parse(before + bad + after)


@pytest.mark.parametrize(
    "text", ["", "/", "a//b", "/a", "a/", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a..b", "-a",
             "a@{0}", "@", "x" * 201, "a\u2028b/"],
)  # fmt: skip
def test_ref_names_that_git_refuses_are_refused(text):
    with pytest.raises(InvalidInput):
        RefName.parse(text)


@given(
    st.one_of(
        st.sampled_from(["latest", "HEAD"]),
        st.text(string.digits, min_size=1, max_size=30),
        st.text("0123456789abcdefABCDEF", min_size=7, max_size=40),
    )
)
def test_what_reads_as_a_version_is_no_ref_name(text):
    with pytest.raises(InvalidInput) as caught:
        RefName.parse(text)
    assert caught.value.kind == "reserved-ref-name"


@given(st.integers(0, 10**15 - 1))
def test_up_to_fifteen_digits_are_a_number(number):
    assert parse_revision(number) == parse_revision(str(number)) == ByNumber(number)


@given(st.text("0123456789abcdef", min_size=7, max_size=40))
def test_hex_digits_are_a_commit_in_either_case(prefix):
    assume(not prefix.isdigit())
    assert parse_revision(prefix) == parse_revision(prefix.upper()) == ByCommit(prefix)


@pytest.mark.parametrize("text", ["1" * 16, "0123456", "9" * 40])
def test_a_commit_of_decimal_digits_can_still_be_named(text):
    assert parse_revision(text) == ByCommit(text)


def test_latest_and_head_are_known():
    assert parse_revision("latest") == Latest()
    assert parse_revision("HEAD") == ByName(RefName("main"))


@pytest.mark.parametrize("text", ["9" * 41, "a b", "", "a..b", "@", -1, "x\x00y"])
def test_what_is_no_revision_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        parse_revision(text)
    assert caught.value.kind == "bad-revision"


@given(st.text(max_size=40))
def test_every_text_is_a_revision_or_invalid_input(text):
    try:
        revision = parse_revision(text)
    except InvalidInput:
        return
    assert parse_revision(str(revision)) == revision


@given(model_names(), st.one_of(st.none(), ref_names(), st.integers(1, 10**6).map(str)))
def test_a_model_revision_reads_back_as_it_prints(model, revision):
    text = model if revision is None else f"{model}@{revision}"
    parsed = ModelRevision.parse(text)
    assert str(parsed) == text
    assert parsed.model.text == model


@pytest.mark.parametrize("text", ["iris@", "@1", "@", "iris@a@b"])
def test_half_a_model_revision_is_refused(text):
    with pytest.raises(InvalidInput):
        ModelRevision.parse(text)


@pytest.mark.parametrize(
    ("text", "label"),
    [("domain=nlp", ("domain", "nlp")), ("gold", ("gold", "")), ("a=b=c", ("a", "b=c")),
     ("领域=视觉", ("领域", "视觉")), ("k8s.io/name=x y", ("k8s.io/name", "x y"))],
)  # fmt: skip
def test_a_label_is_key_and_value(text, label):
    assert parse_label(text) == label


@pytest.mark.parametrize("text", ["", "=x", "a b=c", "-a=b", "a=x\ny", "a=" + "v" * 257, "_a"])
def test_what_is_no_label_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        parse_label(text)
    assert caught.value.kind == "bad-label"
