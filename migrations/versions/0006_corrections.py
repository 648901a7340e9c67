"""Returns, completions, claims, and the receipts and serial numbers that are claimed once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_JSONB = postgresql.JSONB(astext_type=sa.Text())
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "activity_completion",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("completed_at", _TIME, nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["account.member_id"], name=op.f("fk_activity_completion_member_id_account")
        ),
        sa.PrimaryKeyConstraint("member_id", "activity_id", name=op.f("pk_activity_completion")),
    )
    op.create_table(
        "activity_return",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("return_id", sa.UUID(), nullable=False),
        sa.Column("occurred_at", _TIME, nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("lines", _JSONB, nullable=False),
        sa.Column("outcome", _JSONB, nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["account.member_id"], name=op.f("fk_activity_return_member_id_account")
        ),
        sa.PrimaryKeyConstraint("member_id", "activity_id", "return_id", name=op.f("pk_activity_return")),
    )
    op.create_table(
        "return_registry",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("return_id", sa.UUID(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_return_registry_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "live", "external_id", name=op.f("pk_return_registry")),
    )
    op.create_index("ix_return_registry_return_id", "return_registry", ["return_id"], unique=False)
    op.create_table(
        "claimed_proof",
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("proof IN ('receipt', 'serial')", name=op.f("ck_claimed_proof_proof_known")),
        sa.PrimaryKeyConstraint("live", "kind", "proof", "value", name=op.f("pk_claimed_proof")),
    )
    op.create_table(
        "duplicate_claim",
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("first_activity_id", sa.UUID(), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("activity_id", "proof", "value", name=op.f("pk_duplicate_claim")),
    )
    op.create_index("ix_duplicate_claim_recorded_at", "duplicate_claim", ["recorded_at"], unique=False)
    op.add_column("claim", sa.Column("evidence", sa.String(), server_default="staff", nullable=False))
    op.add_column("claim", sa.Column("completed_at", _TIME, nullable=True))
    op.add_column("claim", sa.Column("claimed_at", _TIME, nullable=True))
    op.add_column("claim", sa.Column("member_id", sa.UUID(), nullable=True))
    op.add_column("claim", sa.Column("duplicates", _JSONB, server_default="[]", nullable=False))
    op.add_column("claim", sa.Column("returns", _JSONB, server_default="[]", nullable=False))
    op.create_check_constraint("claimed_by_somebody", "claim", "(claimed_at IS NULL) = (member_id IS NULL)")
    op.create_index(
        "ix_claim_open", "claim", ["expires_at"], unique=False, postgresql_where=sa.text("claimed_at IS NULL")
    )
    for table in ("activity_completion", "activity_return"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO greenpoints_app")
    for table in ("return_registry", "claimed_proof", "duplicate_claim"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO greenpoints_app")


def downgrade() -> None:
    op.drop_index("ix_claim_open", table_name="claim", postgresql_where=sa.text("claimed_at IS NULL"))
    op.drop_constraint(op.f("ck_claim_claimed_by_somebody"), "claim", type_="check")
    for column in ("returns", "duplicates", "member_id", "claimed_at", "completed_at", "evidence"):
        op.drop_column("claim", column)
    op.drop_index("ix_duplicate_claim_recorded_at", table_name="duplicate_claim")
    op.drop_table("duplicate_claim")
    op.drop_table("claimed_proof")
    op.drop_index("ix_return_registry_return_id", table_name="return_registry")
    op.drop_table("return_registry")
    op.drop_table("activity_return")
    op.drop_table("activity_completion")
