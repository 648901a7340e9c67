"""Routes of the ledger: the shopper's wallet, history and gifts; merchants' holds and test members; what staff see."""

from app.ledger.routes import holds, staff, test_mode
from app.ledger.routes.wallet import blueprint

__all__ = ["blueprint", "holds", "staff", "test_mode"]
