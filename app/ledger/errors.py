"""Errors of the ledger."""

from app.core.errors import Conflict, NotFound, ProblemError, ValidationProblem


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

    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} more points are needed.", missing_points=missing)


class InDebt(Conflict):
    """The member owes points, which blocks spending."""

    code, title = "in_debt", "Points are owed; nothing can be spent until they are repaid"


class HoldClosed(Conflict):
    """The hold was captured, released or has expired."""

    code, title = "hold_closed", "The hold is no longer open"


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
