"""What can go wrong with rewards, redemptions, vouchers and causes."""

from app.core.errors import Conflict


class SoldOut(Conflict):
    """Fewer are left than were asked for."""

    code, title = "reward_sold_out", "This reward is sold out"


class StockBelowTaken(Conflict):
    """The new stock is less than what is taken already; ``taken`` says how much, and ``day`` when of a stock by day."""

    code, title = "stock_below_taken", "The stock is below what is taken already"
