"""Errors of impact."""


class InconsistentFactors(Exception):
    """The reference factors claim one thing twice; methods that differ must never be added together."""
