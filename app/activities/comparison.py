"""Compare the means of two groups of members. Pure.

The interval is Welch's, for groups whose variances differ: with means m, sample variances v and sizes n,

    difference = m1 - m2, se = sqrt(v1/n1 + v2/n2), difference ± t * se,
    degrees of freedom = se^4 / ((v1/n1)^2 / (n1 - 1) + (v2/n2)^2 / (n2 - 1))

(B. L. Welch, Biometrika 34, 1947). t is the 97.5 % quantile of Student's distribution, by the expansion of Abramowitz
and Stegun 26.7.5: within 0.2 % from three degrees of freedom on.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


@dataclass(frozen=True, slots=True)
class Sample:
    """How many members there are in a group, and the mean and sample variance of what was measured of each."""

    size: int
    mean: float | None
    variance: float | None


def student_quantile(degrees: float) -> float:
    """Return the 97.5 % quantile of Student's distribution with that many degrees of freedom."""
    z, terms = _Z, 0.0
    polynomials = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    for power, polynomial in enumerate(polynomials, 1):
        terms += polynomial / degrees**power
    return z + terms


def compare(first: Sample, second: Sample) -> tuple[float, float, float] | None:
    """Return the difference of the means, first less second, and the ends of its interval; None where it has none.

    It has none where a group has fewer than two members.
    """
    if first.size < 2 or second.size < 2:
        return None
    assert first.mean is not None
    assert second.mean is not None
    difference = first.mean - second.mean
    parts = [(sample.variance or 0.0) / sample.size for sample in (first, second)]
    squared = sum(parts)
    if squared == 0:
        return difference, difference, difference
    # as parts of one, so that nothing underflows
    degrees = 1 / sum(
        (part / squared) ** 2 / (sample.size - 1) for part, sample in zip(parts, (first, second), strict=True)
    )
    reach = student_quantile(degrees) * sqrt(squared)
    return difference, difference - reach, difference + reach
