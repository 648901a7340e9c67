"""What can go wrong with shoppers."""

from app.core.errors import Conflict, Forbidden, NotFound, Unauthorized


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
