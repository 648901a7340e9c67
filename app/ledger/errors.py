"""Errors of the ledger."""

from app.core.errors import Conflict, Forbidden, NotFound, ProblemError, ValidationProblem


class AccountNotFound(NotFound):
    """No such member has an account."""

    code, title = "account_not_found", "No such account"


class HoldNotFound(NotFound):
    """No such hold of this caller."""

    code, title = "hold_not_found", "No such hold"


class LotNotFound(NotFound):
    """The account has no such lot."""

    code, title = "lot_not_found", "No such lot"


class PostingNotFound(NotFound):
    """The account has no such posting."""

    code, title = "posting_not_found", "No such posting"


class InsufficientPoints(Conflict):
    """The account has too few available points; ``missing_points`` says how many more it would take."""

    code, title = "insufficient_points", "There are not enough available points"

    def __init__(self, missing: int = 1) -> None:
        super().__init__(f"{missing} more points are needed.", missing_points=missing)


class InDebt(Conflict):
    """The member owes points, which blocks spending."""

    code, title = "in_debt", "Points are owed; nothing can be spent until they are repaid"


class HoldClosed(Conflict):
    """The hold was captured, released or has expired."""

    code, title = "hold_closed", "The hold is no longer open"


class HoldCaptured(HoldClosed):
    """The hold was captured: what was not spent of it went back."""

    code, title = "hold_captured", "The hold was captured already"


class HoldReleased(HoldClosed):
    """The hold was released."""

    code, title = "hold_released", "The hold was released already"


class HoldExpired(HoldClosed):
    """The hold's time ran out, and its points went back."""

    code, title = "hold_expired", "The hold has expired"


class HoldDeclined(HoldClosed):
    """The shopper did not want it, and its points went back."""

    code, title = "hold_declined", "The shopper has declined the hold"


CLOSED: dict[str, type[HoldClosed]] = {
    "captured": HoldCaptured, "released": HoldReleased, "declined": HoldDeclined, "expired": HoldExpired,
}  # fmt: skip


class ConfirmationRequired(Conflict):
    """The shopper has to confirm the hold before it can be captured; ``confirm_by`` says until when."""

    code, title = "confirmation_required", "The shopper has not confirmed the hold yet"


class ConfirmationNotAwaited(Conflict):
    """The hold waits for nobody's confirmation: it needs none, or has it."""

    code, title = "confirmation_not_awaited", "This hold does not wait for a confirmation"


class HoldBelowMinimum(Conflict):
    """Fewer points than may pay for an order; ``points_min``, ``points_multiple`` and ``points_max`` say what may."""

    code, title = "hold_below_minimum", "An order is not paid with so few points"


class HoldNotMultiple(Conflict):
    """Not a whole multiple of ``points_multiple``."""

    code, title = "hold_not_multiple", "Orders are paid with whole multiples of points"


class HoldAboveShare(Conflict):
    """More points than may pay for this order; ``points_max`` says how many may, 0 where none."""

    code, title = "hold_above_share", "Points may not pay so much of this order"


class OrderCurrencyDiffers(Conflict):
    """Points are worth money in ``currency`` alone."""

    code, title = "order_currency_differs", "The order is in another currency than points are worth"


class OrderTotalRequired(ValidationProblem):
    """Points may pay a part of an order alone, so its total must be known."""

    code, title = "order_total_required", "The hold needs the order's total"


class CaptureExceedsHold(Conflict):
    """More was to be captured than is held."""

    code, title = "capture_exceeds_hold", "More was to be captured than is held"


class ReversalExceedsAward(Conflict):
    """More was to be reversed than is left of the award."""

    code, title = "reversal_exceeds_award", "More was to be reversed than is left of the award"


class RefundExceedsSpend(Conflict):
    """More was to be refunded than was spent."""

    code, title = "refund_exceeds_spend", "More was to be refunded than was spent"


class WriteOffExceedsDebt(Conflict):
    """More was to be written off than is owed."""

    code, title = "write_off_exceeds_debt", "More was to be written off than is owed"


class PostingKeyReused(Conflict):
    """The key was used for something else."""

    code, title = "posting_key_reused", "This key was used for another posting"


class GiftToOneself(ValidationProblem):
    """Sender and receiver are the same."""

    code, title = "gift_to_oneself", "A gift needs another member"


class InvalidPoints(ProblemError):
    """Points must be a whole number from 1 to 10^12."""

    status, code, title = 422, "invalid_points", "Points must be a whole number from 1 to 10^12"


class MemberNotLinked(NotFound):
    """No such member, or one whom this merchant has not linked: nothing tells which. Spending needs the link."""

    code, title = "member_not_linked", "This merchant has linked no such member; link the customer or take a pay code"


class InvalidPayCode(NotFound):
    """The pay code is wrong, used, replaced by a newer one or over its 60 seconds: nothing tells which."""

    code, title = "invalid_pay_code", "The pay code is not valid; ask for a new one"


class AdjustmentNotFound(NotFound):
    """No adjustment by that id."""

    code, title = "adjustment_not_found", "There is no such adjustment"


class AdjustmentClosed(Conflict):
    """The adjustment is decided, or its seven days are over."""

    code, title = "adjustment_closed", "The adjustment is no longer open"


class SecondPersonNeeded(Forbidden):
    """Who proposed an adjustment can't approve it."""

    code, title = "second_person_needed", "Somebody else must approve this adjustment"


class DailyCapReached(Conflict):
    """The roles of this member of staff allow fewer points in a day; ``points_left`` says how many today."""

    code, title = "daily_cap_reached", "This is more than your roles may adjust today"


class VerificationNotFound(NotFound):
    """The ledger was never verified."""

    code, title = "verification_not_found", "The ledger was not verified yet"
