"""Identifiers: UUIDv7 made in the application, so that no shared counter stands on the award path."""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    """Return a new UUIDv7; ids made later by one process sort later."""
    return UUID(int=uuid_utils.uuid7().int)
