"""The one clock: every room asks here for the time, so that tests can move it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current moment, aware and in UTC."""
    return datetime.now(UTC)


def format_time(moment: datetime) -> str:
    """Return ``moment`` as RFC 3339 in UTC with ``Z``; fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
