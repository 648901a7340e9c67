"""Errors of impact."""

from app.core.errors import Conflict, NotFound


class InconsistentFactors(Exception):
    """The reference factors claim one thing twice, or more than is published: methods must never be mixed."""


class FactorNotFound(NotFound):
    """There is no such version of a factor."""

    code, title = "impact_factor_not_found", "There is no such impact factor"


class RestatementNotFound(NotFound):
    """No such restatement."""

    code, title = "restatement_not_found", "There is no such restatement"


class TooManyRestatements(Conflict):
    """As many wait as may."""

    code, title = "too_many_restatements", "Too many restatements are waiting; try again once some are done"
