"""The demo's members of staff: one who may do everything, an editor and an approver, so that two can differ."""

import itertools
import secrets
from datetime import datetime
from uuid import UUID

from app.core.errors import Unauthorized
from app.core.ids import new_id
from app.core.tokens import Claims
from app.demo.credentials import StaffSecret
from app.staff import service as staff
from app.staff.errors import EmailTaken

TEAM: dict[str, tuple[str, ...]] = {"admin": staff.ROLES, "editor": ("editor",), "approver": ("approver",)}
_DOMAIN = "greenpoints.example"


def _is_active(secret: StaffSecret) -> bool:
    try:
        staff.authenticate(Claims("staff", UUID(secret.staff_id), new_id(), True))
    except Unauthorized:
        return False
    return True


def _create(name: str, roles: tuple[str, ...], moment: datetime) -> StaffSecret:
    """Open an account under the first address that is free: one whose secrets were lost keeps its own."""
    password = secrets.token_urlsafe(18)
    for number in itertools.count(1):
        email = f"{name}{number if number > 1 else ''}@{_DOMAIN}"
        try:
            staff_id, totp_secret = staff.create_staff(
                email=email, name=f"Demo {name}", password=password, roles=roles, moment=moment
            )
        except EmailTaken:
            continue
        return StaffSecret(str(staff_id), email, password, totp_secret)
    raise AssertionError("unreachable")


def ensure_team(known: dict[str, StaffSecret], moment: datetime) -> dict[str, StaffSecret]:
    """Return the secrets of the demo's staff by name: those of ``known`` that still hold, new ones for the rest."""
    return {
        name: known[name] if name in known and _is_active(known[name]) else _create(name, roles, moment)
        for name, roles in TEAM.items()
    }


def token_of(secret: StaffSecret) -> str:
    """Return an access token for one of the demo's staff."""
    return staff.issue_token(UUID(secret.staff_id))[0]
