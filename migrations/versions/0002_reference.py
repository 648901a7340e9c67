"""Reference tables of the catalogue and published impact factors.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certification",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("sector", sa.Text(), nullable=False),
        sa.Column("gs1_code", sa.Text(), nullable=True),
        sa.Column("grades", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_certification")),
    )
    op.create_table(
        "packaging_option",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hierarchy", sa.Text(), nullable=False),
        sa.Column("applies_to", sa.Text(), nullable=False),
        sa.Column("exclusive_group", sa.Text(), nullable=True),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "hierarchy IN ('refuse', 'reduce', 'reuse', 'recycle')", name=op.f("ck_packaging_option_hierarchy")
        ),
        sa.CheckConstraint("applies_to IN ('order', 'parcel', 'line')", name=op.f("ck_packaging_option_applies_to")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_packaging_option")),
    )
    op.create_table(
        "material",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identification", sa.Text(), nullable=True),
        sa.Column("units", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("gs1_code", sa.Text(), nullable=True),
        sa.Column("typical_piece_grams", sa.Numeric(10, 3), nullable=True),
        sa.Column("piece_source", sa.Text(), nullable=False),
        sa.CheckConstraint("typical_piece_grams > 0", name=op.f("ck_material_typical_piece_grams")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_material")),
    )
    op.create_table(
        "impact_factor",
        sa.Column("id", postgresql.UUID(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_code", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("unit_of_activity", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("baseline", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "subject_kind IN ('material', 'device', 'packaging')", name=op.f("ck_impact_factor_subject_kind")
        ),
        sa.CheckConstraint("0 <= low AND low <= value AND value <= high", name=op.f("ck_impact_factor_band")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_impact_factor_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impact_factor")),
        sa.UniqueConstraint(
            "subject_kind",
            "subject_code",
            "metric",
            "unit_of_activity",
            "source",
            "region",
            "version",
            name="uq_impact_factor_identity_version",
        ),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON certification, packaging_option, material TO greenpoints_app")
    op.execute("GRANT SELECT, INSERT ON impact_factor TO greenpoints_app")


def downgrade() -> None:
    op.drop_table("impact_factor")
    op.drop_table("material")
    op.drop_table("packaging_option")
    op.drop_table("certification")
