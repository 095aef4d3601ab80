"""DingTalk's custom robots; with a secret, requests are signed as its manual says."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from modelyard.monitoring.alerts.channels.markdown import JSON, error_code, markdown
from modelyard.monitoring.alerts.channels.sending import Letter

if TYPE_CHECKING:
    from modelyard.core.channels import Reach
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["letter_of", "refusal"]

_MOST = 15_000
"""Bytes; a message may have 20,000 all in."""


def letter_of(reach: Reach, notice: Notice, now: float) -> Letter:
    """HMAC-SHA256 over `TIMESTAMP\\nSECRET` with the secret, in the URL; milliseconds."""
    url = reach.address
    if reach.secret:
        stamp = str(int(now * 1000))
        told = f"{stamp}\n{reach.secret}".encode()
        sign = base64.b64encode(hmac.digest(reach.secret.encode(), told, hashlib.sha256)).decode()
        url += ("&" if "?" in url else "?") + urlencode({"timestamp": stamp, "sign": sign})
    body = {
        "msgtype": "markdown",
        "markdown": {"title": notice.title, "text": markdown(notice, _MOST)},
    }
    return Letter(url, msgspec.json.encode(body), JSON)


def refusal(body: bytes) -> str:
    """Why it was not taken, by the answer."""
    return error_code(body, "errcode")
