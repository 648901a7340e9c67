"""What can go wrong with the embedded servers, as one readable line."""


class EmbeddedError(Exception):
    """An embedded server can't be installed, started or stopped; the text says why and where its log is."""
