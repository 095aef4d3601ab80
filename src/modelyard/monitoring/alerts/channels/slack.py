"""Slack's incoming webhooks, which Mattermost, Rocket.Chat and Discord (`/slack`) take too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from modelyard.monitoring.alerts.channels.sending import Letter

if TYPE_CHECKING:
    from modelyard.core.channels import Reach
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["letter_of"]

_COLOURS: Final = {"info": "#439fe0", "warning": "#daa038", "critical": "#d00000"}
_OVER: Final = "#2eb886"


def letter_of(reach: Reach, notice: Notice, now: float) -> Letter:
    """A line, and below it a coloured box with an alert on each line."""
    lines = []
    for _, words, evidence in notice.lines():
        lines.append(f"*{_safe(words)}*")
        if evidence:
            lines.append(_safe(evidence))
    if notice.more:
        lines.append(f"and {notice.more} more")
    box = {
        "color": _COLOURS[notice.severity] if notice.is_firing else _OVER,
        "fallback": notice.title,
        "title": _safe(notice.deployment or "alerts"),
        "title_link": notice.link,
        "text": "\n".join(lines),
        "mrkdwn_in": ["text"],
    }
    body = msgspec.json.encode({"text": _safe(notice.title), "attachments": [box]})
    return Letter(reach.address, body, {"content-type": "application/json; charset=utf-8"})


def _safe(text: str) -> str:
    """Slack's three characters; nothing in it calls people or channels."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
