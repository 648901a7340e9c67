"""Identifiers: UUIDv7 made in the application, so that no shared counter stands on the award path."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> UUID:
    """Return a new UUIDv7; ids made later by one process sort later."""
    return UUID(int=uuid_utils.uuid7().int)


def made_at(made: UUID) -> datetime:
    """Return when an id that ``new_id`` made was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=made.int >> 80)
