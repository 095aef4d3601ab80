"""`Idempotency-Key`: what is sent twice is done once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.server.sending import Sender

from modelyard.core.transferring import COMMIT_TYPE, GivenFile, Header, encode_commit

if TYPE_CHECKING:
    import httpx2


def _key() -> dict[str, str]:
    return {"idempotency-key": uuid.uuid4().hex}


def _account(api: httpx2.Client, name: str, key: dict[str, str]) -> httpx2.Response:
    return api.post("/api/v1/accounts", json={"name": name}, headers=key)


def test_the_same_request_with_the_same_key_is_answered_the_same(api: httpx2.Client) -> None:
    key = _key()
    first, second = (_account(api, "ann", key) for _ in range(2))
    assert first.status_code == 201
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["idempotent-replay"] == "true"
    assert _account(api, "ann", _key()).status_code == 409, "a new key does it again"


def test_a_key_is_for_one_request(api: httpx2.Client) -> None:
    key = _key()
    assert _account(api, "bob", key).status_code == 201
    answer = _account(api, "carl", key)
    assert (answer.status_code, answer.json()["kind"]) == (422, "key-reused")


def test_a_refusal_is_the_same_the_second_time(api: httpx2.Client) -> None:
    key = _key()
    answers = [_account(api, "no good name!", key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].content == answers[1].content


def test_of_many_at_once_one_is_done(api: httpx2.Client) -> None:
    key = _key()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _account(api, "dora", key), range(8)))
    told = {answer.status_code for answer in answers}
    assert 201 in told
    assert told <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["kind"] == "under-way"


def test_a_key_that_is_none_is_refused(api: httpx2.Client) -> None:
    for bad in ("x" * 201, "a\tb"):
        answer = _account(api, "emma", {"idempotency-key": bad})
        assert (answer.status_code, answer.json()["kind"]) == (422, "bad-key")


def test_a_secret_is_shown_once_and_kept_nowhere(api: httpx2.Client) -> None:
    key = _key()
    first = api.post("/api/v1/tokens", json={"name": "ci"}, headers=key)
    assert first.status_code == 201
    second = api.post("/api/v1/tokens", json={"name": "ci"}, headers=key)
    assert (second.status_code, second.json()["kind"]) == (409, "shown-once")


def _send(api: httpx2.Client, model: str, text: bytes, key: dict[str, str]) -> httpx2.Response:
    """A commit in one request, as a client of ours sends a small one."""
    body = b"".join(encode_commit(Header(files=[GivenFile(path="w.txt", inline=text)]), ()))
    headers = {"content-type": COMMIT_TYPE, **key}
    return api.post(f"{Sender(api, model).place}/commits", content=body, headers=headers)


def test_a_commit_that_is_sent_again_is_answered_the_same(api: httpx2.Client) -> None:
    key = _key()
    first, second = (_send(api, "again/once", b"one", key) for _ in range(2))
    assert first.status_code == 201
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["idempotent-replay"] == "true"
    assert api.get("/api/v1/models/again%2Fonce").json()["versions"] == 1


def test_the_key_of_a_commit_is_for_it_alone(api: httpx2.Client) -> None:
    key = _key()
    assert _send(api, "again/alone", b"one", key).status_code == 201
    answer = _send(api, "again/other", b"one", key)
    assert (answer.status_code, answer.json()["kind"]) == (422, "key-reused")


def test_of_many_equal_commits_at_once_one_is_done(api: httpx2.Client) -> None:
    assert _send(api, "again/many", b"the first", _key()).status_code == 201
    for turn in range(5):
        key, text = _key(), f"turn {turn}".encode()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: _send(api, "again/many", text, key), range(8)))  # noqa: B023
        assert {answer.status_code for answer in answers} <= {201, 409}, [a.text for a in answers]
        done = {answer.json()["number"] for answer in answers if answer.status_code == 201}
        assert done == {turn + 2}
        assert api.get("/api/v1/models/again%2Fmany").json()["versions"] == turn + 2


def test_a_commit_that_failed_may_be_sent_again_with_its_key(api: httpx2.Client) -> None:
    key = _key()
    parent = Header(files=[GivenFile(path="w.txt", inline=b"x")], branch="main", parent="9")
    body = b"".join(encode_commit(parent, ()))
    headers = {"content-type": COMMIT_TYPE, **key}
    place = f"{Sender(api, 'again/failed').place}/commits"
    told = [api.post(place, content=body, headers=headers).status_code for _ in range(2)]
    assert told[0] == told[1] >= 400
    assert _send(api, "again/failed", b"now", _key()).status_code == 201
