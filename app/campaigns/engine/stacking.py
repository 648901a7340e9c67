"""Rules of one group compete: what each offers, and which of them stand. Pure.

1. An offer that would pay nothing by itself, because it is too little, does not compete.
2. Of the modes that the competing rules name, the strictest holds: ``exclusive``, then ``best``, then ``sum``.
3. Where all are line rules they compete line by line, else whole against whole.
4. ``best``: the most points win, before rounding; of whole offers, no more than their ``maximum`` counts.
   ``exclusive``: the first in order that offers anything wins. Of equals the first in order wins.
5. A rule that keeps some of its lines and would pay nothing for these alone leaves them to the others; where several
   would, the last in order does, and the group competes again without it.
"""

from collections.abc import Iterable, Sequence

from app.campaigns.engine.arithmetic import round_points
from app.campaigns.engine.rules import Rule

_STRICTNESS = ("sum", "best", "exclusive")


class Offer:
    """What a rule would pay at its places, exactly: ``amounts`` over ``over``.

    ``points`` is that rounded; 0 where it is less than the rule's ``minimum``; no more than its ``maximum``.
    """

    __slots__ = ("amounts", "over", "places", "points", "rule")

    def __init__(self, rule: Rule, places: Sequence[int], amounts: Sequence[int], over: int) -> None:
        self.rule = rule
        self.places = places
        self.amounts = amounts
        self.over = over
        points = round_points(rule.rounding, sum(amounts), over)
        if rule.minimum is not None and points < rule.minimum:
            points = 0
        elif rule.maximum is not None and points > rule.maximum:
            points = rule.maximum
        self.points = points

    def only(self, places: set[int]) -> "Offer":
        """Return the part of it at ``places``."""
        if len(places) == len(self.places):
            return self
        kept = [(place, amount) for place, amount in zip(self.places, self.amounts, strict=True) if place in places]
        return Offer(self.rule, [place for place, _ in kept], [amount for _, amount in kept], self.over)


def decide(offers: Iterable[Offer]) -> tuple[list[Offer], list[Rule]]:
    """Return the offers that stand, with the places they keep, and the rules that were beaten.

    ``offers`` come in the order of their rules. Those that are too little stand too; nobody is beaten by them.
    """
    standing: list[Offer] = []
    beaten: list[Rule] = []
    groups: dict[str, list[Offer]] = {}
    for offer in offers:
        if offer.rule.stacking is None or not offer.points:
            standing.append(offer)
        else:
            groups.setdefault(offer.rule.stacking.group, []).append(offer)
    for contenders in groups.values():
        winners = _compete(contenders)
        standing += winners
        won = {id(winner.rule) for winner in winners}
        beaten += [offer.rule for offer in contenders if id(offer.rule) not in won]
    return standing, beaten


def _compete(contenders: list[Offer]) -> list[Offer]:
    modes = (offer.rule.stacking.mode for offer in contenders if offer.rule.stacking is not None)
    mode = max(modes, key=_STRICTNESS.index)
    if mode == "sum" or len(contenders) == 1:
        return contenders
    if not all(offer.rule.is_of_lines for offer in contenders):
        return [contenders[0] if mode == "exclusive" else _best(contenders)]
    while True:
        winners = _winners_by_line(contenders, mode)
        failing = [winner for winner in winners if not winner.points]
        if not failing:
            return winners
        contenders = [offer for offer in contenders if offer.rule is not failing[-1].rule]


def _winners_by_line(contenders: Sequence[Offer], mode: str) -> list[Offer]:
    """Return what each contender keeps that wins a line; a line on which nobody offers anything is nobody's."""
    winners: dict[int, tuple[Offer, int]] = {}
    for offer in contenders:
        for place, amount in zip(offer.places, offer.amounts, strict=True):
            rival = winners.get(place)
            if (amount and rival is None) or (
                rival is not None and mode == "best" and amount * rival[0].over > rival[1] * offer.over
            ):
                winners[place] = (offer, amount)
    return [
        offer.only(places)
        for offer in contenders
        if (places := {place for place, (winner, _) in winners.items() if winner is offer})
    ]


def _best(contenders: Sequence[Offer]) -> Offer:
    """Return the whole offer of the most exact points, no more than its ``maximum`` counted; the first of equals."""
    best, best_amount = contenders[0], 0
    for offer in contenders:
        amount, maximum = sum(offer.amounts), offer.rule.maximum
        if maximum is not None:
            amount = min(amount, maximum * offer.over)
        if amount * best.over > best_amount * offer.over:
            best, best_amount = offer, amount
    return best
