"""Errors of the demo."""


class ReplayFailed(Exception):
    """The replay can't go on; the text says why and what to do."""
