"""Trying again what failed for a passing reason: with backoff, with jitter, and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["patiently"]

T = TypeVar("T")


def patiently(
    work: Callable[[], T], is_passing: Callable[[BaseException], bool], seconds: float
) -> T:
    """What `work` returns, called again after each passing error until `seconds` are over.

    The waits are random, up to 2 s, and twice as long each time. The last error is raised as it is.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

    attempts = Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.05, max=2),
        reraise=True,
    )
    return attempts(work)
