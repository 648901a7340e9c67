"""Holds that the shopper confirms and that are found by their order; months of settlement."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

STATES = "status IN ('open', 'captured', 'released', 'declined', 'expired')"
STATES_BEFORE = "status IN ('open', 'captured', 'released', 'expired')"


def upgrade() -> None:
    op.add_column("hold", sa.Column("confirm_by", sa.DateTime(timezone=True), nullable=True))
    op.add_column("hold", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("hold", sa.Column("lasts_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("hold", sa.Column("programme_version", sa.Integer(), nullable=True))
    op.drop_constraint(op.f("ck_hold_status"), "hold", type_="check")
    op.create_check_constraint(op.f("ck_hold_status"), "hold", STATES)
    op.create_check_constraint(
        op.f("ck_hold_lasts_once_confirmed"), "hold", "(confirm_by IS NULL) = (lasts_until IS NULL)"
    )
    op.create_check_constraint(
        op.f("ck_hold_confirmed_in_time"), "hold", "confirmed_at IS NULL OR confirmed_at < confirm_by"
    )
    op.create_check_constraint(
        op.f("ck_hold_confirmed"), "hold", "status <> 'captured' OR confirm_by IS NULL OR confirmed_at IS NOT NULL"
    )
    op.add_column("hold_registry", sa.Column("order_ref", sa.String(), nullable=True))
    op.execute(
        "UPDATE hold_registry AS r SET order_ref = h.order_ref FROM hold AS h"
        " WHERE h.member_id = r.member_id AND h.hold_id = r.hold_id AND h.order_ref IS NOT NULL"
    )
    op.create_index(
        "ix_hold_registry_order_ref",
        "hold_registry",
        ["merchant_id", "live", "order_ref"],
        unique=False,
        postgresql_where=sa.text("order_ref IS NOT NULL"),
    )
    op.create_index("ix_entry_recorded_at", "entry", ["recorded_at"], unique=False, postgresql_using="brin")
    op.create_index(
        "ix_lot_funded",
        "lot",
        ["member_id", "lot_id"],
        unique=False,
        postgresql_include=["funder"],
        postgresql_where=sa.text("funder IS NOT NULL"),
    )
    op.create_table(
        "settlement_month",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("point_value_micros", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.UUID(), nullable=False),
        sa.CheckConstraint(
            "starts_at < ends_at AND ends_at <= closed_at", name=op.f("ck_settlement_month_over_when_closed")
        ),
        sa.ForeignKeyConstraint(
            ["closed_by"], ["staff_account.staff_id"], name=op.f("fk_settlement_month_closed_by_staff_account")
        ),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_settlement_month")),
    )
    op.create_table(
        "settlement_fund",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("funder", sa.UUID(), nullable=False),
        sa.Column("issued_points", sa.BigInteger(), nullable=False),
        sa.Column("expired_points", sa.BigInteger(), nullable=False),
        sa.Column("reversed_points", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "issued_points >= 0 AND expired_points >= 0 AND reversed_points >= 0",
            name=op.f("ck_settlement_fund_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["month"], ["settlement_month.month"], name=op.f("fk_settlement_fund_month_settlement_month")
        ),
        sa.PrimaryKeyConstraint("month", "funder", name=op.f("pk_settlement_fund")),
    )
    op.create_table(
        "settlement_spend",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("funder", sa.UUID(), nullable=False),
        sa.Column("place", sa.UUID(), nullable=False),
        sa.Column("spent_points", sa.BigInteger(), nullable=False),
        sa.Column("refunded_points", sa.BigInteger(), nullable=False),
        sa.Column("spent_amount", sa.BigInteger(), nullable=False),
        sa.Column("refunded_amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "spent_points >= 0 AND refunded_points >= 0 AND spent_amount >= 0 AND refunded_amount >= 0",
            name=op.f("ck_settlement_spend_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["month"], ["settlement_month.month"], name=op.f("fk_settlement_spend_month_settlement_month")
        ),
        sa.PrimaryKeyConstraint("month", "funder", "place", name=op.f("pk_settlement_spend")),
    )
    # what is closed stays as it was closed
    for table in ("settlement_month", "settlement_fund", "settlement_spend"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO greenpoints_app")


def downgrade() -> None:
    op.drop_table("settlement_spend")
    op.drop_table("settlement_fund")
    op.drop_table("settlement_month")
    op.drop_index("ix_lot_funded", table_name="lot", postgresql_where=sa.text("funder IS NOT NULL"))
    op.drop_index("ix_entry_recorded_at", table_name="entry", postgresql_using="brin")
    op.drop_index(
        "ix_hold_registry_order_ref", table_name="hold_registry", postgresql_where=sa.text("order_ref IS NOT NULL")
    )
    op.drop_column("hold_registry", "order_ref")
    op.drop_constraint(op.f("ck_hold_confirmed"), "hold", type_="check")
    op.drop_constraint(op.f("ck_hold_confirmed_in_time"), "hold", type_="check")
    op.drop_constraint(op.f("ck_hold_lasts_once_confirmed"), "hold", type_="check")
    op.drop_constraint(op.f("ck_hold_status"), "hold", type_="check")
    # what shoppers declined, merchants released as far as the schema before knows
    op.execute("UPDATE hold SET status = 'released' WHERE status = 'declined'")
    op.create_check_constraint(op.f("ck_hold_status"), "hold", STATES_BEFORE)
    op.drop_column("hold", "programme_version")
    op.drop_column("hold", "lasts_until")
    op.drop_column("hold", "confirmed_at")
    op.drop_column("hold", "confirm_by")
