"""Ranking: how well the rows of each query are ordered by their scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelyard.core.metrics.rowwise import Means

if TYPE_CHECKING:
    from modelyard.core.metrics.interface import Array

__all__ = ["ranking_facts"]

_CUT = 10


def ranking_facts(queries: Array, relevance: Array, scores: Array) -> Means:
    """Facts of queries, in the order of their codes; NaN for those without a relevant row.

    NDCG is that of Jaervelin and Kekaelaeinen (Cumulated gain-based evaluation of IR techniques,
    2002) with linear gain, cut at ten; equal scores share their gains (McSherry and Najork,
    Computing information retrieval performance measures efficiently in the presence of tied
    scores, 2008). Average precision takes rows of equal score together; the reciprocal rank lets
    them come in the worst order.

    Args:
        queries: Shape (rows,): codes from 0 without gaps.
        relevance: Shape (rows,): zero or less is not relevant.
        scores: Shape (rows,): higher is to come first.
    """
    count = int(queries.max()) + 1
    order = np.lexsort((-scores, queries))
    query, gain, score = queries[order], np.maximum(relevance[order], 0.0), scores[order]
    relevant = (gain > 0).astype(np.float64)
    first = np.searchsorted(query, np.arange(count))
    rank = np.arange(len(query)) - first[query]
    starts = np.flatnonzero(
        np.concatenate([[True], (query[1:] != query[:-1]) | (score[1:] != score[:-1])])
    )
    sizes = np.diff(np.append(starts, len(query)))
    ideal = gain[np.lexsort((-gain, query))]
    totals = np.bincount(query, relevant, count)
    shared = np.repeat(np.add.reduceat(gain, starts) / sizes, sizes)
    with np.errstate(invalid="ignore", divide="ignore"):
        ndcg = _discounted(shared, rank, query, count) / _discounted(ideal, rank, query, count)
        precision = _average_precision(relevant, rank, query, starts, sizes, count) / totals
    columns = {
        f"ndcg@{_CUT}": ndcg,
        "map": precision,
        "mrr": _reciprocal(relevant, rank, query, starts, sizes, count),
    }
    return Means({name: np.where(totals > 0, column, np.nan) for name, column in columns.items()})


def _discounted(gain: Array, rank: Array, query: Array, count: int) -> Array:
    discount = np.where(rank < _CUT, 1 / np.log2(rank + 2.0), 0.0)
    return np.bincount(query, gain * discount, count)


def _average_precision(
    relevant: Array, rank: Array, query: Array, starts: Array, sizes: Array, count: int
) -> Array:
    """Sum of precision x relevant rows, at the end of each group of equal scores."""
    hits = np.add.reduceat(relevant, starts)
    gathered = np.cumsum(hits)
    group_query = query[starts]
    opening = np.searchsorted(group_query, np.arange(count))
    before = np.where(opening > 0, gathered[opening - 1], 0.0)
    precision = (gathered - before[group_query]) / (rank[starts] + sizes)
    return np.bincount(group_query, precision * hits, count)


def _reciprocal(
    relevant: Array, rank: Array, query: Array, starts: Array, sizes: Array, count: int
) -> Array:
    hits = np.add.reduceat(relevant, starts)
    worst = rank[starts] + sizes - hits + 1  # the others of the group come before
    group_query = query[starts]
    found = np.flatnonzero(hits > 0)
    ranks = np.full(count, np.inf)
    np.minimum.at(ranks, group_query[found], worst[found])
    return 1 / ranks
