"""Exact points: whole amounts over a common divisor, rounded once and shared among lines. Pure."""

from collections.abc import Sequence


def round_points(rounding: str, amount: int, over: int) -> int:
    """Return ``amount / over`` rounded by ``floor``, ``half_up`` or ``ceil``; ``amount`` >= 0, ``over`` > 0."""
    if rounding == "floor":
        return amount // over
    if rounding == "ceil":
        return -(-amount // over)
    return (2 * amount + over) // (2 * over)


def share_by_largest_remainder(points: int, weights: Sequence[int]) -> list[int]:
    """Return ``points`` shared in proportion to ``weights`` (>= 0, not all 0); the sum is exactly ``points``.

    What is left after rounding down goes to the largest remainders, earlier places first where they are equal.
    """
    total = sum(weights)
    if points == total:
        return list(weights)
    shares = [points * weight // total for weight in weights]
    left = points - sum(shares)
    if left:
        by_remainder = sorted(range(len(weights)), key=lambda place: (-(points * weights[place] % total), place))
        for place in by_remainder[:left]:
            shares[place] += 1
    return shares
