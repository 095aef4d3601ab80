"""Batch inference: all rows of a file through a version, into a file.

Rows go through in batches of one size, each computed by itself: who is killed and goes on writes
the same bytes as who was not. Memory is bounded by the batch, whatever the file.
"""

from __future__ import annotations

from modelyard.serving.batch.run import Predicted, predict_file
from modelyard.serving.batch.workers import Answering, Batch, Workers, local_workers

__all__ = ["Answering", "Batch", "Predicted", "Workers", "local_workers", "predict_file"]
