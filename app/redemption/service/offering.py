"""Offer a reward by command: made, filled with codes and published in one go."""

import io
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.core.unit_of_work import unit_of_work
from app.redemption import reward_queries as queries
from app.redemption.service.code_importing import import_codes
from app.redemption.service.reward_saving import create_reward, publish_reward


def offer_reward(document: dict[str, Any], *, codes: Sequence[str] = (), test_codes: Sequence[str] = ()) -> UUID:
    """Publish ``document`` as a new reward, with these codes in its pool, and return its id.

    One of its key, whoever made it, is left as it is. For what is trusted, such as a command: it asks nobody. Raises
    ValidationProblem.
    """
    with unit_of_work() as session:
        known = queries.find_reward_id(session, document["key"])
        if known is not None:
            return known
        made: UUID = create_reward(document)["id"]
        for live, given in ((True, codes), (False, test_codes)):
            if given:
                import_codes(made, io.BytesIO("\n".join(given).encode()), live=live)
        publish_reward(made, None)
        return made
