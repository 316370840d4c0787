"""Figures from samples. The machine may be busy with something else: medians, and the spread beside them."""

from __future__ import annotations

import statistics
from typing import Sequence


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` of them do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Median, p99, minimum, maximum, the distance between the quartiles, and how many."""
    return {
        "median": round(statistics.median(samples), 3),
        "p99": round(percentile(samples, 0.99), 3),
        "min": round(min(samples), 3),
        "max": round(max(samples), 3),
        "iqr": round(percentile(samples, 0.75) - percentile(samples, 0.25), 3),
        "n": len(samples),
    }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours / theirs, pair by pair: a machine whose speed drifts does not show in it."""
    return round(statistics.median(one / other for one, other in zip(ours, theirs)), 3)
