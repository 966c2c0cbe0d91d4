"""Samples → the figures that are quoted."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table of results."""

    what: str
    value: str
    target: str
    detail: str = ""


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of the samples does not exceed."""
    ordered = sorted(samples)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def format_ms(samples: Sequence[float]) -> str:
    """Format p50, p95 and the maximum of samples in seconds, as milliseconds."""
    p50, p95, worst = (1000 * percentile(samples, share) for share in (0.5, 0.95, 1.0))
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {worst:.1f} ms (n = {len(samples)})"
