"""What can go wrong with statements."""

from app.core.errors import Conflict


class MonthRunning(Conflict):
    """The month is not over, or was so a moment ago: ``closable_at`` says from when on it can be closed."""

    code, title = "month_running", "This month can't be closed yet"


class MonthClosed(Conflict):
    """The month is closed; what is recorded from now on belongs to a later one."""

    code, title = "month_closed", "This month is closed already"
