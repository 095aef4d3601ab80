from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from dulwich import objects as dulwich
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import Corrupt, InvalidInput
from modelyard.history.commits import clean_author, clean_message, read_commit, write_commit

TREE = bytes(range(20))
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
any_text = st.text(st.characters(), max_size=60)


def commit(**fields: object) -> bytes:
    given = {"tree": TREE, "parents": [], "author": "ann", "time": NOON, "message": "hi", **fields}
    return write_commit(**given).body


def test_a_commit_is_as_dulwich_writes_it() -> None:
    theirs = dulwich.Commit()
    theirs.tree = TREE.hex().encode()
    theirs.parents = [b"1" * 40, b"2" * 40]
    theirs.author = theirs.committer = "安 <an@example.org>".encode()
    theirs.author_time = theirs.commit_time = int(NOON.timestamp())
    theirs.author_timezone = theirs.commit_timezone = 0
    theirs.message = b"one\n\ntwo\n"
    ours = write_commit(
        tree=TREE,
        parents=[b"\x11" * 20, b"\x22" * 20],
        author="安 <an@example.org>",
        time=NOON,
        message="one\n\ntwo",
    )
    assert ours.body == theirs.as_raw_string()
    assert ours.sha.hex() == theirs.id.decode()


@given(any_text, any_text, st.lists(st.binary(min_size=20, max_size=20), max_size=3))
def test_what_is_written_is_read(author: str, message: str, parents: list[bytes]) -> None:
    fields = read_commit(commit(author=author, message=message, parents=parents))
    assert fields.tree == TREE
    assert fields.parents == tuple(parents)
    assert fields.author == clean_author(author)
    assert fields.message == clean_message(message)
    assert fields.time == NOON


@given(any_text)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean_message(clean_message(text)) == clean_message(text)
    assert clean_author(clean_author(text)) == clean_author(text)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ann", "ann"),
        ("Ann Lee", "Ann Lee"),
        ("ann@example.org", "ann@example.org"),
        ("Ann Lee <ann@example.org>", "Ann Lee <ann@example.org>"),
        ("安", "安"),
        ("  ann\n", "ann"),
        ("ann\nauthor x", "ann author x"),
        ("", "unknown"),
        ("<>", "unknown"),
        ("\0", "unknown"),
        ("<a@b.c>", "a@b.c"),
    ],
)
def test_authors(given: str, shown: str) -> None:
    assert clean_author(given) == shown


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("hi\n", "hi"),
        ("\n \n  indented\n\nmore \n\n", "  indented\n\nmore"),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        (" \n\t", ""),
    ],
)
def test_messages(given: str, kept: str) -> None:
    assert clean_message(given) == kept


def test_times_are_whole_seconds_in_utc() -> None:
    east = datetime(2026, 5, 4, 20, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=8)))
    assert read_commit(commit(time=east)).time == NOON
    assert commit(time=int(NOON.timestamp()) * 1_000_000 + 7) == commit()
    for wrong in (-1, 300_000_000_000 * 1_000_000):
        with pytest.raises(InvalidInput):
            commit(time=wrong)


def test_commits_of_other_writers_are_read() -> None:
    body = (
        b"tree %b\nparent %b\nauthor Jos\xe9 <j@x> 1700000000 +0530\n"
        b"committer C <c@x> 1800000000 +0000\nencoding iso-8859-1\n"
        b"gpgsig -----BEGIN\n author Fake <f@x> 1 +0000\n -----END\n\n\nCaf\xe9\n"
    ) % (b"1" * 40, b"2" * 40)
    fields = read_commit(body)
    assert fields.author == "José <j@x>"
    assert fields.message == "Café"
    assert fields.time == datetime.fromtimestamp(1_700_000_000, UTC)
    assert fields.parents == (b"\x22" * 20,)


@pytest.mark.parametrize("encoding", [b"no-such", b"hex", b"idna", b"undefined"])
def test_an_odd_encoding_is_read_as_utf8(encoding: bytes) -> None:
    body = commit(message="é").replace(b"\n\n", b"\nencoding " + encoding + b"\n\n")
    assert read_commit(body).message == "é"


def test_far_times_are_bounded() -> None:
    for digits in (b"-5", b"99999999999999999999"):
        seconds = b"%d" % NOON.timestamp()
        assert read_commit(commit().replace(seconds, digits)).time.year in (1970, 9999)


@given(st.binary(max_size=60), st.integers(0, 150))
def test_broken_commits_are_read_or_corrupt(noise: bytes, at: int) -> None:
    body = commit()
    for broken in (noise, body[:at] + noise, body[:at]):
        with suppress(Corrupt):
            assert read_commit(broken).tree is not None


@pytest.mark.parametrize("body", [b"", b"tree 1\n", commit()[:40], b"\n\n" + commit()])
def test_what_is_no_commit_is_corrupt(body: bytes) -> None:
    with pytest.raises(Corrupt) as refused:
        read_commit(body)
    assert refused.value.kind == "bad-git-commit"
