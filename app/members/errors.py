"""What can go wrong with shoppers."""

from app.core.errors import Conflict, Forbidden, NotFound, Unauthorized, ValidationProblem


class MemberNotFound(NotFound):
    """No member by that id or code among the caller's, live or test."""

    code, title = "member_not_found", "There is no such member"


class MemberNotActive(Forbidden):
    """The member is suspended or closed."""

    code, title = "member_not_active", "This membership is not active"


class SignInNotAllowed(MemberNotActive):
    """The member who signs in is not active; the code stays used."""

    keeps_work = True


class AliasTaken(Conflict):
    """Another member is seen under that name."""

    code, title = "alias_taken", "Another member has this alias"


class AddressTaken(Conflict):
    """The address belongs to a member already."""

    code, title = "address_taken", "This address belongs to a member"


class InvalidCode(Unauthorized):
    """The code is wrong, used, too old or was tried too often: nothing tells which. The try stays counted."""

    code, title = "invalid_code", "The code is not valid; ask for a new one"
    keeps_work = True


class InvalidRefreshToken(Unauthorized):
    """The refresh token is not the newest of a living session; using an older one has ended that session."""

    code, title = "invalid_refresh_token", "The refresh token is not valid; sign in again"
    keeps_work = True


class HouseholdNotFound(NotFound):
    """The caller is in no household."""

    code, title = "household_not_found", "You are in no household"


class AlreadyInHousehold(Conflict):
    """The member is in a household and must leave it first."""

    code, title = "already_in_household", "You are in a household already"


class HouseholdChangedRecently(Conflict):
    """The member left a household less than 30 days ago; ``again_at`` says from when on they can be in one."""

    code, title = "household_changed_recently", "You left a household a short time ago"


class HouseholdFull(Conflict):
    """The household has as many members as the programme allows."""

    code, title = "household_full", "The household is full"


class HouseholdInviteLimit(Conflict):
    """The household has as many open invites as it may."""

    code, title = "household_invite_limit", "Too many invites are open; use, withdraw or wait for some of them"


class InvalidInviteCode(ValidationProblem):
    """The text spells no code of an invite: its length or check symbol is wrong."""

    code, title = "invalid_invite_code", "This is not a code of an invite"


class InviteNotFound(NotFound):
    """The code is unknown, used, withdrawn or too old: nothing tells which."""

    code, title = "invite_not_found", "There is no such invite; ask for a new code"
