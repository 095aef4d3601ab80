"""Who may not read a model learns nothing of it by sending, committing or reading chunks."""

from __future__ import annotations

import hashlib
import os

import pytest
from tests.server.sending import Sender, chunk, cut, random_file

from modelyard.core.transferring import GivenFile, Header


def kind_of(answer):
    return answer.status_code, answer.json()["kind"]


def member(server, api, name, roles):
    """A client of a new account with these roles."""
    assert api.post("/api/v1/accounts", json={"name": name}).status_code == 201
    for pattern, role in roles.items():
        said = {"account": name, "pattern": pattern, "role": role}
        assert api.put("/api/v1/roles", json=said).status_code == 200
    made = api.post("/api/v1/tokens", json={"account": name})
    assert made.status_code == 201, made.text
    return server.client(
        next(v for v in made.json().values() if isinstance(v, str) and len(v) > 40)
    )


@pytest.fixture
def ann(server, api):
    """She keeps models to herself."""
    name = f"ann{os.urandom(3).hex()}"
    with member(server, api, name, {f"{name}/*": "admin"}) as client:
        yield Sender(client, f"{name}/m")


@pytest.fixture
def bob(server, api):
    """He would like to know what she has."""
    name = f"bob{os.urandom(3).hex()}"
    with member(server, api, name, {f"{name}/*": "admin"}) as client:
        yield Sender(client, f"{name}/m")


@pytest.fixture
def secret(ann):
    frames = cut(random_file(3 << 20))
    ann.send(frames)
    assert ann.finish({"w.bin": frames}).status_code == 201
    return frames


def test_her_model_is_not_there_for_him(ann, bob, secret):
    spy = Sender(bob.client, ann.model)
    for answer in (
        bob.client.get(f"{spy.place}/versions/1/contents"),
        bob.client.get(f"{spy.place}/versions/1/layout"),
        spy.encoded(1, "e", 0, 1),
        spy.post_part(b""),
        spy.commit({"a.txt": b"a"}),
    ):
        assert kind_of(answer) == (404, "no-model")


def test_a_question_does_not_tell_what_others_have(bob, secret):
    assert all(bob.wanted(secret))


def test_names_alone_make_no_file(bob, secret):
    assert kind_of(bob.commit({"w.bin": secret})) == (409, "chunks-missing")


def test_a_session_is_of_one_account(ann, bob):
    frames = cut(random_file(1 << 20))
    ann.send(frames)
    bob.session, bob.have = ann.session, ann.have
    assert kind_of(bob.post_part(b"")) == (404, "no-session")
    assert kind_of(bob.finish({"w.bin": frames})) == (404, "no-session")


def test_receipts_of_others_are_worth_nothing(ann, bob):
    frames = cut(random_file(1 << 20))
    ann.send(frames)
    bob.send(cut(random_file(1000)))
    bob.have += ann.have
    assert kind_of(bob.finish({"w.bin": frames})) == (409, "chunks-missing")


def test_what_others_have_counts_as_new(bob, secret):
    before = bob.send(cut(random_file(3 << 20))).new_bytes
    sent = bob.send(secret, 1)
    assert abs(sent.new_bytes - before) < 100
    answer = bob.finish({"w.bin": secret})
    assert answer.status_code == 201
    assert answer.json()["new_bytes"] > 2 * before
    assert bob.file(1, "w.bin") == b"".join(bytes(f.content) for f in secret)


def test_small_files_of_others_count_as_new(ann, bob):
    content = random_file(50_000)
    ann.commit({"w.bin": content})
    answer = bob.commit({"w.bin": content})
    assert answer.json()["new_bytes"] >= 50_000


def test_a_chunk_of_others_is_no_base(bob, secret):
    changed = b"changed" + bytes(secret[0].content)[7:]
    frame = chunk(changed, width=4, base=secret[0].name, is_first=True)
    assert bob.send([frame]).new_bytes > 1 << 19


def test_how_a_chunk_is_stored_does_not_show(ann, bob):
    """Hers is a delta to something that he has never seen: he gets his bytes, and nothing else."""
    first = random_file(1 << 20)
    second = b"changed" + first[7:]
    ann.commit({"w.bin": first})
    delta = chunk(second, width=4, base=chunk(first).name, is_first=True)
    assert ann.commit({"w.bin": [delta]}, [delta]).json()["new_bytes"] < 10_000
    [own] = cut(second)
    bob.commit({"w.bin": [own]}, [own])
    layout = bob.layout(1)
    assert [(c.name, c.codec, c.base) for c in layout.chunks] == [(own.name, 0, -1)]
    assert bob.file(1, "w.bin") == second


def test_what_was_sent_goes_on_after_an_interruption(bob, secret):
    bob.send(secret[:1])
    assert bob.wanted(secret) == [False, True, True]


def test_files_of_others_are_not_the_same(bob, secret, ann):
    content = random_file(5000)
    ann.commit({"w.bin": content})
    same = GivenFile(path="w.bin", same=hashlib.sha256(content).digest())
    assert kind_of(bob.post_commit(Header(files=[same]))) == (409, "chunks-missing")
