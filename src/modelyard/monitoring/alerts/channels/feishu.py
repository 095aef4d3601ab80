"""Custom bots of Feishu and Lark; with a secret, requests are signed as their manual says."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import msgspec

from modelyard.monitoring.alerts.channels.markdown import JSON, error_code, markdown
from modelyard.monitoring.alerts.channels.sending import Letter

if TYPE_CHECKING:
    from modelyard.core.channels import Reach
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["letter_of", "refusal"]

_MOST = 12_000
"""Bytes; a request may have 20 KB all in."""
_COLOURS: Final = {"info": "blue", "warning": "orange", "critical": "red"}


def letter_of(reach: Reach, notice: Notice, now: float) -> Letter:
    """A card. HMAC-SHA256 over nothing, with the key `TIMESTAMP\\nSECRET`; seconds."""
    text = markdown(notice, _MOST, heading="")
    colour = _COLOURS[notice.severity] if notice.is_firing else "green"
    body: dict[str, Any] = {
        "msg_type": "interactive",
        "card": {
            "header": {
                "title": {"tag": "plain_text", "content": notice.title}, "template": colour,
            },
            "elements": [{"tag": "div", "text": {"tag": "lark_md", "content": text}}],
        },
    }  # fmt: skip
    if reach.secret:
        stamp = str(int(now))
        key = f"{stamp}\n{reach.secret}".encode()
        sign = base64.b64encode(hmac.digest(key, b"", hashlib.sha256)).decode()
        body = {"timestamp": stamp, "sign": sign, **body}
    return Letter(reach.address, msgspec.json.encode(body), JSON)


def refusal(body: bytes) -> str:
    """Why it was not taken, by the answer."""
    return error_code(body, "code", "StatusCode")
