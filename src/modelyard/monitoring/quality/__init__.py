"""Whether a version is right: with the truth, without it, for every group; what it gives away."""

from modelyard.monitoring.quality.estimated import estimated
from modelyard.monitoring.quality.fairness import Limits, fairness
from modelyard.monitoring.quality.lags import label_lag
from modelyard.monitoring.quality.realized import realized

__all__ = ["Limits", "estimated", "fairness", "label_lag", "realized"]
