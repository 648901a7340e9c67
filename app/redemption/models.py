"""Tables of redemption: rewards with their stock and codes, what members redeemed, and causes they give to.

Tables of member data lead with ``member_id``; what is unique across members (codes, merchants' own ids of voucher
uses) stands in registries keyed by what they make unique. Money is in minor units.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import db

REWARD_KINDS = ("voucher_pool", "voucher_generated", "product", "checkout_discount", "donation")
REWARD_STATES = ("draft", "published", "archived")
STOCK_KINDS = ("none", "fixed", "per_day")
LIMIT_PERIODS = ("day", "week", "month", "year", "ever")
REDEMPTION_STATES = ("held", "issued", "used", "cancelled", "expired", "refunded")
VOUCHER_STATES = ("issued", "used", "cancelled", "expired")
DISCOUNTS = ("amount", "percent", "product")
ALL_DAYS = date(1970, 1, 1)  # the day of a stock that is not by the day


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _time(optional: bool = False) -> Mapped[Any]:
    return mapped_column(DateTime(timezone=True), nullable=optional)


class Reward(db.Model):  # type: ignore[name-defined,misc]
    """Something to redeem points for; ``merchant_id`` None is the programme's own.

    ``document`` is the rest of it as staff wrote it: translations, image, price tiers, limit, audience, terms of its
    vouchers. The columns are what is searched, sorted and locked by. ``version`` counts its changes and
    is its ETag. It can be seen from ``visible_from`` to ``visible_until`` and redeemed within its availability.
    """

    __tablename__ = "reward"
    __table_args__ = (
        CheckConstraint(_one_of("kind", REWARD_KINDS), name="kind_known"),
        CheckConstraint(_one_of("state", REWARD_STATES), name="state_known"),
        CheckConstraint(_one_of("stock_kind", STOCK_KINDS), name="stock_kind_known"),
        CheckConstraint("points > 0", name="points_positive"),
        CheckConstraint("(stock_kind = 'none') = (stock_total IS NULL)", name="stock_counted"),
        CheckConstraint("kind <> 'donation' OR cause_id IS NOT NULL", name="donation_names_cause"),
        Index("ix_reward_published", "points", "reward_id", postgresql_where=text("state = 'published'")),
        Index("ix_reward_merchant_id", "merchant_id"),
    )

    reward_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    kind: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"))
    cause_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("cause.cause_id"))
    points: Mapped[int] = mapped_column(BigInteger)
    stock_kind: Mapped[str] = mapped_column(String)
    stock_total: Mapped[int | None] = mapped_column(BigInteger)
    needs_confirmation: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    visible_from: Mapped[datetime | None] = _time(True)
    visible_until: Mapped[datetime | None] = _time(True)
    available_from: Mapped[datetime | None] = _time(True)
    available_until: Mapped[datetime | None] = _time(True)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = _time()
    updated_at: Mapped[datetime] = _time()


class RewardStock(db.Model):  # type: ignore[name-defined,misc]
    """How many of a reward are taken, of a day or of all time (``ALL_DAYS``), in live or in test; never more than all.

    Of a ``voucher_pool`` there is no row: its codes are its stock.
    """

    __tablename__ = "reward_stock"
    __table_args__ = (
        CheckConstraint("taken >= 0 AND taken <= total", name="taken_within_total"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    reward_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("reward.reward_id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
    taken: Mapped[int] = mapped_column(BigInteger)


class StockNotice(db.Model):  # type: ignore[name-defined,misc]
    """The outbox was told that little is left of a reward, of a day or at all (``ALL_DAYS``); gone once it is more."""

    __tablename__ = "stock_notice"

    reward_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("reward.reward_id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    noticed_at: Mapped[datetime] = _time()


class PoolCode(db.Model):  # type: ignore[name-defined,misc]
    """A code that was imported for a ``voucher_pool`` reward and is nobody's yet, or whose it is.

    ``code_hash`` is the HMAC by which it is found, ``code_cipher`` the code itself, encrypted; both by keys that are
    not in the database. Free codes are drawn by ``place`` with SKIP LOCKED. It has no foreign key to the reward, which
    is never deleted: checking that a million times takes a quarter of an import.
    """

    __tablename__ = "pool_code"
    __table_args__ = (
        UniqueConstraint("code_hash"),
        Index("ix_pool_code_free", "reward_id", "live", "place", postgresql_where=text("voucher_id IS NULL")),
    )

    reward_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    place: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    live: Mapped[bool] = mapped_column(Boolean)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    code_cipher: Mapped[bytes] = mapped_column(LargeBinary)
    voucher_id: Mapped[UUID | None] = mapped_column(PgUUID)


class RewardFavourite(db.Model):  # type: ignore[name-defined,misc]
    """A reward that a member has marked."""

    __tablename__ = "reward_favourite"

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("member.member_id"), primary_key=True)
    reward_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("reward.reward_id"), primary_key=True)
    marked_at: Mapped[datetime] = _time()


class RewardUse(db.Model):  # type: ignore[name-defined,misc]
    """How many of a reward a member has taken in a period of its limit, which begins on ``period``."""

    __tablename__ = "reward_use"
    __table_args__ = (CheckConstraint("used >= 0", name="used_not_negative"),)

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    reward_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    period: Mapped[date] = mapped_column(Date, primary_key=True)
    used: Mapped[int] = mapped_column(BigInteger)


class Redemption(db.Model):  # type: ignore[name-defined,misc]
    """Points that a member turned into a reward.

    The ledger's posting is ``redemption:<id>`` where it was issued at once; where a partner confirms it first, the
    points are held under ``redemption_id`` until ``held_until``. ``points`` is the whole price.
    """

    __tablename__ = "redemption"
    __table_args__ = (
        CheckConstraint(_one_of("state", REDEMPTION_STATES), name="state_known"),
        CheckConstraint("quantity > 0 AND points > 0", name="amounts_positive"),
        Index("ix_redemption_waiting", "held_until", postgresql_where=text("state = 'held'")),
        Index("ix_redemption_expiring", "expires_at", postgresql_where=text("state = 'issued'")),
        Index("ix_redemption_reward_id", "reward_id"),
        Index(
            "ix_redemption_merchant_id", "merchant_id", "live", "state", "redemption_id",
            postgresql_where=text("merchant_id IS NOT NULL"),
        ),
    )  # fmt: skip

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    redemption_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    reward_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("reward.reward_id"))
    reward_version: Mapped[int] = mapped_column(Integer)
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID)
    live: Mapped[bool] = mapped_column(Boolean)
    quantity: Mapped[int] = mapped_column(Integer)
    points: Mapped[int] = mapped_column(BigInteger)
    money_amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    stock_day: Mapped[date | None] = mapped_column(Date)
    limit_period: Mapped[date | None] = mapped_column(Date)
    created_at: Mapped[datetime] = _time()
    held_until: Mapped[datetime | None] = _time(True)
    issued_at: Mapped[datetime | None] = _time(True)
    expires_at: Mapped[datetime | None] = _time(True)
    closed_at: Mapped[datetime | None] = _time(True)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class RedemptionRegistry(db.Model):  # type: ignore[name-defined,misc]
    """Registry of redemptions: whose it is, and which partner confirms it."""

    __tablename__ = "redemption_registry"

    redemption_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(PgUUID)
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID)
    live: Mapped[bool] = mapped_column(Boolean)


class RedemptionChange(db.Model):  # type: ignore[name-defined,misc]
    """A change of a redemption's state: who did it, when, and why; added, never changed."""

    __tablename__ = "redemption_change"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "redemption_id"], ["redemption.member_id", "redemption.redemption_id"]),
        CheckConstraint(_one_of("state", REDEMPTION_STATES), name="state_known"),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    redemption_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String)
    changed_at: Mapped[datetime] = _time()
    actor: Mapped[str] = mapped_column(String)
    reason: Mapped[str | None] = mapped_column(String)


