"""Limits and budgets: what has been used of each, by member and by what members share; budgets in slots."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHANGED = ("budget_notice", "budget_slot", "member_limit_usage", "shared_limit_usage")


def upgrade() -> None:
    op.create_table(
        "member_limit_usage",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("limit_key", sa.String(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_member_limit_usage_used")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["account.member_id"], name=op.f("fk_member_limit_usage_member_id_account")
        ),
        sa.PrimaryKeyConstraint("member_id", "campaign_id", "limit_key", "period", name=op.f("pk_member_limit_usage")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "shared_limit_usage",
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("limit_key", sa.String(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("used_max", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0 AND used <= used_max", name=op.f("ck_shared_limit_usage_used")),
        sa.PrimaryKeyConstraint("campaign_id", "limit_key", "period", "subject", name=op.f("pk_shared_limit_usage")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "budget_slot",
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("share", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_budget_slot_remaining")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.campaign_id"], name=op.f("fk_budget_slot_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "live", "slot", name=op.f("pk_budget_slot")),
        postgresql_with={"fillfactor": 10},
    )
    op.create_table(
        "budget_notice",
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("percent", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("percent IN (80, 100)", name=op.f("ck_budget_notice_percent")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.campaign_id"], name=op.f("fk_budget_notice_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "percent", name=op.f("pk_budget_notice")),
    )
    for table in CHANGED:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO greenpoints_app")


def downgrade() -> None:
    for table in CHANGED:
        op.drop_table(table)
