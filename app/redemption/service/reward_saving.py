"""Make and change rewards: each change counted and audited, the key, kind, merchant and cause as they were made."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core import cache
from app.core.clock import format_time, now
from app.core.database import db
from app.core.errors import ValidationProblem
from app.core.ids import new_id
from app.core.preconditions import Seen
from app.core.schemas import load
from app.core.unit_of_work import unit_of_work
from app.merchants import service as merchants
from app.programme import service as programme
from app.redemption import reward_queries as queries
from app.redemption.catalogue import CACHE
from app.redemption.errors import CauseNotVerified, RewardKeyTaken, RewardNotFound, WrongRewardState
from app.redemption.models import Reward
from app.redemption.reward_schemas import RewardSchema
from app.redemption.service.reward_reading import COLUMNS, DOCUMENT, get_reward
from app.redemption.stock import set_stock
from app.staff import service as staff

_KEPT = ("key", "kind", "merchant_id", "cause_id")
_NAMED = {"merchant_id": "merchant", "cause_id": "cause"}
_schema = RewardSchema()


def create_reward(document: dict[str, Any]) -> dict[str, Any]:
    """Store ``document`` as a new reward, a draft, and return it; raise ValidationProblem, RewardKeyTaken."""
    read = load(_schema, document)
    values, moment, reward_id = _columns(read), now(), new_id()
    row = values | {
        "reward_id": reward_id, "state": "draft", "version": 1, "created_at": moment, "updated_at": moment,
    }  # fmt: skip
    with unit_of_work() as session:
        if not queries.insert_reward(session, row):
            raise RewardKeyTaken(reward_id=queries.find_reward_id(session, read["key"]))
        set_stock(reward_id, values["stock_kind"], values["stock_total"], _today(moment))
        _audit("created", reward_id, None, {"state": "draft", "version": 1} | values, moment)
        return get_reward(reward_id)


def change_reward(reward_id: UUID, document: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Let the reward be as ``document`` says, at once, and return it; the same as before changes nothing.

    What was redeemed keeps the terms that it was redeemed under. Raises ValidationProblem, RewardNotFound,
    PreconditionFailed, WrongRewardState for an archived one, StockBelowTaken.
    """
    values = _columns(load(_schema, document))
    with _changing(reward_id, seen, "changed") as (reward, moment):
        if reward.state == "archived":
            raise _wrong_state(reward)
        moved = [name for name in _KEPT if values[name] != getattr(reward, name)]
        if moved:
            detail = "A reward keeps its key, kind, merchant and cause; make another."
            raise ValidationProblem([{"pointer": f"/{_NAMED.get(name, name)}", "detail": detail} for name in moved])
        for name, value in values.items():
            setattr(reward, name, value)
        db.session.flush()
        set_stock(reward_id, reward.stock_kind, reward.stock_total, _today(moment))
    return get_reward(reward_id)


def publish_reward(reward_id: UUID, seen: Seen | None) -> dict[str, Any]:
    """Let members see a draft within its window, and return it; a command has seen nothing and passes None.

    Raises RewardNotFound, PreconditionFailed, WrongRewardState; CauseNotVerified for a cause that is not shown either.
    """
    with _changing(reward_id, seen, "published") as (reward, _):
        if reward.state != "draft":
            raise _wrong_state(reward)
        if not queries.is_given_to(db.session, reward.cause_id):
            raise CauseNotVerified
        reward.state = "published"
    return get_reward(reward_id)


def unpublish_reward(reward_id: UUID, seen: Seen) -> dict[str, Any]:
    """Let nobody see a published reward any more, as a draft, and return it; what was redeemed of it stays good."""
    with _changing(reward_id, seen, "unpublished") as (reward, _):
        if reward.state != "published":
            raise _wrong_state(reward)
        reward.state = "draft"
    return get_reward(reward_id)


def archive_reward(reward_id: UUID, seen: Seen) -> dict[str, Any]:
    """Put a reward away for good, and return it; what was redeemed of it stays good."""
    with _changing(reward_id, seen, "archived") as (reward, _):
        if reward.state == "archived":
            raise _wrong_state(reward)
        reward.state = "archived"
    return get_reward(reward_id)


@contextmanager
def _changing(reward_id: UUID, seen: Seen | None, verb: str) -> Iterator[tuple[Reward, datetime]]:
    """Lock the reward for what the block does to it; count and audit it afterwards, unless nothing was changed."""
    with unit_of_work() as session:
        reward = queries.lock_reward(session, reward_id)
        if reward is None:
            raise RewardNotFound
        if seen is not None:
            seen.check(reward.version)
        moment = now()  # after the wait for the lock, so that changes are dated in their order
        before = _state_of(reward)
        yield reward, moment
        after = _state_of(reward)
        if after == before:
            return
        reward.version += 1
        reward.updated_at = moment
        session.flush()
        changed = {name for name in after if after[name] != before[name]} | {"version"}
        _audit(
            verb,
            reward_id,
            {name: value for name, value in before.items() if name in changed},
            {name: value for name, value in (after | {"version": reward.version}).items() if name in changed},
            moment,
        )
        cache.bump(CACHE)


def _columns(read: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a read document; raise ValidationProblem where its merchant or cause is not there."""
    merchant = merchants.find_merchant_by_key(read["merchant"]) if read["merchant"] is not None else None
    if read["merchant"] is not None and merchant is None:
        raise ValidationProblem([{"pointer": "/merchant", "detail": "No such merchant."}])
    cause = queries.find_cause(db.session, read["cause"]) if read["cause"] is not None else None
    if read["cause"] is not None and cause is None:
        raise ValidationProblem([{"pointer": "/cause", "detail": "No such cause."}])
    document = {name: read[name] for name in DOCUMENT}
    if document["voucher"] is not None:
        ends_at = document["voucher"]["valid_until"]
        document["voucher"] = document["voucher"] | {"valid_until": ends_at and format_time(ends_at)}
    return {
        "key": read["key"],
        "kind": read["kind"],
        "merchant_id": merchant.merchant_id if merchant else None,
        "cause_id": cause.cause_id if cause else None,
        "stock_kind": read["stock"]["kind"],
        "stock_total": read["stock"]["total"],
        **{name: read[name] for name in COLUMNS},
        "document": document,
    }


def _state_of(reward: Reward) -> dict[str, Any]:
    """Return what the audit log keeps of the reward; two such differ where anything was changed."""
    names = ("state", "version", *_KEPT, "stock_kind", "stock_total", *COLUMNS, "document")
    return {name: getattr(reward, name) for name in names}


def _audit(verb: str, reward_id: UUID, before: Any, after: dict[str, Any], moment: datetime) -> None:
    staff.record_audit(f"reward.{verb}", "reward", reward_id, before=before, after=after, moment=moment)


def _wrong_state(reward: Reward) -> WrongRewardState:
    return WrongRewardState(f"The reward is {reward.state}.", reward_state=reward.state)


def _today(moment: datetime) -> Any:
    return moment.astimezone(programme.current().zone).date()
