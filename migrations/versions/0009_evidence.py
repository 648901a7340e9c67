"""Evidence: pictures of shoppers, with the registry by which like ones are found; reviews of activities by staff."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("evidence_id", sa.UUID(), nullable=False),
        sa.Column("object_name", sa.String(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("dhash", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activity_id", sa.UUID(), nullable=True),
        sa.Column("cited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reused_member_id", sa.UUID(), nullable=True),
        sa.Column("reused_evidence_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "(reused_member_id IS NULL) = (reused_evidence_id IS NULL)", name=op.f("ck_evidence_reused_of_somebody")
        ),
        sa.CheckConstraint("(activity_id IS NULL) = (cited_at IS NULL)", name=op.f("ck_evidence_cited_at_a_time")),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_evidence_member_id_member")),
        sa.PrimaryKeyConstraint("member_id", "evidence_id", name=op.f("pk_evidence")),
    )
    op.create_index("ix_evidence_evidence_id", "evidence", ["evidence_id"], unique=False)
    op.create_index("ix_evidence_sha256", "evidence", ["sha256"], unique=False)
    op.create_index(
        "ix_evidence_activity_id",
        "evidence",
        ["activity_id"],
        unique=False,
        postgresql_where=sa.text("activity_id IS NOT NULL"),
    )
    op.create_index(
        "ix_evidence_uncited",
        "evidence",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("activity_id IS NULL"),
    )
    op.create_table(
        "evidence_band",
        sa.Column("band", sa.Integer(), nullable=False),
        sa.Column("evidence_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("dhash", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("band", "evidence_id", name=op.f("pk_evidence_band")),
    )
    op.create_table(
        "review",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("review_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reasons", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'approved', 'rejected', 'expired')", name=op.f("ck_review_state_known")),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_review_decided_at_a_time")),
        sa.CheckConstraint(
            "(state IN ('approved', 'rejected')) = (decided_by IS NOT NULL)",
            name=op.f("ck_review_decided_by_somebody"),
        ),
        sa.CheckConstraint("(state = 'rejected') = (reason IS NOT NULL)", name=op.f("ck_review_rejected_for_a_reason")),
        sa.CheckConstraint("points >= 0", name=op.f("ck_review_points_not_negative")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff_account.staff_id"], name=op.f("fk_review_decided_by_staff_account")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_review_member_id_account")),
        sa.PrimaryKeyConstraint("member_id", "review_id", name=op.f("pk_review")),
        sa.UniqueConstraint("member_id", "activity_id", name=op.f("uq_review_member_id_activity_id")),
    )
    op.create_index("ix_review_review_id", "review", ["review_id"], unique=False)
    op.create_index("ix_review_state", "review", ["state", "review_id"], unique=False)
    op.create_index(
        "ix_review_overdue", "review", ["expires_at"], unique=False, postgresql_where=sa.text("state = 'open'")
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON review TO greenpoints_app")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON evidence TO greenpoints_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON evidence_band TO greenpoints_app")


def downgrade() -> None:
    op.drop_index("ix_review_overdue", table_name="review", postgresql_where=sa.text("state = 'open'"))
    op.drop_index("ix_review_state", table_name="review")
    op.drop_index("ix_review_review_id", table_name="review")
    op.drop_table("review")
    op.drop_table("evidence_band")
    op.drop_index("ix_evidence_uncited", table_name="evidence", postgresql_where=sa.text("activity_id IS NULL"))
    op.drop_index("ix_evidence_activity_id", table_name="evidence", postgresql_where=sa.text("activity_id IS NOT NULL"))
    op.drop_index("ix_evidence_sha256", table_name="evidence")
    op.drop_index("ix_evidence_evidence_id", table_name="evidence")
    op.drop_table("evidence")
