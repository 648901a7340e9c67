"""What can go wrong with rewards, redemptions, vouchers and causes."""

from app.core.errors import Conflict, NotFound, ProblemError, TooManyRequests
from app.redemption import offers, worth


class SoldOut(Conflict):
    """Fewer are left than were asked for."""

    code, title = offers.SOLD_OUT, "This reward is sold out"


class StockBelowTaken(Conflict):
    """The new stock is less than what is taken already; ``taken`` says how much, and ``day`` when of a stock by day."""

    code, title = "stock_below_taken", "The stock is below what is taken already"


class RewardNotFound(NotFound):
    """No such reward, or one that members can't see now: nothing tells which."""

    code, title = "reward_not_found", "There is no such reward"


class RewardKeyTaken(Conflict):
    """A reward has that key; ``reward_id`` says which: change that one."""

    code, title = "reward_key_taken", "There is a reward with this key"


class WrongRewardState(Conflict):
    """The reward is not up to this; ``reward_state`` says how it stands. Nothing brings an archived one back."""

    code, title = "reward_state", "The reward's state does not allow this"


class CauseNotVerified(Conflict):
    """Nobody has verified the organisation: it is neither shown nor given to."""

    code, title = "cause_not_verified", "This cause is not verified"


class RewardHasNoCodes(Conflict):
    """Codes are imported for a reward of kind ``voucher_pool`` alone."""

    code, title = "reward_has_no_codes", "This reward's vouchers are not drawn from imported codes"


class TooManyFavourites(Conflict):
    """The member has marked as many rewards as one can."""

    code, title = "too_many_favourites", "You have marked as many rewards as you can"


class NotYetAvailable(Conflict):
    """The reward can be seen, and redeemed later; ``available_from`` says from when on."""

    code, title = offers.NOT_YET_AVAILABLE, "This reward is not available yet"


class NoLongerAvailable(Conflict):
    """The time to redeem the reward is over."""

    code, title = offers.NO_LONGER_AVAILABLE, "This reward is no longer available"


class NotForTier(Conflict):
    """The reward is for members of other tiers."""

    code, title = offers.NOT_FOR_TIER, "This reward is not for your tier"


class NotForMember(Conflict):
    """The reward is for members of other regions, or otherwise for some."""

    code, title = offers.NOT_FOR_MEMBER, "This reward is not for you"


class LimitReached(Conflict):
    """A member may take no more of it in this period; ``left`` says how many still."""

    code, title = offers.LIMIT_REACHED, "You may take no more of this reward for now"


WHY_NOT: dict[str, type[Conflict]] = {
    kind.code: kind for kind in (NotYetAvailable, NoLongerAvailable, NotForTier, NotForMember, LimitReached, SoldOut)
}


class RedemptionNotFound(NotFound):
    """No such redemption of this caller."""

    code, title = "redemption_not_found", "There is no such redemption"


class InvalidTransition(Conflict):
    """The redemption's ``state`` does not allow it."""

    code, title = "invalid_transition", "The state of the redemption does not allow this"


class InvalidCode(ProblemError):
    """The code can't be one: its check symbol is wrong, or what it is made of."""

    status, code, title = 422, "invalid_code", "This is no code; it may be mistyped"

    def __init__(self) -> None:
        super().__init__(errors=[{"pointer": "/code", "detail": "A symbol is wrong, missing or too many."}])


class VoucherNotFound(NotFound):
    """No such voucher, or another merchant's: nothing tells which."""

    code, title = "voucher_not_found", "There is no such voucher of this merchant"


class VoucherRedeemed(Conflict):
    """Nothing is left of the voucher."""

    code, title = "voucher_redeemed", "The voucher was redeemed already"


class VoucherExpired(Conflict):
    """The voucher's time is over."""

    code, title = "voucher_expired", "The voucher has expired"


class VoucherCancelled(Conflict):
    """The member gave the voucher back."""

    code, title = "voucher_cancelled", "The voucher was cancelled"


class CurrencyDiffers(Conflict):
    """The cart is in another currency than the voucher; ``currency`` is the voucher's."""

    code, title = "currency_differs", "The cart is in another currency than the voucher"


class BelowMinimum(Conflict):
    """Too little of the cart counts; ``missing_amount`` says how much more it takes, in minor units."""

    code, title = worth.BELOW_MINIMUM, "The cart is below the voucher's minimum spend"


class NothingEligible(Conflict):
    """Nothing in the cart is what the voucher is good for."""

    code, title = worth.NOTHING_ELIGIBLE, "The voucher is good for nothing in this cart"


class AmountExceedsWorth(Conflict):
    """More was asked for than the voucher is worth for this cart; ``worth`` says how much that is."""

    code, title = "amount_exceeds_worth", "The voucher is worth less than that for this cart"


class NotPartial(Conflict):
    """The voucher is used as a whole."""

    code, title = "not_partial", "This voucher can't be used in parts"


class VoucherUsedForOrder(Conflict):
    """The voucher stands against this order already, by another request."""

    code, title = "voucher_used_for_order", "The voucher was used for this order already"


class VoucherUseNotFound(NotFound):
    """The voucher was not used for this order."""

    code, title = "voucher_use_not_found", "The voucher was not used for this order"


class AlreadyRolledBack(Conflict):
    """The use was undone before."""

    code, title = "already_rolled_back", "The use of the voucher was rolled back already"


class RollbackTooLate(Conflict):
    """The merchant's day of the use is over: staff can still undo it."""

    code, title = "rollback_too_late", "The day of the use is over; staff can still roll it back"


class TooManyGuesses(TooManyRequests):
    """Too many codes were wrong; ``Retry-After`` says for how long none is looked at."""

    code, title = "too_many_guesses", "Too many codes were wrong; wait before the next"


class CauseNotFound(NotFound):
    """No such cause, or none that this caller may see."""

    code, title = "cause_not_found", "No such cause"


class CauseKeyTaken(Conflict):
    """Another cause has this key, or this registration."""

    code, title = "cause_key_taken", "Another cause has this key or this registration"


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
