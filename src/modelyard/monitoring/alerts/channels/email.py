"""E-mail: text and HTML, a thread for each deployment."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.core.channels import Reach
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["message_of"]


def message_of(reach: Reach, notice: Notice, now: float) -> EmailMessage:
    """An e-mail; the same notice has the same Message-ID when it is sent again."""
    sender = reach.sender or ""
    domain = sender.rpartition("@")[2] or "localhost"
    thread = hashlib.sha256(f"{notice.base}/{notice.deployment}".encode()).hexdigest()[:24]
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(part.strip() for part in reach.address.split(","))
    message["Subject"] = notice.title
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    message["Message-ID"] = f"<{notice.id}@{domain}>"
    message["References"] = message["In-Reply-To"] = f"<{thread}.alerts@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Yard-Deployment"] = notice.deployment
    message.set_content(_text(notice))
    message.add_alternative(_html(notice), subtype="html")
    return message


def _text(notice: Notice) -> str:
    parts = []
    for alert, words, evidence in notice.lines():
        since = f"since {alert.since:%Y-%m-%d %H:%M:%S} UTC"
        until = f", until {alert.until:%H:%M:%S}" if alert.until else ""
        parts.append(f"{words}\n  {since}{until}" + (f"\n  {evidence}" if evidence else ""))
    if notice.more:
        parts.append(f"and {notice.more} more")
    return "\n\n".join([*parts, notice.link]) + "\n"


def _html(notice: Notice) -> str:
    rows = []
    for alert, words, evidence in notice.lines():
        since = f"{alert.since:%Y-%m-%d %H:%M:%S} UTC"
        rows.append(f"<p><b>{escape(words)}</b><br>{since}<br>{escape(evidence)}</p>")
    if notice.more:
        rows.append(f"<p>and {notice.more} more</p>")
    link = escape(notice.link, quote=True)
    name = escape(notice.deployment or "alerts")
    return f'<html><body>{"".join(rows)}<p><a href="{link}">{name}</a></p></body></html>'
