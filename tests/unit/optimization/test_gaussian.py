"""Regression by a Gaussian process."""

from __future__ import annotations

import numpy as np

from modelyard.optimization.gaussian import _fit, fits


def known() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points that matter in the first of three options; the last has two columns."""
    x = np.random.default_rng(0).random((20, 4))
    y = np.sin(4 * x[:, 0])
    return x, (y - y.mean()) / y.std(), np.array([0, 1, 2, 2])


def test_what_was_measured_is_expected_again_and_little_is_known_far_away() -> None:
    x, y, owner = known()

    [(_, fit), *_] = fits(x, y, owner, 3.0, np.random.default_rng(0))
    mean, spread = fit.expected(x, x)
    _, far = fit.expected(x + 30.0, x)

    assert np.abs(mean - y).max() < 0.2
    assert far.min() > 3 * spread.max()


def test_scales_are_long_where_an_option_does_not_matter() -> None:
    x, y, owner = known()

    [(_, fit), *_] = fits(x, y, owner, 3.0, np.random.default_rng(0))

    assert fit.theta[0] < fit.theta[1:3].min()


def test_weights_are_shares() -> None:
    x, y, owner = known()

    weights = [weight for weight, _ in fits(x, y, owner, 3.0, np.random.default_rng(0))]

    assert np.isclose(sum(weights), 1.0)
    assert weights == sorted(weights, reverse=True)


def test_it_climbs_where_the_likelihood_rises() -> None:
    x, y, owner = known()
    theta = np.array([0.3, -0.4, 0.1, -3.0])
    fit = _fit(theta, x, y, owner, 0.0)
    assert fit is not None

    for at in range(len(theta)):
        step = np.zeros(len(theta))
        step[at] = 1e-5
        after, before = (_fit(theta + sign * step, x, y, owner, 0.0) for sign in (1, -1))
        assert after is not None
        assert before is not None
        assert np.isclose((after.likely - before.likely) / 2e-5, fit.slope[at], atol=1e-4)
