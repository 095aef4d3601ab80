"""What was watched of a deployment goes with it: whoever deploys under its name is another.

Its row stays, for its history; so do its tiles, which are read by model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.catalog.queries import watch_alerts, watch_answers, watch_events

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["forget_watched"]


def forget_watched(connection: sa.Connection, deployment_id: int, *, firing: bool) -> None:
    """Drop its rules, silences, alerts, anomalies, answers, and truths that wait.

    Args:
        firing: Also alerts that fire. Else they end as those of any rule that is gone, of which
            people are told.
    """
    watch_alerts.drop_of(connection, deployment_id, firing=firing)
    watch_events.drop_of(connection, deployment_id)
    watch_answers.drop_of(connection, deployment_id)
