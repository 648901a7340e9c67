"""The impact ledger: entries that take back, what was multiplied, methods of factors, and restatements."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The methods of the factors that were loaded before they were named, so that no factor gets a new version for it.
METHODS = """
UPDATE impact_factor SET method = CASE
  WHEN metric <> 'g_co2e_avoided' THEN 'packaging_weight'
  WHEN source LIKE 'US EPA WARM%' THEN 'warm'
  WHEN source LIKE 'UK DESNZ%' THEN 'desnz'
  WHEN source = 'UK Defra 2011' THEN 'defra_2011'
  WHEN source LIKE 'BIR%' THEN 'bir'
  WHEN source LIKE 'ADEME%' THEN 'ademe'
  WHEN source LIKE 'reuse-centre%' THEN 'reuse_study'
  WHEN source LIKE 'retailer claim%' THEN 'retailer_claim'
  WHEN source LIKE 'carrier claim%' THEN 'carrier_claim'
  WHEN source LIKE 'all-parcel%' THEN 'parcel_average'
  ELSE 'unknown' END
"""
# Grams recycled are thousands of millionths of a kilogram. What was estimated from pieces was rounded to the gram, so
# that a restatement of those may be a gram off.
UNITS = """
UPDATE impact_entry AS claimed SET units_micros = CASE
  WHEN factor.unit_of_activity = 'kg_recycled' THEN coalesce((
    SELECT sum(weighed.value) * 1000 FROM impact_entry AS weighed
    WHERE weighed.member_id = claimed.member_id AND weighed.activity_id = claimed.activity_id
      AND weighed.metric = 'g_recycled' AND weighed.subject_code = claimed.subject_code
      AND weighed.line IS NOT DISTINCT FROM claimed.line), 0)
  WHEN factor.value > 0 THEN claimed.value * 1000000 / factor.value
  ELSE 1000000 END
FROM impact_factor AS factor WHERE factor.id = claimed.factor_id
"""


def upgrade() -> None:
    op.add_column("impact_factor", sa.Column("method", sa.Text(), nullable=True))
    op.execute(METHODS)
    op.alter_column("impact_factor", "method", nullable=False)
    op.drop_constraint(op.f("ck_impact_entry_band"), "impact_entry", type_="check")
    op.add_column(
        "impact_entry", sa.Column("units_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column(
        "impact_entry", sa.Column("is_estimated", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    # what stands of an activity is found by it, at the cost of no further index
    op.drop_constraint(op.f("pk_impact_entry"), "impact_entry", type_="primary")
    op.create_primary_key(op.f("pk_impact_entry"), "impact_entry", ["member_id", "activity_id", "impact_id"])
    op.execute(UNITS)
    op.create_check_constraint(
        op.f("ck_impact_entry_band"), "impact_entry", "low <= value AND value <= high OR high <= value AND value <= low"
    )
    op.create_check_constraint(
        op.f("ck_impact_entry_units_of_a_factor"), "impact_entry", "factor_id IS NOT NULL OR units_micros = 0"
    )
    op.create_table(
        "restatement",
        sa.Column("restatement_id", sa.UUID(), nullable=False),
        sa.Column("factor", sa.String(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("after_member_id", sa.UUID(), nullable=True),
        sa.Column("entries_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries_total", sa.BigInteger(), nullable=True),
        sa.Column("activities_changed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries_booked", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("differences", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("requested_by", sa.UUID(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_restatement_state_known")),
        sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name=op.f("ck_restatement_error_when_failed")),
        sa.CheckConstraint(
            "state <> 'running' OR heartbeat_at IS NOT NULL", name=op.f("ck_restatement_runs_with_heartbeat")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["staff_account.staff_id"], name=op.f("fk_restatement_requested_by_staff_account")
        ),
        sa.PrimaryKeyConstraint("restatement_id", name=op.f("pk_restatement")),
    )
    op.create_index(
        "ix_restatement_open",
        "restatement",
        ["requested_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON restatement TO greenpoints_app")


def downgrade() -> None:
    op.drop_index("ix_restatement_open", table_name="restatement")
    op.drop_table("restatement")
    op.drop_constraint(op.f("ck_impact_entry_units_of_a_factor"), "impact_entry", type_="check")
    op.drop_constraint(op.f("ck_impact_entry_band"), "impact_entry", type_="check")
    op.drop_constraint(op.f("pk_impact_entry"), "impact_entry", type_="primary")
    op.create_primary_key(op.f("pk_impact_entry"), "impact_entry", ["member_id", "impact_id"])
    op.drop_column("impact_entry", "is_estimated")
    op.drop_column("impact_entry", "units_micros")
    # as it was; entries that took back stay, and are not checked
    op.create_check_constraint(
        op.f("ck_impact_entry_band"), "impact_entry", "low <= value AND value <= high", postgresql_not_valid=True
    )
    op.drop_column("impact_factor", "method")
