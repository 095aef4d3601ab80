"""E-mail through real SMTP: STARTTLS is insisted on, certificates are checked, secrets stay."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.monitoring.alerts.mailbox import Mailbox, certificate, mailbox

from modelyard.core.channels import Reach
from modelyard.core.monitoring import Alert
from modelyard.monitoring.alerts.channels import send
from modelyard.monitoring.alerts.notices import Notice
from modelyard.server import outside
from modelyard.server.outside import Door

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.core.hooks import Tried

ALERT = Alert(
    id=1, deployment="svc", rule="errors", severity="critical", state="firing", value=0.5,
    since=datetime(2026, 11, 22, tzinfo=UTC), until=None, threshold=0.05, words="Fehler 错误",
)  # fmt: skip
NOTICE = Notice("alerts-1", "svc", (ALERT,), "https://yard.example.org")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here")
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(pair, monkeypatch) -> tuple[Path, Path]:
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[1]))
    return pair


def mail(
    box: Mailbox, scheme: str = "smtp", *, user: str | None = "yard", password: str = "pass-word",
    host: str = "localhost", private: bool = True,
) -> Tried:  # fmt: skip
    who = f"{user}@" if user else ""
    reach = Reach(
        name="mail", kind="email", address="ops@b.org,ann@b.org", pattern="*", severity="info",
        secret=password if user else None, relay=f"{scheme}://{who}{host}:{box.port}",
        sender="yard@b.org",
    )  # fmt: skip
    return send(reach, NOTICE, Door(private=private))


LOGIN = ("yard", "pass-word")


def test_mail_goes_by_starttls(trusted):
    with mailbox(trusted, login=LOGIN) as box:
        tried = mail(box)
    assert tried.is_good, tried
    assert box.was_secure == [True]
    assert box.recipients == ["ops@b.org", "ann@b.org"]
    (message,) = box.messages
    assert "Fehler 错误" in message["Subject"]
    assert "Fehler 错误" in message.get_body(("plain",)).get_content()


def test_mail_goes_by_tls_from_the_beginning(trusted):
    with mailbox(trusted, at_once=True, login=LOGIN) as box:
        tried = mail(box, "smtps")
    assert tried.is_good, tried


def test_mail_goes_without_tls_only_if_that_is_said():
    with mailbox() as box:
        assert mail(box, "smtp+plain", user=None).is_good
        tried = mail(box)
    assert "STARTTLS" in tried.error
    assert box.was_secure == [False]


def test_a_relay_that_nobody_vouches_for_gets_no_password(pair):
    with mailbox(pair, login=LOGIN) as box:
        tried = mail(box)
    assert "CERTIFICATE_VERIFY_FAILED" in tried.error
    assert not box.messages


def test_a_certificate_of_another_name_is_none(trusted, monkeypatch):
    with mailbox(trusted, login=LOGIN) as box:
        door = Door(private=True, resolver=lambda host, port: ["127.0.0.1"])
        reach = Reach(name="mail", kind="email", address="a@b.org", pattern="*", severity="info",
                      secret="pw", relay=f"smtp://u@mx.example.org:{box.port}",
                      sender="y@b.org")  # fmt: skip
        tried = send(reach, NOTICE, door)
    assert "CERTIFICATE_VERIFY_FAILED" in tried.error


def test_a_wrong_password_is_told_and_not_shown(trusted):
    with mailbox(trusted, login=LOGIN) as box:
        tried = mail(box, password="not-this-one")
    assert tried.error == "the relay does not know this user and password"


def test_refused_addresses_are_told():
    with mailbox(refuses=True) as box:
        tried = mail(box, "smtp+plain", user=None)
    assert "refused all addresses" in tried.error


def test_private_relays_are_reached_only_if_that_is_allowed():
    with mailbox() as box:
        assert "none that e-mail may" in mail(box, "smtp+plain", user=None, private=False).error
        box.port = 25
        assert "may not go to" in mail(box, "smtp+plain", user=None, private=False).error


def test_nobody_there_is_told():
    with mailbox() as box:
        pass
    tried = mail(box, "smtp+plain", user=None)
    assert "no connection" in tried.error


def test_a_relay_that_says_nothing_holds_nobody_up(monkeypatch):
    import socket

    monkeypatch.setattr(outside, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        box = Mailbox(None, at_once=False, login=None, refuses=False)
        box.port = silent.getsockname()[1]
        began = time.monotonic()
        tried = mail(box, "smtp+plain", user=None)
    assert "no answer" in tried.error
    assert time.monotonic() - began < 5
