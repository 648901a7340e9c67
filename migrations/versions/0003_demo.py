"""The demo's windows: which days of the real baskets were first replayed when.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "demo_window",
        sa.Column("days", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("anchored_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("days BETWEEN 1 AND 366", name=op.f("ck_demo_window_days")),
        sa.PrimaryKeyConstraint("days", name=op.f("pk_demo_window")),
    )
    op.execute("GRANT SELECT, INSERT ON demo_window TO greenpoints_app")


def downgrade() -> None:
    op.drop_table("demo_window")
