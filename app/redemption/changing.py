"""What becomes of a redemption: confirmed or declined by the partner, cancelled, used, or over by the clock.

| from | to | by |
|---|---|---|
| held | issued | the partner or staff confirm it: the held points are spent, vouchers are made |
| held | cancelled | the partner or staff decline it, or it is cancelled: the held points come back |
| held | expired | nobody confirmed it in time: the held points have come back |
| issued | used | its last voucher was used up, or staff say that it was handed out |
| issued | cancelled | the member or staff cancel it while nothing of it is used: the points come back to their lots |
| issued | expired, refunded | its time is over: ``refunded`` where its terms give points of unused vouchers back |
| used, expired, refunded | issued | the use of a voucher was rolled back |

Any other change is refused. Each is made under the lock of the member's account, kept as a row with who and why, and
told the outbox. What was not issued goes back into stock, limit and pool; what was issued goes back into stock and
limit when it is cancelled. A code that a partner had imported never goes back once it was issued: its owner may have
read it, and the partner's own tills may take it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.database import driver_connection
from app.core.outbox import FactKind
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.programme import service as programme
from app.redemption import redemption_queries as queries
from app.redemption import redemption_rows as rows
from app.redemption import stock
from app.redemption.errors import InvalidTransition, RedemptionNotFound
from app.redemption.issuing import Issued, issue_vouchers, reserved_codes
from app.redemption.models import Redemption, RedemptionChange, Reward, Voucher
from app.redemption.redeeming import fact_of


def state_of(redemption: Redemption, moment: datetime) -> str:
    """Return the state by the clock: one whose time is over has expired, whether or not that is booked."""
    ends_at = {"held": redemption.held_until, "issued": redemption.expires_at}.get(redemption.state)
    return "expired" if ends_at is not None and ends_at <= moment else str(redemption.state)


def lock_redemption(session: Any, member_id: UUID, redemption_id: UUID) -> tuple[Redemption, Reward]:
    """Lock the member's account and return the redemption and its reward as they are; raise RedemptionNotFound."""
    ledger.lock_account(member_id)
    redemption = queries.find_redemption(session, member_id, redemption_id)
    if redemption is None:
        raise RedemptionNotFound
    reward = queries.find_reward(session, redemption.reward_id)
    assert reward is not None
    return redemption, reward


def check_state(redemption: Redemption, moment: datetime, *allowed: str) -> None:
    """Raise InvalidTransition unless the redemption is in one of the states ``allowed``."""
    state = state_of(redemption, moment)
    if state not in allowed:
        raise InvalidTransition(f"The redemption is {state}.", state=state)


def record(
    session: Any, redemption: Redemption, reward: Reward, state: str, *, actor: str, reason: str | None,
    moment: datetime,
) -> None:  # fmt: skip
    """Let the redemption be ``state`` from now on, keep who did it and why, and tell the outbox."""
    redemption.state = state
    redemption.closed_at = None if state == "issued" else moment
    session.add(
        RedemptionChange(
            member_id=redemption.member_id, redemption_id=redemption.redemption_id,
            number=queries.count_changes(session, redemption.member_id, redemption.redemption_id) + 1,
            state=state, changed_at=moment, actor=actor, reason=reason,
        )
    )  # fmt: skip
    session.flush()
    ledger.add_facts({redemption.member_id: [(FactKind.REDEMPTION, fact_of(redemption, reward))]}, moment)


def confirm(
    member_id: UUID, redemption_id: UUID, reference: str | None, *, actor: str, reason: str | None, moment: datetime
) -> Issued:
    """Issue what waited: spend the held points and make its vouchers; ``reference`` is the partner's of the delivery.

    Raises RedemptionNotFound, InvalidTransition.
    """
    with unit_of_work() as session:
        redemption, reward = lock_redemption(session, member_id, redemption_id)
        check_state(redemption, moment, "held")
        ledger.capture_hold(
            member_id, redemption_id, redemption.points, actor=actor, fingerprint=redemption_id.bytes, moment=moment
        )
        redemption.issued_at = moment
        issued = issue_vouchers(redemption, reward, programme.current().zone)
        if reference is not None:
            redemption.details = redemption.details | {"fulfilment": {"reference": reference}}
        record(session, redemption, reward, "issued", actor=actor, reason=reason, moment=moment)
        write = ledger.write_beside(member_id)
        rows.add_vouchers(write, issued.vouchers)
        write.add(rows.VOUCHER_CODE, issued.code_rows)
        with driver_connection() as connection:
            write.execute(connection)
        return issued


def decline(member_id: UUID, redemption_id: UUID, *, actor: str, reason: str, moment: datetime) -> Issued:
    """Give the held points back; raise RedemptionNotFound, InvalidTransition."""
    with unit_of_work() as session:
        redemption, reward = lock_redemption(session, member_id, redemption_id)
        check_state(redemption, moment, "held")
        _give_up(session, redemption, reward, actor=actor, reason=reason, moment=moment)
        return Issued(redemption, reward)


