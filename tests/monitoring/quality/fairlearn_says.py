"""Run where fairlearn is: the gaps of an `.npz` with `truth`, `labels`, `groups`."""

import json
import sys

import numpy as np
from fairlearn import metrics
from sklearn.metrics import accuracy_score

with np.load(sys.argv[1]) as data:
    truth, labels, groups = data["truth"], data["labels"], data["groups"]
accuracy = metrics.MetricFrame(
    metrics=accuracy_score, y_true=truth, y_pred=labels, sensitive_features=groups
)
told = {"sensitive_features": groups}
print(json.dumps({
    "selection_rate_ratio": metrics.demographic_parity_ratio(truth, labels, **told),
    "equalized_odds_gap": metrics.equalized_odds_difference(truth, labels, **told),
    "equal_opportunity_gap": metrics.equal_opportunity_difference(truth, labels, **told),
    "accuracy_gap": accuracy.difference(),
    "accuracy": {str(k): v for k, v in accuracy.by_group.items()},
}))  # fmt: skip