class Voucher(db.Model):  # type: ignore[name-defined,misc]
    """A voucher that a member holds: its terms as they were when it was issued, and what is left of it.

    ``discount`` amount: ``value`` in minor units, of which ``remaining`` is left; percent: ``value`` in percent;
    product: what ``terms`` names. ``merchant_id`` None is good at every merchant of the programme.
    """

    __tablename__ = "voucher"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "redemption_id"], ["redemption.member_id", "redemption.redemption_id"]),
        CheckConstraint(_one_of("state", VOUCHER_STATES), name="state_known"),
        CheckConstraint(_one_of("discount", DISCOUNTS), name="discount_known"),
        CheckConstraint("remaining IS NULL OR remaining >= 0 AND remaining <= value", name="remaining_within_value"),
        Index("ix_voucher_redemption_id", "member_id", "redemption_id"),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    voucher_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    redemption_id: Mapped[UUID] = mapped_column(PgUUID)
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID)
    code_cipher: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String)
    discount: Mapped[str] = mapped_column(String)
    value: Mapped[int | None] = mapped_column(BigInteger)
    remaining: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    issued_at: Mapped[datetime] = _time()
    expires_at: Mapped[datetime | None] = _time(True)
    closed_at: Mapped[datetime | None] = _time(True)


class VoucherCode(db.Model):  # type: ignore[name-defined,misc]
    """Registry of the codes of vouchers that members hold: the HMAC, and whose voucher it names."""

    __tablename__ = "voucher_code"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    member_id: Mapped[UUID] = mapped_column(PgUUID)
    voucher_id: Mapped[UUID] = mapped_column(PgUUID)


