"""The spine: every table of the first slice, and what the application may do with it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.jobs_schema import create_jobs_schema, drop_jobs_schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPENDED = (
    "account_snapshot",
    "audit_entry",
    "ledger_verification",
    "posting",
    "entry",
    "lot_allocation",
    "activity",
    "impact_entry",
    "impact_factor",
    "campaign_version",
    "programme_version",
)
CHANGED = (
    "campaign",
    "certification",
    "config_version",
    "demo_window",
    "hold_registry",
    "idempotency_record",
    "material",
    "member",
    "member_day",
    "merchant",
    "outbox",
    "outbox_partition",
    "packaging_option",
    "parked_fact",
    "sign_in_code",
    "staff_account",
    "account",
    "activity_registry",
    "claim",
    "customer_link",
    "member_address",
    "member_alias",
    "member_code",
    "member_session",
    "merchant_key",
    "pay_code",
    "adjustment",
    "expiry_warning",
    "hold",
    "lot",
)


def upgrade() -> None:
    create_jobs_schema(op.get_bind())
    op.create_table(
        "campaign",
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("key", name=op.f("uq_campaign_key")),
    )
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
        "config_version",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_config_version")),
    )
    op.create_table(
        "demo_window",
        sa.Column("days", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("anchored_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("days BETWEEN 1 AND 366", name=op.f("ck_demo_window_days")),
        sa.PrimaryKeyConstraint("days", name=op.f("pk_demo_window")),
    )
    op.create_table(
        "hold_registry",
        sa.Column("hold_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_hold_registry")),
    )
    op.create_table(
        "idempotency_record",
        sa.Column("scope", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_idempotency_record")),
    )
    op.create_index(op.f("ix_idempotency_record_created_at"), "idempotency_record", ["created_at"], unique=False)
    op.create_table(
        "impact_factor",
        sa.Column("id", sa.UUID(), nullable=False),
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
    op.create_table(
        "ledger_verification",
        sa.Column("verification_id", sa.UUID(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("members", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("lots", sa.BigInteger(), nullable=False),
        sa.Column("points_issued", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.BigInteger(), nullable=False),
        sa.Column("lines", postgresql.ARRAY(sa.String()), nullable=False),
        sa.PrimaryKeyConstraint("verification_id", name=op.f("pk_ledger_verification")),
    )
    op.create_table(
        "material",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("identification", sa.Text(), nullable=True),
        sa.Column("units", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("gs1_code", sa.Text(), nullable=True),
        sa.Column("typical_piece_grams", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("piece_source", sa.Text(), nullable=False),
        sa.CheckConstraint("typical_piece_grams > 0", name=op.f("ck_material_typical_piece_grams")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_material")),
    )
    op.create_table(
        "member",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=True),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("time_zone", sa.String(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("leaderboard_consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("score_consent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tier", sa.String(), server_default=sa.text("'seed'"), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.String()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended', 'closed')", name=op.f("ck_member_status_known")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_member")),
    )
    op.create_table(
        "member_day",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("activities", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("points", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("g_co2e_avoided", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("g_packaging_avoided", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("g_plastic_avoided", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("items_recycled", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("g_recycled", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "day", name=op.f("pk_member_day")),
    )
    op.create_table(
        "merchant",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_merchant_status_known")),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant")),
        sa.UniqueConstraint("key", name=op.f("uq_merchant_key")),
    )
    op.create_table(
        "outbox",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_applied", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "version", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["partition", "member_id", "version"],
        unique=False,
        postgresql_where=sa.text("NOT is_applied"),
    )
    op.create_table(
        "outbox_partition",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_outbox_partition")),
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
        sa.CheckConstraint("applies_to IN ('order', 'parcel', 'line')", name=op.f("ck_packaging_option_applies_to")),
        sa.CheckConstraint(
            "hierarchy IN ('refuse', 'reduce', 'reuse', 'recycle')", name=op.f("ck_packaging_option_hierarchy")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_packaging_option")),
    )
    op.create_table(
        "parked_fact",
        sa.Column("projection", sa.String(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("projection", "member_id", "version", name=op.f("pk_parked_fact")),
    )
    op.create_table(
        "programme_version",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_programme_version")),
    )
    op.create_table(
        "sign_in_code",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("window_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("tries BETWEEN 0 AND 5", name=op.f("ck_sign_in_code_tries_bounded")),
        sa.PrimaryKeyConstraint("channel", "address", name=op.f("pk_sign_in_code")),
    )
    op.create_index("ix_sign_in_code_window_ends_at", "sign_in_code", ["window_ends_at"], unique=False)
    op.create_table(
        "staff_account",
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=False),
        sa.Column("totp_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("status", sa.String(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("failed_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_staff_account_status_known")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_staff_account_email_lower")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff_account")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_account_email")),
    )
    op.create_table(
        "account",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("issued", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("debt", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("written_off", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pending", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("available", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("expired", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reversed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("extended_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_entry_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "issued + debt + written_off = pending + available + held + spent + expired + reversed",
            name=op.f("ck_account_balanced"),
        ),
        sa.CheckConstraint(
            "issued >= 0 AND debt >= 0 AND written_off >= 0 AND pending >= 0 AND available >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND reversed >= 0",
            name=op.f("ck_account_buckets_not_negative"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_account_member_id_member")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_account")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_account_due", "account", ["next_due_at"], unique=False, postgresql_where=sa.text("next_due_at IS NOT NULL")
    )
    op.create_table(
        "activity_registry",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_activity_registry_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "live", "external_id", name=op.f("pk_activity_registry")),
    )
    op.create_index("ix_activity_registry_activity_id", "activity_registry", ["activity_id"], unique=False)
    op.create_table(
        "audit_entry",
        sa.Column("audit_id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("object_kind", sa.String(), nullable=False),
        sa.Column("object_id", sa.String(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff_account.staff_id"], name=op.f("fk_audit_entry_staff_id_staff_account")
        ),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_object", "audit_entry", ["object_kind", "object_id", "audit_id"], unique=False)
    op.create_index("ix_audit_entry_staff_id", "audit_entry", ["staff_id", "audit_id"], unique=False)
    op.create_table(
        "campaign_version",
        sa.Column("campaign_version_id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.campaign_id"], name=op.f("fk_campaign_version_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_version_id", name=op.f("pk_campaign_version")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_campaign_version_campaign_id_number")),
    )
    op.create_table(
        "claim",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_claim_merchant_id_merchant")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_claim")),
        sa.UniqueConstraint("activity_id", name=op.f("uq_claim_activity_id")),
    )
    op.create_table(
        "customer_link",
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_customer_link_member_id_member")),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_customer_link_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("merchant_id", "live", "ref", name=op.f("pk_customer_link")),
    )
    op.create_index(op.f("ix_customer_link_member_id"), "customer_link", ["member_id"], unique=False)
    op.create_table(
        "member_address",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("channel IN ('email', 'sms')", name=op.f("ck_member_address_channel_known")),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_member_address_member_id_member")),
        sa.PrimaryKeyConstraint("channel", "address", "live", name=op.f("pk_member_address")),
    )
    op.create_index(op.f("ix_member_address_member_id"), "member_address", ["member_id"], unique=False)
    op.create_table(
        "member_alias",
        sa.Column("alias_key", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_member_alias_member_id_member")),
        sa.PrimaryKeyConstraint("alias_key", "live", name=op.f("pk_member_alias")),
    )
    op.create_index(op.f("ix_member_alias_member_id"), "member_alias", ["member_id"], unique=False)
    op.create_table(
        "member_code",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_member_code_member_id_member")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_member_code")),
    )
    op.create_index(op.f("ix_member_code_member_id"), "member_code", ["member_id"], unique=False)
    op.create_table(
        "member_session",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("session_id", sa.UUID(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_member_session_member_id_member")),
        sa.PrimaryKeyConstraint("member_id", "session_id", name=op.f("pk_member_session")),
    )
    op.create_index("ix_member_session_expires_at", "member_session", ["expires_at"], unique=False)
    op.create_table(
        "merchant_key",
        sa.Column("key_id", sa.UUID(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("last4", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("max_evidence", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_merchant_key_merchant_id_merchant")
        ),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_merchant_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_merchant_key_key_hash")),
    )
    op.create_index(op.f("ix_merchant_key_merchant_id"), "merchant_key", ["merchant_id"], unique=False)
    op.create_table(
        "pay_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("fk_pay_code_member_id_member")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_pay_code")),
        sa.UniqueConstraint("member_id", name=op.f("uq_pay_code_member_id")),
    )
    op.create_table(
        "account_snapshot",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("debt", sa.BigInteger(), nullable=False),
        sa.Column("written_off", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.Column("reversed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["account.member_id"], name=op.f("fk_account_snapshot_member_id_account")
        ),
        sa.PrimaryKeyConstraint("member_id", "month", name=op.f("pk_account_snapshot")),
    )
    op.create_table(
        "activity",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("merchant_id", sa.UUID(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_activity_member_id_account")),
        sa.PrimaryKeyConstraint("member_id", "activity_id", "revision", name=op.f("pk_activity")),
    )
    op.create_table(
        "adjustment",
        sa.Column("adjustment_id", sa.UUID(), nullable=False),
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.UUID(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'PROPOSED') = (decided_at IS NULL)", name=op.f("ck_adjustment_decided")),
        sa.CheckConstraint("status IN ('PROPOSED', 'APPROVED', 'REJECTED')", name=op.f("ck_adjustment_status")),
        sa.CheckConstraint("points <> 0", name=op.f("ck_adjustment_moves")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff_account.staff_id"], name=op.f("fk_adjustment_decided_by_staff_account")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_adjustment_member_id_account")),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["staff_account.staff_id"], name=op.f("fk_adjustment_proposed_by_staff_account")
        ),
        sa.PrimaryKeyConstraint("adjustment_id", name=op.f("pk_adjustment")),
    )
    op.create_index("ix_adjustment_decided_by", "adjustment", ["decided_by", "decided_at"], unique=False)
    op.create_index("ix_adjustment_member_id", "adjustment", ["member_id", "adjustment_id"], unique=False)
    op.create_index(
        "ix_adjustment_open",
        "adjustment",
        ["adjustment_id"],
        unique=False,
        postgresql_where=sa.text("status = 'PROPOSED'"),
    )
    op.create_index("ix_adjustment_proposed_by", "adjustment", ["proposed_by", "proposed_at"], unique=False)
    op.create_table(
        "expiry_warning",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("days", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_expiry_warning_member_id_account")),
        sa.PrimaryKeyConstraint("member_id", "expires_at", "days", name=op.f("pk_expiry_warning")),
    )
    op.create_table(
        "impact_entry",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("impact_id", sa.UUID(), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=False),
        sa.Column("factor_id", sa.UUID(), nullable=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("subject_code", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=True),
        sa.CheckConstraint("low <= value AND value <= high", name=op.f("ck_impact_entry_band")),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_impact_entry_member_id_account")),
        sa.PrimaryKeyConstraint("member_id", "impact_id", name=op.f("pk_impact_entry")),
    )
    op.create_table(
        "posting",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activity_id", sa.UUID(), nullable=True),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("reverses", sa.String(), nullable=True),
        sa.CheckConstraint("entry_count > 0", name=op.f("ck_posting_has_entries")),
        sa.ForeignKeyConstraint(["member_id"], ["account.member_id"], name=op.f("fk_posting_member_id_account")),
        sa.PrimaryKeyConstraint("member_id", "idempotency_key", name=op.f("pk_posting")),
    )
    op.create_index(
        "ix_posting_reverses",
        "posting",
        ["member_id", "reverses"],
        unique=False,
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
    op.create_table(
        "entry",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("debt", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("posting_key", sa.String(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_entry_amount_positive")),
        sa.CheckConstraint("source <> target", name=op.f("ck_entry_moves")),
        sa.ForeignKeyConstraint(
            ["member_id", "posting_key"],
            ["posting.member_id", "posting.idempotency_key"],
            name=op.f("fk_entry_member_id_posting_key_posting"),
        ),
        sa.PrimaryKeyConstraint("member_id", "seq", name=op.f("pk_entry")),
    )
    op.create_table(
        "hold",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("hold_id", sa.UUID(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("merchant_id", sa.UUID(), nullable=True),
        sa.Column("order_ref", sa.String(), nullable=True),
        sa.Column("order_total", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.CheckConstraint("status IN ('open', 'captured', 'released', 'expired')", name=op.f("ck_hold_status")),
        sa.CheckConstraint("amount > 0 AND captured >= 0 AND captured <= amount", name=op.f("ck_hold_captured")),
        sa.ForeignKeyConstraint(
            ["member_id", "seq"], ["entry.member_id", "entry.seq"], name=op.f("fk_hold_member_id_seq_entry")
        ),
        sa.PrimaryKeyConstraint("member_id", "hold_id", name=op.f("pk_hold")),
    )
    op.create_index(
        "ix_hold_open", "hold", ["member_id", "expires_at"], unique=False, postgresql_where=sa.text("status = 'open'")
    )
    op.create_table(
        "lot",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("expired", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reversed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repaid", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("clawed_back", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("funder", sa.UUID(), nullable=True),
        sa.Column("campaign_version_id", sa.UUID(), nullable=True),
        sa.Column("is_matured", sa.Boolean(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.String(), nullable=True),
        sa.CheckConstraint(
            "amount = remaining + held + spent + expired + reversed + repaid", name=op.f("ck_lot_complete")
        ),
        sa.CheckConstraint(
            "clawed_back >= 0 AND clawed_back <= held + spent + repaid", name=op.f("ck_lot_clawed_back")
        ),
        sa.CheckConstraint("is_open = (remaining + held > 0)", name=op.f("ck_lot_open")),
        sa.CheckConstraint(
            "remaining >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND reversed >= 0 AND repaid >= 0",
            name=op.f("ck_lot_parts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id", "lot_id"], ["entry.member_id", "entry.seq"], name=op.f("fk_lot_member_id_lot_id_entry")
        ),
        sa.PrimaryKeyConstraint("member_id", "lot_id", name=op.f("pk_lot")),
        postgresql_with={"fillfactor": 90},
    )
    op.create_index(
        "ix_lot_open", "lot", ["member_id", "expires_at", "lot_id"], unique=False, postgresql_where=sa.text("is_open")
    )
    op.create_index(
        "ix_lot_waiting",
        "lot",
        ["member_id", "available_at"],
        unique=False,
        postgresql_where=sa.text("is_open AND NOT is_matured"),
    )
    op.create_table(
        "lot_allocation",
        sa.Column("member_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_lot_allocation_amount_positive")),
        sa.ForeignKeyConstraint(
            ["member_id", "lot_id"],
            ["lot.member_id", "lot.lot_id"],
            name=op.f("fk_lot_allocation_member_id_lot_id_lot"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id", "seq"], ["entry.member_id", "entry.seq"], name=op.f("fk_lot_allocation_member_id_seq_entry")
        ),
        sa.PrimaryKeyConstraint("member_id", "seq", "lot_id", name=op.f("pk_lot_allocation")),
    )
    # what is a fact or a version is added and read, never changed
    for table in APPENDED:
        op.execute(f"GRANT SELECT, INSERT ON {table} TO greenpoints_app")
    for table in CHANGED:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO greenpoints_app")
    op.execute("INSERT INTO outbox_partition (partition) SELECT generate_series(0, 63)")


def downgrade() -> None:
    drop_jobs_schema(op.get_bind())
    op.drop_table("lot_allocation")
    op.drop_index("ix_lot_waiting", table_name="lot", postgresql_where=sa.text("is_open AND NOT is_matured"))
    op.drop_index("ix_lot_open", table_name="lot", postgresql_where=sa.text("is_open"))
    op.drop_table("lot")
    op.drop_index("ix_hold_open", table_name="hold", postgresql_where=sa.text("status = 'open'"))
    op.drop_table("hold")
    op.drop_table("entry")
    op.drop_index("ix_posting_reverses", table_name="posting", postgresql_where=sa.text("reverses IS NOT NULL"))
    op.drop_table("posting")
    op.drop_table("impact_entry")
    op.drop_table("expiry_warning")
    op.drop_index("ix_adjustment_proposed_by", table_name="adjustment")
    op.drop_index("ix_adjustment_open", table_name="adjustment", postgresql_where=sa.text("status = 'PROPOSED'"))
    op.drop_index("ix_adjustment_member_id", table_name="adjustment")
    op.drop_index("ix_adjustment_decided_by", table_name="adjustment")
    op.drop_table("adjustment")
    op.drop_table("activity")
    op.drop_table("account_snapshot")
    op.drop_table("pay_code")
    op.drop_index(op.f("ix_merchant_key_merchant_id"), table_name="merchant_key")
    op.drop_table("merchant_key")
    op.drop_index("ix_member_session_expires_at", table_name="member_session")
    op.drop_table("member_session")
    op.drop_index(op.f("ix_member_code_member_id"), table_name="member_code")
    op.drop_table("member_code")
    op.drop_index(op.f("ix_member_alias_member_id"), table_name="member_alias")
    op.drop_table("member_alias")
    op.drop_index(op.f("ix_member_address_member_id"), table_name="member_address")
    op.drop_table("member_address")
    op.drop_index(op.f("ix_customer_link_member_id"), table_name="customer_link")
    op.drop_table("customer_link")
    op.drop_table("claim")
    op.drop_table("campaign_version")
    op.drop_index("ix_audit_entry_staff_id", table_name="audit_entry")
    op.drop_index("ix_audit_entry_object", table_name="audit_entry")
    op.drop_table("audit_entry")
    op.drop_index("ix_activity_registry_activity_id", table_name="activity_registry")
    op.drop_table("activity_registry")
    op.drop_index("ix_account_due", table_name="account", postgresql_where=sa.text("next_due_at IS NOT NULL"))
    op.drop_table("account")
    op.drop_table("staff_account")
    op.drop_index("ix_sign_in_code_window_ends_at", table_name="sign_in_code")
    op.drop_table("sign_in_code")
    op.drop_table("programme_version")
    op.drop_table("parked_fact")
    op.drop_table("packaging_option")
    op.drop_table("outbox_partition")
    op.drop_index("ix_outbox_waiting", table_name="outbox", postgresql_where=sa.text("NOT is_applied"))
    op.drop_table("outbox")
    op.drop_table("merchant")
    op.drop_table("member_day")
    op.drop_table("member")
    op.drop_table("material")
    op.drop_table("ledger_verification")
    op.drop_table("impact_factor")
    op.drop_index(op.f("ix_idempotency_record_created_at"), table_name="idempotency_record")
    op.drop_table("idempotency_record")
    op.drop_table("hold_registry")
    op.drop_table("demo_window")
    op.drop_table("config_version")
    op.drop_table("certification")
    op.drop_table("campaign")
