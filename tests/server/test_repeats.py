"""`Idempotency-Key`: what is sent twice is done once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

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
