"""What can go wrong with rewards, redemptions, vouchers and causes."""

from app.core.errors import Conflict, NotFound


class SoldOut(Conflict):
    """Fewer are left than were asked for."""

    code, title = "sold_out", "This reward is sold out"


class StockBelowTaken(Conflict):
    """The new stock is less than what is taken already; ``taken`` says how much, and ``day`` when of a stock by day."""

    code, title = "stock_below_taken", "The stock is below what is taken already"


class CauseNotFound(NotFound):
    """No such cause, or none that this caller may see."""

    code, title = "cause_not_found", "No such cause"


class CauseKeyTaken(Conflict):
    """Another cause has this key, or this registration."""

    code, title = "cause_key_taken", "Another cause has this key or this registration"


class CauseNotVerified(Conflict):
    """Nobody has verified the organisation: it is neither shown nor given to."""

    code, title = "cause_not_verified", "This cause is not verified"


class ProofNeeded(Conflict):
    """There is no proof of the registration that could be looked at."""

    code, title = "proof_needed", "A cause is verified by a proof of its registration; there is none"


class CauseClosed(Conflict):
    """The cause is archived."""

    code, title = "cause_closed", "This cause is archived"


class MatchNotFound(NotFound):
    """No such promise of a sponsor for this cause."""

    code, title = "match_not_found", "No such promise of a sponsor"


class MatchBelowMatched(Conflict):
    """The new budget is less than what the sponsor has added already."""

    code, title = "match_below_matched", "The budget is below what was added already"


class DonationNotFound(NotFound):
    """No such donation of this member."""

    code, title = "donation_not_found", "No such donation"


class NothingToPayOut(Conflict):
    """No donation up to then waits to be paid out."""

    code, title = "nothing_to_pay_out", "No donation up to then waits to be paid out"
