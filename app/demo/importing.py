"""Import baskets by service, for a past that the HTTP contract no longer takes: no limit on age, all else the same."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from app.activities import service as activities
from app.core.clock import now
from app.core.errors import ProblemError
from app.demo.outcomes import Outcomes
from app.merchants.service import MerchantPrincipal

BATCH_SIZE = 500


def import_baskets(
    baskets: Iterable[dict[str, Any]], merchant: MerchantPrincipal, progress: Callable[[int], None]
) -> Outcomes:
    """Store and award ``baskets`` as ``merchant``'s, in their order, and return what became of them.

    Each batch is committed on its own: what was imported by an interruption stays, and is not paid again.
    """
    origin = activities.Source(merchant, is_age_bounded=False)
    outcomes = Outcomes()
    waiting = iter(baskets)
    while batch := list(itertools.islice(waiting, BATCH_SIZE)):
        moment = now()
        for body, result in zip(batch, activities.report_many(origin, batch), strict=True):
            if isinstance(result, ProblemError):
                outcomes.add(body, result.status, None, result.code, moment)
            else:
                outcomes.add(body, 200 if result.is_replay else 201, result.outcome, "", moment)
        progress(len(batch))
    return outcomes
