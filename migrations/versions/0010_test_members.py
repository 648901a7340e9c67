"""Test members: which made-up members a merchant's test keys have asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "test_member",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_test_member_member_id_member")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_test_member_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "member_id", name=op.f("pk_test_member")),
    )
    op.create_index(op.f("ix_test_member_member_id"), "test_member", ["member_id"], unique=False)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON test_member TO greenpoints_app")


def downgrade() -> None:
    op.drop_index(op.f("ix_test_member_member_id"), table_name="test_member")
    op.drop_table("test_member")
