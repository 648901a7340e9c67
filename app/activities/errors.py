"""Errors of activities."""

from app.core.errors import Conflict, NotFound, ValidationProblem


class ActivityNotFound(NotFound):
    """No such activity of this caller."""

    code, title = "activity_not_found", "No such activity"


class MemberNotFound(NotFound):
    """The activity names a member that this merchant does not know."""

    code, title = "member_not_found", "No such member"


class ActivityIdReused(Conflict):
    """The id and revision came with other content before."""

    code, title = "activity_id_reused", "This activity id was used with other content"


class RevisionStale(Conflict):
    """A newer revision is stored."""

    code, title = "revision_stale", "A newer revision of this activity is stored"


class ActivityClosed(Conflict):
    """The activity can't be revised any more."""

    code, title = "activity_closed", "This activity is closed to revisions"


class ActivityMemberChanged(Conflict):
    """A revision names somebody else than the activity that it revises."""

    code, title = "activity_member_changed", "A revision can't give the activity to another member"


class CompletedBeforeActivity(Conflict):
    """It is said to have been complete before it occurred."""

    code, title = "completed_before_activity", "This was completed before it occurred"


class ReturnNotFound(NotFound):
    """No such return of this merchant."""

    code, title = "return_not_found", "No such return"


class ReturnIdReused(Conflict):
    """The id of the return came with other content before."""

    code, title = "return_id_reused", "This return id was used with other content"


class ReturnExceedsPurchase(Conflict):
    """More comes back than is left of what was bought."""

    code, title = "return_exceeds_purchase", "More is returned than was bought"


class ReturnOfReturn(Conflict):
    """What is to be returned is itself a return."""

    code, title = "return_of_return", "A return can't be returned"


class ReturnBeforePurchase(Conflict):
    """The return occurred before what it returns."""

    code, title = "return_before_purchase", "This return occurred before the activity"


class InvalidCode(ValidationProblem):
    """The code is mistyped: its check symbol says so."""

    code, title = "invalid_code", "This is no claim code"


class ClaimNotFound(NotFound):
    """Nothing waits under this code."""

    code, title = "claim_not_found", "Nothing waits under this code"


class ClaimExpired(Conflict):
    """What waited under this code waits no longer."""

    code, title = "claim_expired", "This code has expired"


class DuplicateClaimed(Conflict):
    """Somebody else has claimed this receipt."""

    code, title = "duplicate_claim", "This has been claimed already"


class PackagingConflict(ValidationProblem):
    """Two packaging options exclude each other."""

    code, title = "packaging_conflict", "Two packaging options exclude each other"


class BacktestNotFound(NotFound):
    """No such backtest of this campaign."""

    code, title = "backtest_not_found", "There is no such backtest"


class TooManyBacktests(Conflict):
    """As many wait as may."""

    code, title = "too_many_backtests", "Too many backtests are waiting; try again once some are done"
