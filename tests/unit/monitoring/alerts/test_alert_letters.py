"""Each kind of service gets what its manual says, signed as it says; and nothing is injected."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.channels import Reach
from modelyard.core.hooks import Tried, new_secret
from modelyard.core.monitoring import Alert
from modelyard.monitoring.alerts.channels import Answered, send
from modelyard.monitoring.alerts.notices import Notice

NOW = 1_790_000_000.123
SINCE = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def alert(number: int = 1, **given: Any) -> Alert:
    return Alert(**{
        "id": number, "deployment": "svc", "rule": "errors", "severity": "critical",
        "state": "firing", "since": SINCE, "until": None, "value": 0.5, "threshold": 0.05,
        "words": "Too many requests fail: error_rate is 50 % (> 5 %)", "number": 3,
        "evidence": {"signal": "error_rate", "rows": 100, "outcomes": {"model-failed": 50}},
        **given,
    })  # fmt: skip


def notice(*alerts: Alert) -> Notice:
    return Notice("alerts-1", "svc", alerts or (alert(),), "https://yard.example.org")


class Post:
    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.sent: list[Any] = []

    def post(self, url: str, body: bytes, headers: Any) -> Answered:
        self.sent.append((url, body, headers))
        return Answered(Tried(status=200), self.answer)

    def mail(self, relay: Any, password: Any, message: Any) -> Tried:
        self.sent.append((relay, password, message))
        return Tried(status=250)


def reach(kind: Any, **given: Any) -> Reach:
    given = {"address": "https://chat.example.org/in?key=K", **given}
    return Reach(name="one", kind=kind, pattern="*", severity="info", **given)


def sent(kind: str, told: Notice | None = None, answer: bytes = b'{"errcode":0}', **given: Any):
    post = Post(answer)
    tried = send(reach(kind, **given), told or notice(), post, NOW)
    assert tried.is_good, tried
    ((url, body, headers),) = post.sent
    return url, json.loads(body), headers, body


def test_a_webhook_gets_a_signed_event():
    secret = new_secret()
    _, event, headers, body = sent("webhook", secret=secret)
    assert event["data"]["alerts"][0]["evidence"]["outcomes"] == {"model-failed": 50}
    assert event["id"] == headers["webhook-id"] == "alerts-1"
    time = headers["webhook-timestamp"]
    ours = hmac.digest(secret.encode(), f"{time}.".encode() + body, hashlib.sha256).hex()
    assert headers["x-yard-signature"] == f"t={time},v1={ours}"


def test_slack_gets_a_coloured_box_in_which_nobody_is_called():
    told = notice(alert(words="<!channel> a & b <http://evil|x>"))
    _, body, _, _ = sent("slack", told)
    (box,) = body["attachments"]
    assert box["color"] == "#d00000"
    assert box["title_link"] == "https://yard.example.org/deployments/svc/monitoring"
    assert "<" not in body["text"] + box["text"]
    assert "&lt;!channel&gt; a &amp; b" in box["text"]
    over = notice(alert(state="resolved", until=SINCE))
    assert sent("slack", over)[1]["attachments"][0]["color"] == "#2eb886"


def test_dingtalk_is_signed_in_its_url():
    """Its manual: HMAC-SHA256 over `timestamp + "\\n" + secret`, keyed by the secret."""
    url, body, _, _ = sent("dingtalk", secret="SECabc")
    query = {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}
    assert query["timestamp"] == str(int(NOW * 1000))
    told = hmac.new(b"SECabc", f"{query['timestamp']}\nSECabc".encode(), hashlib.sha256).digest()
    assert query["sign"] == base64.b64encode(told).decode()
    assert query["key"] == "K"
    assert body["msgtype"] == "markdown"
    assert "error\\_rate" in body["markdown"]["text"]
    assert sent("dingtalk")[0] == "https://chat.example.org/in?key=K"


def test_feishu_is_signed_in_its_body():
    """Its manual: HMAC-SHA256 over nothing, keyed by `timestamp + "\\n" + secret`."""
    _, body, _, _ = sent("feishu", secret="abc", answer=b'{"code":0}')
    key = f"{int(NOW)}\nabc".encode()
    assert body["timestamp"] == str(int(NOW))
    assert body["sign"] == base64.b64encode(hmac.new(key, digestmod="sha256").digest()).decode()
    assert body["card"]["header"]["template"] == "red"
    assert "sign" not in sent("feishu", answer=b'{"StatusCode":0}')[1]


@pytest.mark.parametrize(("kind", "code"), [("feishu", "code"), ("wecom", "errcode")])
def test_nobody_is_called_by_tags(kind, code):
    told = notice(alert(words="<at id=all></at> <@ann>"))
    _, body, _, _ = sent(kind, told, f'{{"{code}":0}}'.encode())
    body.get("card", {}).pop("header", None)  # plain text, in which tags are none
    assert "<" not in json.dumps(body)


def test_wecom_gets_markdown_of_the_size_that_it_takes():
    many = notice(*(alert(n, words="错误" * 150) for n in range(50)))
    _, body, _, _ = sent("wecom", many)
    content = body["markdown"]["content"]
    assert len(content.encode()) <= 4096
    assert content.endswith("(https://yard.example.org/deployments/svc/monitoring)")


@pytest.mark.parametrize("kind", ["dingtalk", "feishu", "wecom"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"errcode":310000,"code":310000,"errmsg":"sign not match"}', "310000: sign not match"),
        (b"<html>", "no JSON"), (b"[]", "no code"), (b'{"errcode":null,"code":null}', "no code"),
    ],
)  # fmt: skip
def test_what_is_refused_with_status_200_is_not_told(kind, answer, words):
    tried = send(reach(kind), notice(), Post(answer), NOW)
    assert not tried.is_good
    assert words in tried.error


MAIL = {"address": "ops@b.org, ann@b.org", "relay": "smtp://u@mx.b.org", "sender": "yard@b.org",
        "secret": "pw"}  # fmt: skip


def test_an_email_has_text_html_and_a_thread():
    post = Post()
    send(reach("email", **MAIL), notice(), post, NOW)
    relay, password, message = post.sent[0]
    assert (relay.host, relay.port, relay.security, relay.user) == (
        "mx.b.org", 587, "starttls", "u",
    )  # fmt: skip
    assert password == "pw"
    assert message["To"] == "ops@b.org, ann@b.org"
    assert message["Message-ID"] == "<alerts-1@b.org>"
    assert message["Subject"].startswith("[critical] svc: Too many requests fail")
    assert "https://yard.example.org/deployments/svc/monitoring" in (
        message.get_body(("plain",)).get_content()
    )
    assert "<b>[critical]" in message.get_body(("html",)).get_content()
    send(reach("email", **MAIL), notice(alert(2)), post, NOW)
    assert post.sent[1][2]["References"] == message["References"]


@given(text=st.text(max_size=300))
def test_words_of_others_break_nothing(text):
    told = notice(alert(words=text, rule="errors", evidence={"x": text, "y": {text: [text]}}))
    answers = {
        "slack": b"", "dingtalk": b'{"errcode":0}', "wecom": b'{"errcode":0}',
        "feishu": b'{"code":0}', "webhook": b"",
    }  # fmt: skip
    for kind, answer in answers.items():
        secret = new_secret() if kind == "webhook" else None
        sent(kind, told, answer, secret=secret)
    post = Post()
    send(reach("email", **MAIL), told, post, NOW)
    message = post.sent[0][2]
    assert "<script" not in message.get_body(("html",)).get_content()
    assert len(message.as_bytes().partition(b"\r\n\r\n")[0].split(b"\r\nSubject:")) == 2


def test_a_notice_names_the_worst_first_and_how_many_there_are():
    low = alert(1, severity="info", words="low")
    high = alert(2, words="high")
    over = alert(3, state="resolved", until=SINCE, words="done")
    told = notice(low, over, high)
    assert told.title == "[critical] svc: high and 1 more"
    assert [a.words for a, _, _ in told.lines()] == ["high", "low", "done"]
    assert notice(over).title == "[over] svc: errors"
    assert notice(*(alert(n) for n in range(14))).more == 4
