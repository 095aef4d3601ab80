"""Ways to tell people: each module makes of a notice what one kind of service takes."""

from __future__ import annotations

from modelyard.monitoring.alerts.channels.sending import Answered, Outside, send

__all__ = ["Answered", "Outside", "send"]