class VoucherUse(db.Model):  # type: ignore[name-defined,misc]
    """A use of a voucher for a merchant's order, by the amount it took off; ``rolled_back_at`` once it was undone."""

    __tablename__ = "voucher_use"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "voucher_id"], ["voucher.member_id", "voucher.voucher_id"]),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        Index(
            "uq_voucher_use_order", "member_id", "voucher_id", "merchant_id", "order_ref", unique=True,
            postgresql_where=text("rolled_back_at IS NULL"),
        ),
    )  # fmt: skip

    member_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    voucher_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    use_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    merchant_id: Mapped[UUID] = mapped_column(PgUUID)
    order_ref: Mapped[str] = mapped_column(String)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String)
    used_at: Mapped[datetime] = _time()
    rolled_back_at: Mapped[datetime | None] = _time(True)
    rolled_back_by: Mapped[str | None] = mapped_column(String)


class Cause(db.Model):  # type: ignore[name-defined,misc]
    """An organisation that members give points to; only one that is verified is shown and given to.

    ``document`` holds translations, website and impact stories. ``goal_points`` is what it hopes for, if anything.
    """

    __tablename__ = "cause"
    __table_args__ = (
        CheckConstraint("(verified_at IS NULL) = (verified_by IS NULL)", name="verified_by_somebody"),
        CheckConstraint("goal_points IS NULL OR goal_points > 0", name="goal_positive"),
        UniqueConstraint("registration_country", "registration_number"),
    )

    cause_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    key: Mapped[str] = mapped_column(String, unique=True)
    registration_country: Mapped[str] = mapped_column(String)
    registration_number: Mapped[str] = mapped_column(String)
    proof_url: Mapped[str | None] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    goal_points: Mapped[int | None] = mapped_column(BigInteger)
    verified_at: Mapped[datetime | None] = _time(True)
    verified_by: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = _time()
    updated_at: Mapped[datetime] = _time()


class CauseMatch(db.Model):  # type: ignore[name-defined,misc]
    """What a sponsor adds to donations: ``percent`` of each, up to ``budget_points`` in all."""

    __tablename__ = "cause_match"
    __table_args__ = (
        CheckConstraint("percent BETWEEN 1 AND 1000", name="percent_sane"),
        CheckConstraint("matched_points >= 0 AND matched_points <= budget_points", name="matched_within_budget"),
    )

    match_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    cause_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("cause.cause_id"))
    merchant_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("merchant.merchant_id"))
    sponsor: Mapped[str] = mapped_column(String)
    percent: Mapped[int] = mapped_column(Integer)
    budget_points: Mapped[int] = mapped_column(BigInteger)
    matched_points: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    starts_at: Mapped[datetime] = _time()
    ends_at: Mapped[datetime | None] = _time(True)
    version: Mapped[int] = mapped_column(Integer)


class Donation(db.Model):  # type: ignore[name-defined,misc]
    """Points that a member gave to a cause, and what a sponsor added; the ledger's posting is ``donation:<id>``."""

    __tablename__ = "donation"
    __table_args__ = (
        CheckConstraint("points > 0 AND matched_points >= 0", name="amounts"),
        Index("ix_donation_cause_id", "cause_id", "donated_at"),
    )

    member_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("account.member_id"), primary_key=True)
    donation_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    cause_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("cause.cause_id"))
    live: Mapped[bool] = mapped_column(Boolean)
    points: Mapped[int] = mapped_column(BigInteger)
    matched_points: Mapped[int] = mapped_column(BigInteger)
    match_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("cause_match.match_id"))
    worth_amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String)
    donated_at: Mapped[datetime] = _time()
    payout_id: Mapped[UUID | None] = mapped_column(PgUUID, ForeignKey("cause_payout.payout_id"))


class CausePayout(db.Model):  # type: ignore[name-defined,misc]
    """Money that finance paid out to a cause for the donations up to a moment."""

    __tablename__ = "cause_payout"
    __table_args__ = (CheckConstraint("points > 0 AND amount >= 0", name="amounts"),)

    payout_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    cause_id: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("cause.cause_id"))
    points: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String)
    reference: Mapped[str] = mapped_column(String)
    paid_at: Mapped[datetime] = _time()
    paid_by: Mapped[UUID] = mapped_column(PgUUID, ForeignKey("staff_account.staff_id"))


class CauseTotal(db.Model):  # type: ignore[name-defined,misc]
    """Projection: what each cause was given, for its public counter."""

    __tablename__ = "cause_total"

    cause_id: Mapped[UUID] = mapped_column(PgUUID, primary_key=True)
    donations: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    points: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    matched_points: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
