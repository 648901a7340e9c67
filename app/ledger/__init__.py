"""The ledger: the only writer of points."""
