"""What can go wrong with rewards, redemptions, vouchers and causes."""

from app.core.errors import Conflict, NotFound


class SoldOut(Conflict):
    """Fewer are left than were asked for."""

    code, title = "reward_sold_out", "This reward is sold out"


class StockBelowTaken(Conflict):
    """The new stock is less than what is taken already; ``taken`` says how much, and ``day`` when of a stock by day."""

    code, title = "stock_below_taken", "The stock is below what is taken already"


class RewardNotFound(NotFound):
    """No reward by that id or key, or none that the member can see."""

    code, title = "reward_not_found", "There is no such reward"


class RewardKeyTaken(Conflict):
    """A reward has that key; ``reward_id`` says which: change that one."""

    code, title = "reward_key_taken", "There is a reward with this key"


class WrongRewardState(Conflict):
    """The reward is not up to this; ``reward_state`` says how it stands. Nothing brings an archived one back."""

    code, title = "reward_state", "The reward's state does not allow this"


class CauseNotVerified(Conflict):
    """Nobody has verified the cause yet: nothing is given to it."""

    code, title = "cause_not_verified", "The cause is not verified"


class RewardHasNoCodes(Conflict):
    """Codes are imported for a reward of kind ``voucher_pool`` alone."""

    code, title = "reward_has_no_codes", "This reward's vouchers are not drawn from imported codes"
