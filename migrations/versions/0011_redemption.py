"""Rewards, stock and codes, redemptions, vouchers and their uses, causes and donations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

APPENDED = ("redemption_change", "redemption_registry", "cause_payout")
CHANGED = (
    "cause", "cause_match", "cause_total", "donation", "pool_code", "redemption", "reward", "reward_favourite",
    "reward_stock", "reward_use", "stock_notice", "voucher", "voucher_code", "voucher_use",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "cause_total",
        sa.Column("cause_id", sa.UUID(), nullable=False),
        sa.Column("donations", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("matched_points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("cause_id", name=op.f("pk_cause_total")),
    )
    op.create_table(
        "redemption_registry",
        sa.Column("redemption_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_redemption_registry")),
    )
    op.create_table(
        "voucher_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("voucher_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_voucher_code")),
    )
    op.create_table(
        "cause",
        sa.Column("cause_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("registration_country", sa.String(), nullable=False),
        sa.Column("registration_number", sa.String(), nullable=False),
        sa.Column("proof_url", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("goal_points", sa.BigInteger(), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_by", sa.UUID(), nullable=True),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(verified_at IS NULL) = (verified_by IS NULL)", name=op.f("ck_cause_verified_by_somebody")),
        sa.CheckConstraint("goal_points IS NULL OR goal_points > 0", name=op.f("ck_cause_goal_positive")),
        sa.ForeignKeyConstraint(
            ["verified_by"], ["staff_account.staff_id"], name=op.f("fk_cause_verified_by_staff_account")
        ),
        sa.PrimaryKeyConstraint("cause_id", name=op.f("pk_cause")),
        sa.UniqueConstraint("key", name=op.f("uq_cause_key")),
        sa.UniqueConstraint(
            "registration_country",
            "registration_number",
            name=op.f("uq_cause_registration_country_registration_number"),
        ),
    )
    op.create_table(
        "cause_match",
        sa.Column("match_id", sa.UUID(), nullable=False),
        sa.Column("cause_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("sponsor", sa.String(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("budget_points", sa.BigInteger(), nullable=False),
        sa.Column("matched_points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "matched_points >= 0 AND matched_points <= budget_points", name=op.f("ck_cause_match_matched_within_budget")
        ),
        sa.CheckConstraint("percent BETWEEN 1 AND 1000", name=op.f("ck_cause_match_percent_sane")),
        sa.ForeignKeyConstraint(["cause_id"], ["cause.cause_id"], name=op.f("fk_cause_match_cause_id_cause")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_cause_match_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("match_id", name=op.f("pk_cause_match")),
    )
    op.create_table(
        "cause_payout",
        sa.Column("payout_id", sa.UUID(), nullable=False),
        sa.Column("cause_id", sa.UUID(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_by", sa.UUID(), nullable=False),
        sa.CheckConstraint("points > 0 AND amount >= 0", name=op.f("ck_cause_payout_amounts")),
        sa.ForeignKeyConstraint(["cause_id"], ["cause.cause_id"], name=op.f("fk_cause_payout_cause_id_cause")),
        sa.ForeignKeyConstraint(
            ["paid_by"], ["staff_account.staff_id"], name=op.f("fk_cause_payout_paid_by_staff_account")
        ),
        sa.PrimaryKeyConstraint("payout_id", name=op.f("pk_cause_payout")),
    )
    op.create_table(
        "reward",
        sa.Column("reward_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("cause_id", sa.UUID(), nullable=True),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("stock_kind", sa.String(), nullable=False),
        sa.Column("stock_total", sa.BigInteger(), nullable=True),
        sa.Column("needs_confirmation", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("visible_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("visible_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("available_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("available_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(stock_kind = 'none') = (stock_total IS NULL)", name=op.f("ck_reward_stock_counted")),
        sa.CheckConstraint("kind <> 'donation' OR cause_id IS NOT NULL", name=op.f("ck_reward_donation_names_cause")),
        sa.CheckConstraint(
            "kind IN ('voucher_pool', 'voucher_generated', 'product', 'checkout_discount', 'donation')",
            name=op.f("ck_reward_kind_known"),
        ),
        sa.CheckConstraint("state IN ('draft', 'published', 'archived')", name=op.f("ck_reward_state_known")),
        sa.CheckConstraint("stock_kind IN ('none', 'fixed', 'per_day')", name=op.f("ck_reward_stock_kind_known")),
        sa.CheckConstraint("points > 0", name=op.f("ck_reward_points_positive")),
        sa.ForeignKeyConstraint(["cause_id"], ["cause.cause_id"], name=op.f("fk_reward_cause_id_cause")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_reward_merchant_id_merchant")),
        sa.PrimaryKeyConstraint("reward_id", name=op.f("pk_reward")),
        sa.UniqueConstraint("key", name=op.f("uq_reward_key")),
    )
    op.create_index("ix_reward_merchant_id", "reward", ["merchant_id"], unique=False)
    op.create_index(
        "ix_reward_published",
        "reward",
        ["points", "reward_id"],
        unique=False,
        postgresql_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "donation",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("donation_id", sa.UUID(), nullable=False),
        sa.Column("cause_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("matched_points", sa.BigInteger(), nullable=False),
        sa.Column("match_id", sa.UUID(), nullable=True),
        sa.Column("worth_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("donated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payout_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("points > 0 AND matched_points >= 0", name=op.f("ck_donation_amounts")),
        sa.ForeignKeyConstraint(["cause_id"], ["cause.cause_id"], name=op.f("fk_donation_cause_id_cause")),
        sa.ForeignKeyConstraint(["match_id"], ["cause_match.match_id"], name=op.f("fk_donation_match_id_cause_match")),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_donation_member_id_account")),
        sa.ForeignKeyConstraint(
            ["payout_id"], ["cause_payout.payout_id"], name=op.f("fk_donation_payout_id_cause_payout")
        ),
        sa.PrimaryKeyConstraint("member_id", "donation_id", name=op.f("pk_donation")),
    )
    op.create_index("ix_donation_cause_id", "donation", ["cause_id", "donated_at"], unique=False)
    op.create_table(
        "pool_code",
        sa.Column("reward_id", sa.UUID(), nullable=False),
        sa.Column("place", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_cipher", sa.LargeBinary(), nullable=False),
        sa.Column("voucher_id", sa.UUID(), nullable=True),
        sa.PrimaryKeyConstraint("reward_id", "place", name=op.f("pk_pool_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_pool_code_code_hash")),
    )
    op.create_index(
        "ix_pool_code_free",
        "pool_code",
        ["reward_id", "live", "place"],
        unique=False,
        postgresql_where=sa.text("voucher_id IS NULL"),
    )
    op.create_table(
        "redemption",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("redemption_id", sa.UUID(), nullable=False),
        sa.Column("reward_id", sa.UUID(), nullable=False),
        sa.Column("reward_version", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("money_amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("stock_day", sa.Date(), nullable=True),
        sa.Column("limit_period", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "state IN ('held', 'issued', 'used', 'cancelled', 'expired', 'refunded')",
            name=op.f("ck_redemption_state_known"),
        ),
        sa.CheckConstraint("quantity > 0 AND points > 0", name=op.f("ck_redemption_amounts_positive")),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_redemption_member_id_account")),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.reward_id"], name=op.f("fk_redemption_reward_id_reward")),
        sa.PrimaryKeyConstraint("member_id", "redemption_id", name=op.f("pk_redemption")),
    )
    op.create_index(
        "ix_redemption_expiring",
        "redemption",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'issued'"),
    )
    op.create_index("ix_redemption_reward_id", "redemption", ["reward_id"], unique=False)
    op.create_index(
        "ix_redemption_merchant_id",
        "redemption",
        ["merchant_id", "live", "state", "redemption_id"],
        unique=False,
        postgresql_where=sa.text("merchant_id IS NOT NULL"),
    )
    op.create_index(
        "ix_redemption_waiting", "redemption", ["held_until"], unique=False, postgresql_where=sa.text("state = 'held'")
    )
    op.create_table(
        "reward_favourite",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("reward_id", sa.UUID(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_reward_favourite_member_id_member")),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.reward_id"], name=op.f("fk_reward_favourite_reward_id_reward")),
        sa.PrimaryKeyConstraint("member_id", "reward_id", name=op.f("pk_reward_favourite")),
    )
    op.create_table(
        "reward_stock",
        sa.Column("reward_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("taken >= 0 AND taken <= total", name=op.f("ck_reward_stock_taken_within_total")),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.reward_id"], name=op.f("fk_reward_stock_reward_id_reward")),
        sa.PrimaryKeyConstraint("reward_id", "live", "day", name=op.f("pk_reward_stock")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "stock_notice",
        sa.Column("reward_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.reward_id"], name=op.f("fk_stock_notice_reward_id_reward")),
        sa.PrimaryKeyConstraint("reward_id", "day", name=op.f("pk_stock_notice")),
    )
    op.create_table(
        "reward_use",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("reward_id", sa.UUID(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_reward_use_used_not_negative")),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_reward_use_member_id_account")),
        sa.PrimaryKeyConstraint("member_id", "reward_id", "period", name=op.f("pk_reward_use")),
    )
    op.create_table(
        "redemption_change",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("redemption_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('held', 'issued', 'used', 'cancelled', 'expired', 'refunded')",
            name=op.f("ck_redemption_change_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id", "redemption_id"],
            ["redemption.member_id", "redemption.redemption_id"],
            name=op.f("fk_redemption_change_member_id_redemption_id_redemption"),
        ),
        sa.PrimaryKeyConstraint("member_id", "redemption_id", "number", name=op.f("pk_redemption_change")),
    )
    op.create_table(
        "voucher",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("voucher_id", sa.UUID(), nullable=False),
        sa.Column("redemption_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("code_cipher", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("discount", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("remaining", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("discount IN ('amount', 'percent', 'product')", name=op.f("ck_voucher_discount_known")),
        sa.CheckConstraint("state IN ('issued', 'used', 'cancelled', 'expired')", name=op.f("ck_voucher_state_known")),
        sa.CheckConstraint(
            "remaining IS NULL OR remaining >= 0 AND remaining <= value", name=op.f("ck_voucher_remaining_within_value")
        ),
        sa.ForeignKeyConstraint(
            ["member_id", "redemption_id"],
            ["redemption.member_id", "redemption.redemption_id"],
            name=op.f("fk_voucher_member_id_redemption_id_redemption"),
        ),
        sa.PrimaryKeyConstraint("member_id", "voucher_id", name=op.f("pk_voucher")),
    )
    op.create_index("ix_voucher_redemption_id", "voucher", ["member_id", "redemption_id"], unique=False)
    op.create_table(
        "voucher_use",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("voucher_id", sa.UUID(), nullable=False),
        sa.Column("use_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("order_ref", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rolled_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rolled_back_by", sa.String(), nullable=True),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_voucher_use_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["member_id", "voucher_id"],
            ["voucher.member_id", "voucher.voucher_id"],
            name=op.f("fk_voucher_use_member_id_voucher_id_voucher"),
        ),
        sa.PrimaryKeyConstraint("member_id", "voucher_id", "use_id", name=op.f("pk_voucher_use")),
    )
    op.create_index(
        "uq_voucher_use_order",
        "voucher_use",
        ["member_id", "voucher_id", "merchant_id", "order_ref"],
        unique=True,
        postgresql_where=sa.text("rolled_back_at IS NULL"),
    )
    for table in APPENDED:
        op.execute(f"GRANT SELECT, INSERT ON {table} TO greenpoints_app")
    for table in CHANGED:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO greenpoints_app")


def downgrade() -> None:
    op.drop_index("uq_voucher_use_order", table_name="voucher_use", postgresql_where=sa.text("rolled_back_at IS NULL"))
    op.drop_table("voucher_use")
    op.drop_index("ix_voucher_redemption_id", table_name="voucher")
    op.drop_table("voucher")
    op.drop_table("redemption_change")
    op.drop_table("reward_use")
    op.drop_table("stock_notice")
    op.drop_table("reward_stock")
    op.drop_table("reward_favourite")
    op.drop_index("ix_redemption_waiting", table_name="redemption", postgresql_where=sa.text("state = 'held'"))
    op.drop_index(
        "ix_redemption_merchant_id",
        table_name="redemption",
        postgresql_where=sa.text("merchant_id IS NOT NULL"),
    )
    op.drop_index("ix_redemption_reward_id", table_name="redemption")
    op.drop_index("ix_redemption_expiring", table_name="redemption", postgresql_where=sa.text("state = 'issued'"))
    op.drop_table("redemption")
    op.drop_index("ix_pool_code_free", table_name="pool_code", postgresql_where=sa.text("voucher_id IS NULL"))
    op.drop_table("pool_code")
    op.drop_index("ix_donation_cause_id", table_name="donation")
    op.drop_table("donation")
    op.drop_index("ix_reward_published", table_name="reward", postgresql_where=sa.text("state = 'published'"))
    op.drop_index("ix_reward_merchant_id", table_name="reward")
    op.drop_table("reward")
    op.drop_table("cause_payout")
    op.drop_table("cause_match")
    op.drop_table("cause")
    op.drop_table("voucher_code")
    op.drop_table("redemption_registry")
    op.drop_table("cause_total")
