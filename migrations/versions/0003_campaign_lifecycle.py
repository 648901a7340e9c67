"""The lifecycle of campaigns: who made, submitted, approved and activated which version, and when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATES = "'draft', 'submitted', 'approved'"
PEOPLE = ("created_by", "submitted_by", "approved_by", "rejected_by", "activated_by")
# The document, the number and who wrote it stay as they were written.
CHANGED = (
    "state, warnings, exposure_points, submitted_by, submitted_at, approved_by, approved_at, override_reason, "
    "rejected_by, rejected_at, reject_reason, activated_by, active_from"
)


def upgrade() -> None:
    op.add_column("campaign", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("campaign", sa.Column("created_by", sa.UUID(), nullable=True))
    op.add_column("campaign", sa.Column("updated_by", sa.UUID(), nullable=True))
    op.add_column("campaign", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE campaign SET updated_at = created_at")
    op.alter_column("campaign", "updated_at", nullable=False)
    op.create_check_constraint(
        op.f("ck_campaign_state_known"), "campaign", f"state IN ({STATES}, 'active', 'paused', 'ended', 'archived')"
    )
    op.create_index("ix_campaign_state", "campaign", ["state", "campaign_id"], unique=False)
    for person in ("created_by", "updated_by"):
        op.create_foreign_key(
            op.f(f"fk_campaign_{person}_staff_account"), "campaign", "staff_account", [person], ["staff_id"]
        )
    op.alter_column("campaign_version", "active_from", nullable=True)
    for column in (
        sa.Column("state", sa.String(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("warnings", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("exposure_points", sa.BigInteger(), nullable=True),
        *(sa.Column(person, sa.UUID(), nullable=True) for person in PEOPLE),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("override_reason", sa.String(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reject_reason", sa.String(), nullable=True),
    ):
        op.add_column("campaign_version", column)
    for name, condition in (
        ("state_known", f"state IN ({STATES})"),
        ("approval_told", "(state = 'approved') = (approved_at IS NOT NULL)"),
        ("second_person", "approved_by <> created_by AND approved_by <> submitted_by"),
        ("exposure_not_negative", "exposure_points >= 0"),
    ):
        op.create_check_constraint(op.f(f"ck_campaign_version_{name}"), "campaign_version", condition)
    for person in PEOPLE:
        op.create_foreign_key(
            op.f(f"fk_campaign_version_{person}_staff_account"), "campaign_version", "staff_account", [person],
            ["staff_id"],
        )  # fmt: skip
    op.execute(f"GRANT UPDATE ({CHANGED}) ON campaign_version TO greenpoints_app")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (active_from) ON campaign_version FROM greenpoints_app")
    # what was never in force has no place in the older schema
    op.execute("DELETE FROM campaign_version WHERE active_from IS NULL")
    op.execute("DELETE FROM campaign WHERE campaign_id NOT IN (SELECT campaign_id FROM campaign_version)")
    for name in ("exposure_not_negative", "second_person", "approval_told", "state_known"):
        op.drop_constraint(op.f(f"ck_campaign_version_{name}"), "campaign_version", type_="check")
    for column in (
        *PEOPLE, "reject_reason", "rejected_at", "override_reason", "approved_at", "submitted_at", "exposure_points",
        "warnings", "state",
    ):  # fmt: skip
        op.drop_column("campaign_version", column)
    op.alter_column("campaign_version", "active_from", nullable=False)
    op.drop_index("ix_campaign_state", table_name="campaign")
    op.drop_constraint(op.f("ck_campaign_state_known"), "campaign", type_="check")
    for column in ("updated_at", "updated_by", "created_by", "revision"):
        op.drop_column("campaign", column)
