"""What staff do with a redemption in the place of others: with a reason, and a line in the audit log."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from app.core.auth import current_principal
from app.core.unit_of_work import unit_of_work
from app.ledger import service as ledger
from app.redemption import changing, redemption_queries, showing, using
from app.redemption.errors import RedemptionNotFound
from app.staff import service as staff


def confirm(redemption_id: UUID, reference: str | None, reason: str, moment: datetime) -> None:
    """Confirm in the partner's place; see ``changing.confirm``."""
    _act(
        "confirmed", redemption_id, reason, moment,
        lambda owner, actor: changing.confirm(
            owner, redemption_id, reference, actor=actor, reason=reason, moment=moment
        ),
    )  # fmt: skip


def decline(redemption_id: UUID, reason: str, moment: datetime) -> None:
    """Decline in the partner's place; see ``changing.decline``."""
    _act(
        "declined", redemption_id, reason, moment,
        lambda owner, actor: changing.decline(owner, redemption_id, actor=actor, reason=reason, moment=moment),
    )  # fmt: skip


def cancel(redemption_id: UUID, reason: str, moment: datetime) -> None:
    """Cancel for the member; see ``changing.cancel``."""
    _act(
        "cancelled", redemption_id, reason, moment,
        lambda owner, actor: changing.cancel(owner, redemption_id, actor=actor, reason=reason, moment=moment),
    )  # fmt: skip


def mark_used(redemption_id: UUID, reason: str, moment: datetime) -> None:
    """Note that it was handed out; see ``changing.mark_used``."""
    _act(
        "marked_used", redemption_id, reason, moment,
        lambda owner, actor: changing.mark_used(owner, redemption_id, actor=actor, reason=reason, moment=moment),
    )  # fmt: skip


def roll_back(redemption_id: UUID, use_id: UUID, reason: str, moment: datetime) -> None:
    """Undo a use of one of its vouchers at any time; see ``using.roll_back_use``."""
    _act(
        "rolled_back", redemption_id, reason, moment,
        lambda owner, actor: using.roll_back_use(
            owner, redemption_id, use_id, actor=actor, reason=reason, moment=moment
        ),
    )  # fmt: skip


def _act(
    verb: str, redemption_id: UUID, reason: str, moment: datetime, act: Callable[[UUID, str], object]
) -> None:  # fmt: skip
    """Let ``act`` change the redemption of (owner, actor), and audit what it was before and after."""
    with unit_of_work() as session:
        owner = showing.owner_of(redemption_id)
        ledger.lock_account(owner)
        redemption = redemption_queries.find_redemption(session, owner, redemption_id)
        if redemption is None:
            raise RedemptionNotFound
        before = {"state": redemption.state}
        act(owner, f"staff:{current_principal().id}")
        after = {"state": redemption.state, "reason": reason}
        staff.record_audit(f"redemption.{verb}", "redemption", redemption_id, before=before, after=after, moment=moment)
