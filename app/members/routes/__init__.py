"""Routes of the shoppers: sign-in and profile, households; for staff, the search for one."""

from app.members.routes import households
from app.members.routes.shoppers import blueprint

__all__ = ["blueprint", "households"]
