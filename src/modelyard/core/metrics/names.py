"""Which way of a metric is better, known by its name."""

from __future__ import annotations

from typing import Literal

__all__ = ["Direction", "direction"]

Direction = Literal["higher", "lower"]

_HIGHER = """
accuracy acc balanced_accuracy precision recall f1 f_beta fbeta roc_auc auc auroc pr_auc auprc
average_precision r2 ndcg map mrr separation bleu rouge meteor iou miou dice mcc kappa
specificity sensitivity hit_rate top1 top5 throughput explained_variance
"""
_LOWER = """
log_loss logloss loss nll cross_entropy brier ece mse rmse mae mape smape rmsle medae
p95_error max_error error error_rate perplexity ppl wer cer fid hinge hamming latency
latency_p50 latency_p95 latency_p99 size
"""
_KNOWN: dict[str, Direction] = dict.fromkeys(_HIGHER.split(), "higher")
_KNOWN.update(dict.fromkeys(_LOWER.split(), "lower"))
_PREFIXES = ("val_", "valid_", "validation_", "test_", "train_", "eval_", "macro_", "micro_",
             "weighted_")  # fmt: skip
_ENDINGS: tuple[tuple[str, Direction], ...] = (
    ("_accuracy", "higher"), ("_f1", "higher"), ("_auc", "higher"), ("_recall", "higher"),
    ("_precision", "higher"), ("_loss", "lower"), ("_rmse", "lower"), ("_mae", "lower"),
    ("_mse", "lower"), ("_error_rate", "lower"),
)  # fmt: skip


def direction(name: str) -> Direction | None:
    """`higher` or `lower`; None for names that nobody knows, and for `mean_error`, best near 0."""
    word = name.lower().replace("-", "_").partition("@")[0].partition(".")[0]
    for prefix in _PREFIXES:
        word = word.removeprefix(prefix)
    if word in _KNOWN:
        return _KNOWN[word]
    return next((way for ending, way in _ENDINGS if word.endswith(ending)), None)
