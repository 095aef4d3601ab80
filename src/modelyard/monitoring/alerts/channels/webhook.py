"""A webhook: CloudEvents, signed as all our webhooks are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelyard.core.hooks import CONTENT_TYPE, signed_headers
from modelyard.core.wire import encode
from modelyard.monitoring.alerts.channels.sending import Letter

if TYPE_CHECKING:
    from modelyard.core.channels import Reach
    from modelyard.monitoring.alerts.notices import Notice

__all__ = ["letter_of"]


def letter_of(reach: Reach, notice: Notice, now: float) -> Letter:
    """One event of the type `modelyard.alerts`; its data is `Notice.plain`."""
    body = encode(
        {
            "specversion": "1.0",
            "id": notice.id,
            "source": notice.base or "urn:modelyard",
            "type": "modelyard.alerts",
            "subject": notice.deployment,
            "time": datetime.fromtimestamp(now, UTC),
            "datacontenttype": "application/json",
            "data": notice.plain(),
        }
    )
    headers = {
        "content-type": CONTENT_TYPE,
        "user-agent": "modelyard",
        "x-yard-event": "alerts",
        **signed_headers(reach.secret or "", notice.id, int(now), body),
    }
    return Letter(reach.address, body, headers)
