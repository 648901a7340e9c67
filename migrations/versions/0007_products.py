"""Products of merchants and shared ones, their certificates, and the packaging that merchants offer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_JSONB = postgresql.JSONB(astext_type=sa.Text())
_TIME = sa.DateTime(timezone=True)
_TEXTS = sa.ARRAY(sa.Text())


def upgrade() -> None:
    op.create_table(
        "product",
        sa.Column("product_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("gtin", sa.Text(), nullable=True),
        sa.Column("names", _JSONB, nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("packaging", _TEXTS, nullable=False),
        sa.Column("environmental_grade", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("withdrawn_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "CASE WHEN merchant_id IS NULL THEN live AND sku IS NULL AND gtin IS NOT NULL AND source IS NOT NULL"
            " ELSE sku IS NOT NULL AND source IS NULL END",
            name=op.f("ck_product_own_by_sku_shared_by_gtin"),
        ),
        sa.CheckConstraint("gtin ~ '^[0-9]{14}$'", name=op.f("ck_product_gtin_of_14_digits")),
        sa.CheckConstraint("jsonb_typeof(names) = 'object'", name=op.f("ck_product_names_by_language")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_product_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_product")),
        sa.UniqueConstraint("merchant_id", "live", "sku", name=op.f("uq_product_merchant_id_live_sku")),
    )
    op.create_index(
        "uq_product_shared_gtin",
        "product",
        ["gtin"],
        unique=True,
        postgresql_where=sa.text("merchant_id IS NULL"),
    )
    op.create_index("ix_product_gtin_merchant_id", "product", ["gtin", "merchant_id"], unique=False)
    op.create_index(
        "ix_product_merchant_id_category",
        "product",
        ["merchant_id", "live", "category", "sku"],
        unique=False,
        postgresql_where=sa.text("merchant_id IS NOT NULL AND withdrawn_at IS NULL"),
    )
    op.create_table(
        "product_certificate",
        sa.Column("product_id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("verification", sa.Text(), server_default=sa.text("'unverified'"), nullable=False),
        sa.Column("checked_at", _TIME, nullable=True),
        sa.Column("checked_by", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("is_withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "verification IN ('unverified', 'verified', 'rejected')",
            name=op.f("ck_product_certificate_verification_known"),
        ),
        sa.CheckConstraint(
            "(verification = 'unverified') = (checked_at IS NULL)",
            name=op.f("ck_product_certificate_checked_at_some_time"),
        ),
        sa.CheckConstraint(
            "verification <> 'verified' OR number IS NOT NULL",
            name=op.f("ck_product_certificate_verified_by_number"),
        ),
        sa.CheckConstraint("valid_from <= valid_to", name=op.f("ck_product_certificate_validity_in_order")),
        sa.ForeignKeyConstraint(
            ["checked_by"],
            ["staff_account.staff_id"],
            name=op.f("fk_product_certificate_checked_by_staff_account"),
        ),
        sa.ForeignKeyConstraint(
            ["code"], ["certification.code"], name=op.f("fk_product_certificate_code_certification")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.product_id"],
            name=op.f("fk_product_certificate_product_id_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "code", name=op.f("pk_product_certificate")),
    )
    op.create_index("ix_product_certificate_code", "product_certificate", ["code", "product_id"], unique=False)
    op.create_index(
        "ix_product_certificate_to_verify",
        "product_certificate",
        ["product_id"],
        unique=False,
        postgresql_where=sa.text("verification = 'unverified' AND number IS NOT NULL"),
    )
    op.create_table(
        "packaging_offer",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("offers", _TEXTS, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_packaging_offer_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "live", name=op.f("pk_packaging_offer")),
    )
    for table in ("product", "product_certificate", "packaging_offer"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO greenpoints_app")


def downgrade() -> None:
    op.drop_table("packaging_offer")
    op.drop_index(
        "ix_product_certificate_to_verify",
        table_name="product_certificate",
        postgresql_where=sa.text("verification = 'unverified' AND number IS NOT NULL"),
    )
    op.drop_index("ix_product_certificate_code", table_name="product_certificate")
    op.drop_table("product_certificate")
    op.drop_index(
        "ix_product_merchant_id_category",
        table_name="product",
        postgresql_where=sa.text("merchant_id IS NOT NULL AND withdrawn_at IS NULL"),
    )
    op.drop_index("ix_product_gtin_merchant_id", table_name="product")
    op.drop_index("uq_product_shared_gtin", table_name="product", postgresql_where=sa.text("merchant_id IS NULL"))
    op.drop_table("product")
