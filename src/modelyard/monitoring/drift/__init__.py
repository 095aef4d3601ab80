"""How far inputs and answers moved from what a version was made with."""

from __future__ import annotations

from modelyard.monitoring.drift.columns import columns_of
from modelyard.monitoring.drift.deciding import drift_of
from modelyard.monitoring.drift.thresholds import LIMITS, Limits

__all__ = ["LIMITS", "Limits", "columns_of", "drift_of"]
