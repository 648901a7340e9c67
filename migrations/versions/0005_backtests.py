"""Backtests: replays of recorded activities through a version of a campaign; and an index to find their period."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backtest",
        sa.Column("backtest_id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("campaign_version_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("schedule", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("activities_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("activities_total", sa.BigInteger(), nullable=True),
        sa.Column("requested_by", sa.UUID(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_backtest_state_known")),
        sa.CheckConstraint("schedule IN ('as_written', 'whole_period')", name=op.f("ck_backtest_schedule_known")),
        sa.CheckConstraint("from_at < to_at", name=op.f("ck_backtest_period_in_order")),
        sa.CheckConstraint("(state = 'done') = (result IS NOT NULL)", name=op.f("ck_backtest_result_when_done")),
        sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name=op.f("ck_backtest_error_when_failed")),
        sa.CheckConstraint(
            "state <> 'running' OR heartbeat_at IS NOT NULL", name=op.f("ck_backtest_runs_with_heartbeat")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.campaign_id"], name=op.f("fk_backtest_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_version_id"],
            ["campaign_version.campaign_version_id"],
            name=op.f("fk_backtest_campaign_version_id_campaign_version"),
        ),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["staff_account.staff_id"], name=op.f("fk_backtest_requested_by_staff_account")
        ),
        sa.PrimaryKeyConstraint("backtest_id", name=op.f("pk_backtest")),
    )
    op.create_index("ix_backtest_campaign_id", "backtest", ["campaign_id"], unique=False)
    op.create_index(
        "ix_backtest_open",
        "backtest",
        ["requested_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index("ix_activity_occurred_at", "activity", ["occurred_at"], unique=False, postgresql_using="brin")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON backtest TO greenpoints_app")


def downgrade() -> None:
    op.drop_index("ix_activity_occurred_at", table_name="activity", postgresql_using="brin")
    op.drop_index("ix_backtest_open", table_name="backtest", postgresql_where=sa.text("state IN ('queued', 'running')"))
    op.drop_index("ix_backtest_campaign_id", table_name="backtest")
    op.drop_table("backtest")
