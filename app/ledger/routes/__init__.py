"""Routes of the ledger: the shopper's wallet, history and gifts; holds for merchants; what staff see and adjust."""

from app.ledger.routes import holds, staff
from app.ledger.routes.wallet import blueprint

__all__ = ["blueprint", "holds", "staff"]
