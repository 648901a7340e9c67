"""What is left of an activity after returns, and what its awards are worth then. Pure.

1. A line that is returned in part keeps its share of its total, weight and pieces, each rounded half to even.
2. What came back is counted over all returns, so their order does not matter.
3. An activity of which nothing is left is worth nothing and claims no impact.
4. It is never worth more than before: what is taken back is what its rules lose, in all no more than it loses in all.
   Where one rule gains what another loses, each of those that lose gives up its share, by largest remainder.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from app.activities.errors import ReturnExceedsPurchase
from app.campaigns.service import share_by_largest_remainder
from app.core.strict_json import pointer

RuleId = tuple[str, str]  # campaign version, rule
_SHARED = ("total", "weight_g", "pieces")


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back of an activity, over all its returns: quantities by line, and whether that is all of it."""

    quantities: Mapping[str, int]
    is_whole: bool = False


NOTHING = Returned({})


def bought_by_line(body: Mapping[str, Any]) -> dict[str, int]:
    """Return the quantity of each line of an activity as it was sent."""
    return {line["id"]: line.get("quantity", 1) for line in body.get("lines", ())}


def resolve_return(
    asked: Sequence[Mapping[str, Any]] | None, bought: Mapping[str, int], before: Returned
) -> tuple[dict[str, int], Returned]:
    """Return what comes back by line, and all that has come back then.

    ``asked`` None is the rest of the activity; a line without a quantity is the rest of that line. Raises
    ReturnExceedsPurchase for more than is left, for a line that was not bought, and where nothing is left at all.
    """
    left = {line: quantity - before.quantities.get(line, 0) for line, quantity in bought.items()}
    if before.is_whole:
        raise ReturnExceedsPurchase("All of it has been returned.")
    if asked is None:
        coming = {line: quantity for line, quantity in left.items() if quantity}
    else:
        coming = {}
        faults = []
        for place, line in enumerate(asked):
            rest = left.get(line["id"], 0)
            quantity = rest if line["quantity"] is None else line["quantity"]
            if quantity > rest or rest == 0:
                said = f"{rest} of {bought[line['id']]} are left." if line["id"] in bought else "No such line."
                faults.append({"pointer": pointer("lines", place), "detail": said})
            coming[line["id"]] = quantity
        if faults:
            raise ReturnExceedsPurchase(errors=faults)
    together = dict(before.quantities)
    for line_id, quantity in coming.items():
        together[line_id] = together.get(line_id, 0) + quantity
    return coming, Returned(together, all(together.get(line, 0) == quantity for line, quantity in bought.items()))


def remaining_facts(facts: Mapping[str, Any], returned: Returned) -> Mapping[str, Any] | None:
    """Return the facts of an activity without what came back, None where nothing is left."""
    if returned.is_whole:
        return None
    if not returned.quantities:
        return facts
    lines = []
    for line in facts["lines"]:
        left = line["quantity"] - returned.quantities.get(line["id"], 0)
        if left:
            lines.append(line if left == line["quantity"] else _part_of(line, left))
    if not lines:
        return None
    return {**facts, "lines": lines, "line_count": len(lines), "total": sum(line["total"] for line in lines)}


def _part_of(line: Mapping[str, Any], quantity: int) -> dict[str, Any]:
    share = Fraction(quantity, line["quantity"])
    shared = {name: None if line[name] is None else round(line[name] * share) for name in _SHARED}
    return {**line, **shared, "quantity": quantity}


def worth_after(paid: Mapping[RuleId, int], evaluated: Mapping[RuleId, int]) -> dict[RuleId, int]:
    """Return what each rule's award is worth after a return: ``paid`` less what is taken back."""
    losses = {rule: max(0, points - evaluated.get(rule, 0)) for rule, points in paid.items()}
    loss = max(0, sum(paid.values()) - sum(evaluated.values()))
    if loss < sum(losses.values()):
        shares = share_by_largest_remainder(loss, list(losses.values())) if loss else [0] * len(losses)
        losses = dict(zip(losses, shares, strict=True))
    return {rule: points - losses[rule] for rule, points in paid.items()}
