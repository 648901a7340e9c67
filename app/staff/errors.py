"""What can go wrong with staff."""

from app.core.errors import Conflict, Unauthorized


class InvalidCredentials(Unauthorized):
    """E-mail, password or one-time code is wrong, or the account is locked or disabled: nothing tells which."""

    code, title = "invalid_credentials", "These credentials are not valid"


class EmailTaken(Conflict):
    """An account has that e-mail address."""

    code, title = "email_taken", "There is an account with this e-mail address"
