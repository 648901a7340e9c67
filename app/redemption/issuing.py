"""Issue what a redemption yields: vouchers with codes of ours, or with codes that a partner had imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.core.database import db
from app.core.ids import new_id
from app.redemption import codes, offers, redemption_queries, stock
from app.redemption.errors import NoLongerAvailable
from app.redemption.models import Redemption, Reward, Voucher


@dataclass(frozen=True, slots=True)
class Issued:
    """A redemption, its reward and its vouchers, with their codes by voucher: ``codes`` are for the owner's eyes."""

    redemption: Redemption
    reward: Reward
    vouchers: Sequence[Voucher] = ()
    codes: Mapping[UUID, str] = field(default_factory=dict)
    code_rows: Sequence[tuple[Any, ...]] = ()  # of ``redemption_rows.VOUCHER_CODE``


def reserve(redemption: Redemption, reward: Reward) -> dict[str, Any]:
    """Return what to remember of a redemption that waits: its terms, and the unseen codes that are set aside for it."""
    if reward.kind not in offers.VOUCHER_KINDS:
        return {}
    details: dict[str, Any] = {"terms": reward.document.get("voucher") or {}}
    if reward.kind == "voucher_pool":
        voucher_ids = [new_id() for _ in range(redemption.quantity)]
        taken = stock.take_codes(reward, redemption.live, voucher_ids)
        details["reserved"] = [code.code_hash.hex() for code in taken]
    return details


def reserved_codes(redemption: Redemption) -> list[bytes]:
    """Return the hashes of the codes that were set aside."""
    return [bytes.fromhex(each) for each in redemption.details.get("reserved", ())]


def issue_vouchers(redemption: Redemption, reward: Reward, zone: ZoneInfo) -> Issued:
    """Make the vouchers of a redemption that is issued at ``issued_at``, none where the reward yields none.

    They have the terms of when it was redeemed; ``redemption`` gets the moment when they expire. Raises SoldOut where
    the pool has no code left, and NoLongerAvailable where they would have expired.
    """
    if reward.kind not in offers.VOUCHER_KINDS:
        return Issued(redemption, reward)
    assert redemption.issued_at is not None
    terms = redemption.details.get("terms") or reward.document.get("voucher") or {}
    redemption.expires_at = offers.voucher_end(terms, redemption.issued_at, zone)
    if redemption.expires_at is not None and redemption.expires_at <= redemption.issued_at:
        raise NoLongerAvailable
    if reward.kind == "voucher_pool":
        drawn = _drawn(redemption, reward)
    else:
        drawn = [_own(new_id()) for _ in range(redemption.quantity)]
    vouchers = [_voucher(redemption, terms, voucher_id, cipher) for voucher_id, _, _, cipher in drawn]
    rows = [
        (redemption.member_id, code_hash, redemption.live, voucher_id) for voucher_id, _, code_hash, _ in drawn
    ]  # fmt: skip
    return Issued(redemption, reward, vouchers, {each[0]: each[1] for each in drawn}, rows)


_Drawn = tuple[UUID, str, bytes, bytes]  # the voucher, its code as it is shown, hash and cipher


def _own(voucher_id: UUID) -> _Drawn:
    code = codes.make_voucher_code()
    cipher = codes.encrypt(code, codes.about_voucher(voucher_id))
    return voucher_id, codes.show_own(code), codes.hash_own(code), cipher


def _drawn(redemption: Redemption, reward: Reward) -> list[_Drawn]:
    """Return codes of the pool, those that were set aside where the redemption waited."""
    reserved = reserved_codes(redemption)
    if reserved:
        kept = redemption_queries.list_pool_codes(db.session, reward.reward_id, reserved)
        taken = [(each.voucher_id or new_id(), bytes(each.code_hash), bytes(each.code_cipher)) for each in kept]
    else:
        ids = [new_id() for _ in range(redemption.quantity)]
        found = stock.take_codes(reward, redemption.live, ids)
        taken = [(each.voucher_id, bytes(each.code_hash), bytes(each.code_cipher)) for each in found]
    drawn = []
    for voucher_id, code_hash, pool_cipher in taken:
        code = codes.decrypt(pool_cipher, codes.about_pool(reward.reward_id))
        drawn.append((voucher_id, code, code_hash, codes.encrypt(code, codes.about_voucher(voucher_id))))
    return drawn


def shown_code(voucher: Voucher, reward: Reward) -> str:
    """Return a voucher's code, as its owner reads it."""
    code = codes.decrypt(bytes(voucher.code_cipher), codes.about_voucher(voucher.voucher_id))
    return code if reward.kind == "voucher_pool" else codes.show_own(code)


def _voucher(redemption: Redemption, terms: Mapping[str, Any], voucher_id: UUID, cipher: bytes) -> Voucher:
    discount = terms.get("discount") or "product"
    return Voucher(
        member_id=redemption.member_id, voucher_id=voucher_id, redemption_id=redemption.redemption_id,
        merchant_id=redemption.merchant_id, code_cipher=cipher, state="issued", discount=discount,
        value=None if discount == "product" else terms["value"],
        remaining=terms["value"] if discount == "amount" else None, currency=terms.get("currency"), terms=dict(terms),
        issued_at=redemption.issued_at, expires_at=redemption.expires_at,
    )  # fmt: skip
