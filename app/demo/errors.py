"""Errors of the demo; each text says why and what to do."""


class DemoError(Exception):
    """The demo can't go on."""


class ReplayFailed(DemoError):
    """The server refuses a batch as a whole, or stays busy or gone."""


class NoServer(DemoError):
    """No Greenpoints server answers there."""


class NotPrepared(DemoError):
    """The demo was never set up on this data folder and database."""
