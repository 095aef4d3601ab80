"""WeCom's group robots: whoever knows the key in the URL may write; nothing is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from modelyard.monitoring.alerts.channels.markdown import JSON, error_code, markdown
from modelyard.monitoring.alerts.channels.sending import Letter

if TYPE_CHECKING:
    from modelyard.core.channels import Reach
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["letter_of", "refusal"]

_MOST = 4000
"""Bytes; a message may have 4096."""


def letter_of(reach: Reach, notice: Notice, now: float) -> Letter:
    """A message in Markdown."""
    body = {"msgtype": "markdown", "markdown": {"content": markdown(notice, _MOST)}}
    return Letter(reach.address, msgspec.json.encode(body), JSON)


def refusal(body: bytes) -> str:
    """Why it was not taken, by the answer."""
    return error_code(body, "errcode")
