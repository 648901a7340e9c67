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


class PackagingConflict(ValidationProblem):
    """Two packaging options exclude each other."""

    code, title = "packaging_conflict", "Two packaging options exclude each other"


class BacktestNotFound(NotFound):
    """No such backtest of this campaign."""

    code, title = "backtest_not_found", "There is no such backtest"


class TooManyBacktests(Conflict):
    """As many wait as may."""

    code, title = "too_many_backtests", "Too many backtests are waiting; try again once some are done"
