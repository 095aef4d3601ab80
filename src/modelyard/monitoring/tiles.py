"""Tiles: what is kept of the rows of a span of time. Only the values; `folding` fills them.

`merge(a, b)` of two spans, workers or servers equals the tile of all their rows. Counts are exact;
sketches (Apache DataSketches) have the errors that their makers state. All of a version have one
schema, and with it the same bins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from modelyard.core.monitoring import Schema

__all__ = [
    "CALIBRATION_BINS", "FEATURES", "LAG_BOUNDS", "LATENCY_BINS", "PHASES", "SCORE_BINS",
    "CategoryTile", "GroupTile", "NumberTile", "PerformanceTile", "PredictedTile", "Tile",
    "TogetherTile", "TruthTile", "VectorTile",
]  # fmt: skip

Array: TypeAlias = "np.ndarray[Any, Any]"

PHASES: Final = ("total", "queue", "preprocess", "predict", "postprocess")
LATENCY_BINS: Final = 200
"""Bins of nanoseconds: eight to each power of two from 1,024 on (so at most 9 % wide); the first
holds all below, the last all above."""
SCORE_BINS: Final = 50
"""Of a probability, all of the same width."""
CALIBRATION_BINS: Final = 15
FEATURES: Final = 128
"""Random Fourier features of a vector."""
LAG_BOUNDS: Final = (1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0, 604800.0)
"""Seconds from an answer to its truth: upper ends of bins; one more is above."""


@dataclass(slots=True, eq=False)
class NumberTile:
    """One column of numbers."""

    counts: Array
    """int64 [len(edges) + 1]; only finite values."""
    rows: int = 0
    """All, with and without a value."""
    nulls: int = 0
    infinite: int = 0
    outside: int = 0
    """Finite, but beyond the reference's range."""
    mean: float = 0.0
    m2: float = 0.0
    """Sum of squared distances from the mean, of finite values."""
    low: float = float("inf")
    high: float = float("-inf")
    kll: Any = None
    """A `kll_floats_sketch` (k=200), or None if datasketches is not there."""


@dataclass(slots=True, eq=False)
class CategoryTile:
    """One column of texts."""

    counts: Array
    """int64 [len(categories) + 1]; the last counts all others."""
    rows: int = 0
    nulls: int = 0
    distinct: Any = None
    """An `hll_sketch` of those that are no categories, or None."""
    frequent: Any = None
    """A `frequent_strings_sketch` of those that are no categories, or None."""


@dataclass(slots=True, eq=False)
class VectorTile:
    """One vector: its sum, its length, and random Fourier features for its distribution."""

    total: Array
    """float64 [size], of more than 512 elements [512]: of what `vectors.shrunk` makes of them."""
    features: Array
    """float64 [FEATURES]: sums."""
    rows: int = 0
    nulls: int = 0
    norm_mean: float = 0.0
    norm_m2: float = 0.0


@dataclass(slots=True, eq=False)
class TogetherTile:
    """How the first 32 columns of numbers go together, on the scale of `together.scaled`."""

    total: Array
    """float64 [k]: sums."""
    products: Array
    """float64 [k (k + 1) / 2]: sums of products, of the upper triangle."""
    rows: int = 0


@dataclass(slots=True, eq=False)
class PredictedTile:
    """What came out. C classes."""

    rows: int
    labels: Array
    """int64 [C + 1]; the last: none of them."""
    scores: Array
    """int64 [C, SCORE_BINS]: histogram of each class's probability."""
    expected: Array
    """float64 [C, C]: for rows predicted as j, the sum of their calibrated probabilities: what
    the confusion matrix would be if those were true. [j, k]: predicted j, true k."""
    expected_square: Array
    """float64 [C, C]: the same of p (1 - p): its variance."""
    scored: int = 0
    """Rows with probabilities."""
    values: NumberTile | None = None
    """Of what is predicted otherwise, on `schema.values.edges`."""
    not_finite: int = 0
    """Rows with a NaN or an infinity among the outputs."""


@dataclass(slots=True, eq=False)
class GroupTile:
    """What came out for each value of one column; at most 32, the rest is `other`."""

    values: list[str]
    """Categories of the column in the schema, cut to 32."""
    labels: Array
    """int64 [groups + 1, C + 1]: predictions of each group; the last group: others."""
    rows: Array
    """int64 [groups + 1]."""
    sums: Array
    """float64 [groups + 1]: of predicted values."""
    squares: Array
    """float64 [groups + 1]."""
    expected: Array
    """float64 [groups + 1, C, C]: as in `PredictedTile`; [groups + 1, 0, 0] if C is more than 8."""


@dataclass(slots=True, eq=False)
class TruthTile:
    """What was true of rows whose answers lie in the span. Filled by feedback, later."""

    confusion: Array
    """int64 [C, C]: [predicted, true]."""
    calibration: Array
    """float64 [CALIBRATION_BINS, 3]: rows, sum of the predicted class's probability, rows that
    were right."""
    lags: Array
    """int64 [len(LAG_BOUNDS) + 1]."""
    rows: int = 0
    unlisted: int = 0
    """Truths that are none of the classes."""
    errors: Array | None = None
    """float64 [7], of numbers: rows, sums of e, |e|, e squared, y, y squared, e to the fourth;
    e = predicted - true."""
    groups: dict[str, Array] = field(default_factory=dict)
    """By column: int64 [groups + 1, C, C], or of numbers float64 [groups + 1, 7]."""
    ranks: Array | None = None
    """int64 [2, SCORE_BINS], of two classes: scores of the second, of rows that are false, true."""


@dataclass(slots=True, eq=False)
class PerformanceTile:
    """How requests went."""

    requests: int
    rows: int
    outcomes: dict[str, int]
    latency: Array
    """int64 [len(PHASES), LATENCY_BINS]."""
    sums: Array
    """float64 [len(PHASES)]: seconds."""
    batches: Array
    """int64 [17]: by powers of two of rows computed together: 1, 2, 3-4, 5-8, ..."""
    cold: int = 0
    dropped: int = 0
    """Records that monitoring could not take."""


@dataclass(slots=True, eq=False)
class Tile:
    """All of one version in one span."""

    schema: Schema
    rows: int
    numbers: list[NumberTile]
    categories: list[CategoryTile]
    vectors: list[VectorTile]
    predicted: PredictedTile
    groups: dict[str, GroupTile]
    performance: PerformanceTile
    truth: TruthTile
    together: TogetherTile | None = None
    """None of fewer than two columns of numbers."""