def cancel(member_id: UUID, redemption_id: UUID, *, actor: str, reason: str | None, moment: datetime) -> Issued:
    """Give the points back while nothing of the redemption is used.

    The member can't cancel what the partner has named a delivery of; staff can. Raises RedemptionNotFound,
    InvalidTransition.
    """
    with unit_of_work() as session:
        redemption, reward = lock_redemption(session, member_id, redemption_id)
        check_state(redemption, moment, "held", "issued")
        if redemption.state == "held":
            _give_up(session, redemption, reward, actor=actor, reason=reason, moment=moment)
            return Issued(redemption, reward)
        if actor == f"member:{member_id}" and "fulfilment" in redemption.details:
            raise InvalidTransition("The partner has sent it already.", state=redemption.state)
        vouchers = queries.list_vouchers(session, member_id, [redemption_id])
        if not all(is_unused(voucher) for voucher in vouchers):
            raise InvalidTransition("A voucher of it was used.", state=redemption.state)
        close_vouchers(vouchers, "cancelled", moment)
        left = redemption.points - redemption.details.get("returned", 0)
        refund(session, redemption, left, actor=actor, moment=moment)
        record(session, redemption, reward, "cancelled", actor=actor, reason=reason, moment=moment)
        _give_back(session, redemption, reward)
        return Issued(redemption, reward, vouchers)


def mark_used(member_id: UUID, redemption_id: UUID, *, actor: str, reason: str, moment: datetime) -> Issued:
    """Note that what was issued was handed out; raise RedemptionNotFound, InvalidTransition."""
    with unit_of_work() as session:
        redemption, reward = lock_redemption(session, member_id, redemption_id)
        check_state(redemption, moment, "issued")
        vouchers = queries.list_vouchers(session, member_id, [redemption_id])
        close_vouchers(vouchers, "used", moment)
        record(session, redemption, reward, "used", actor=actor, reason=reason, moment=moment)
        return Issued(redemption, reward, vouchers)


def lapse(member_id: UUID, redemption_id: UUID, moment: datetime) -> bool:
    """Book that the redemption's time is over; return whether it was, and was not booked before."""
    with unit_of_work() as session:
        redemption, reward = lock_redemption(session, member_id, redemption_id)
        if redemption.state == state_of(redemption, moment):
            return False
        if redemption.state == "held":
            ledger.settle_due(member_id, moment)  # which has given the held points back, or does so now
            _note_returned(redemption, redemption.points)
            record(session, redemption, reward, "expired", actor="clock", reason=None, moment=moment)
            _give_back(session, redemption, reward)
            return True
        vouchers = queries.list_vouchers(session, member_id, [redemption_id])
        state = _expire(session, redemption, vouchers, moment)
        record(session, redemption, reward, state, actor="clock", reason=None, moment=moment)
        return True


def _expire(session: Any, redemption: Redemption, vouchers: Sequence[Voucher], moment: datetime) -> str:
    """Let what is open of the vouchers expire, refund the unused ones by their terms; return the redemption's state."""
    is_any_used = any(not is_unused(voucher) for voucher in vouchers)
    unused = [voucher for voucher in vouchers if is_unused(voucher)]
    refunded = sum(voucher.terms.get("refund_if_unused") == "full" for voucher in unused)
    close_vouchers(vouchers, "expired", moment)
    if refunded:
        refund(session, redemption, redemption.points // redemption.quantity * refunded, actor="clock", moment=moment)
        return "refunded"
    return "used" if is_any_used else "expired"


def is_unused(voucher: Voucher) -> bool:
    """Return whether nothing of the voucher is used, and it can still be."""
    return voucher.state == "issued" and voucher.remaining == (
        voucher.value if voucher.discount == "amount" else None
    )  # fmt: skip


def close_vouchers(vouchers: Sequence[Voucher], state: str, moment: datetime) -> None:
    """Let those of the vouchers that are open be ``state``."""
    for voucher in vouchers:
        if voucher.state == "issued":
            voucher.state, voucher.closed_at = state, moment


def refund(session: Any, redemption: Redemption, points: int, *, actor: str, moment: datetime) -> None:
    """Give back ``points`` of the redemption to the lots they came from."""
    redemption_id = redemption.redemption_id
    spent_by = f"redemption:{redemption_id}" if redemption.held_until is None else f"hold:{redemption_id}:captured"
    number = queries.count_changes(session, redemption.member_id, redemption_id) + 1
    ledger.refund_spend(
        redemption.member_id, spent_by, points, key=f"redemption:{redemption_id}:refund-{number}", actor=actor,
        fingerprint=redemption_id.bytes, moment=moment,
    )  # fmt: skip
    _note_returned(redemption, points)


def _note_returned(redemption: Redemption, points: int) -> None:
    before = redemption.details.get("returned", 0)
    redemption.details = redemption.details | {"returned": before + points}


def _give_up(
    session: Any, redemption: Redemption, reward: Reward, *, actor: str, reason: str | None, moment: datetime
) -> None:
    """Release the points of a redemption that waits, and what was set aside for it."""
    ledger.release_hold(
        redemption.member_id, redemption.redemption_id, actor=actor, fingerprint=redemption.redemption_id.bytes,
        moment=moment,
    )  # fmt: skip
    _note_returned(redemption, redemption.points)
    record(session, redemption, reward, "cancelled", actor=actor, reason=reason, moment=moment)
    _give_back(session, redemption, reward)


def _give_back(session: Any, redemption: Redemption, reward: Reward) -> None:
    """Let what the redemption took of limit and stock be free again, and its codes if nobody can have seen them."""
    member_id, quantity = redemption.member_id, redemption.quantity
    if redemption.limit_period is not None:
        queries.give_back_use(session, member_id, redemption.reward_id, redemption.limit_period, quantity)
    stock.give_back_stock(reward, redemption.live, redemption.stock_day, quantity)
    if redemption.issued_at is None and reserved_codes(redemption):
        stock.give_back_codes(reward, redemption.live, reserved_codes(redemption))
