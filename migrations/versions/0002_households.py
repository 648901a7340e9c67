"""Households: members who live together, and the codes by which they invite each other."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHANGED = ("household", "household_invite")


def upgrade() -> None:
    op.create_table(
        "household",
        sa.Column("household_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("household_id", name=op.f("pk_household")),
    )
    op.add_column("member", sa.Column("household_id", sa.UUID(), nullable=True))
    op.add_column("member", sa.Column("household_joined_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("member", sa.Column("household_left_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(
        op.f("fk_member_household_id_household"), "member", "household", ["household_id"], ["household_id"]
    )
    op.create_check_constraint(
        op.f("ck_member_household_joined"), "member", "(household_id IS NULL) = (household_joined_at IS NULL)"
    )
    op.create_check_constraint(
        op.f("ck_member_closed_in_no_household"), "member", "status <> 'closed' OR household_id IS NULL"
    )
    op.create_index(
        "ix_member_household_id",
        "member",
        ["household_id"],
        unique=False,
        postgresql_where=sa.text("household_id IS NOT NULL"),
    )
    op.create_table(
        "household_invite",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("household_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.UUID(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["created_by"], ["member.member_id"], name=op.f("fk_household_invite_created_by_member")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.household_id"], name=op.f("fk_household_invite_household_id_household")
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_household_invite")),
    )
    op.create_index("ix_household_invite_expires_at", "household_invite", ["expires_at"], unique=False)
    op.create_index(op.f("ix_household_invite_household_id"), "household_invite", ["household_id"], unique=False)
    for table in CHANGED:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO greenpoints_app")


def downgrade() -> None:
    op.drop_index(op.f("ix_household_invite_household_id"), table_name="household_invite")
    op.drop_index("ix_household_invite_expires_at", table_name="household_invite")
    op.drop_table("household_invite")
    op.drop_index("ix_member_household_id", table_name="member", postgresql_where=sa.text("household_id IS NOT NULL"))
    op.drop_constraint(op.f("ck_member_closed_in_no_household"), "member", type_="check")
    op.drop_constraint(op.f("ck_member_household_joined"), "member", type_="check")
    op.drop_constraint(op.f("fk_member_household_id_household"), "member", type_="foreignkey")
    op.drop_column("member", "household_left_at")
    op.drop_column("member", "household_joined_at")
    op.drop_column("member", "household_id")
    op.drop_table("household")
