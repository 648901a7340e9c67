"""Errors of impact."""

from app.core.errors import NotFound


class InconsistentFactors(Exception):
    """The reference factors claim one thing twice, or more than is published: methods must never be mixed."""


class FactorNotFound(NotFound):
    """There is no such version of a factor."""

    code, title = "impact_factor_not_found", "There is no such impact factor"
