"""Metrics of four suites, each with an interval. numpy only; checked against scikit-learn.

A suite turns what a model said into facts about rows; facts give measures for all rows or some of
them, and outcomes, small enough to keep, from which two versions are compared row by row.
"""

from __future__ import annotations

from modelyard.core.metrics.classification import Classified
from modelyard.core.metrics.interface import Facts, Resampler
from modelyard.core.metrics.names import Direction, direction
from modelyard.core.metrics.neighbours import neighbour_facts
from modelyard.core.metrics.ranking import ranking_facts
from modelyard.core.metrics.regression import Regressed
from modelyard.core.metrics.rowwise import Means

__all__ = [
    "PRIMARY",
    "SUITES",
    "SUITE_VERSION",
    "Classified",
    "Direction",
    "Facts",
    "Means",
    "Regressed",
    "Resampler",
    "direction",
    "neighbour_facts",
    "ranking_facts",
]

SUITES = ("classification", "regression", "ranking", "embedding")

SUITE_VERSION = 1
"""Goes up when a metric's definition changes, so that numbers say how they were made."""

PRIMARY = {
    "classification": "accuracy", "regression": "rmse", "ranking": "ndcg@10",
    "embedding": "recall@1",
}  # fmt: skip
"""The metric that versions are compared by if nobody names one."""
