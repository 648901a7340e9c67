"""Errors of the ledger."""

from app.core.errors import NotFound


class AccountNotFound(NotFound):
    """No such member has an account."""

    code, title = "account_not_found", "No such account"
