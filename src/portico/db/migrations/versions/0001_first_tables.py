"""First tables.

Revision: 0001, after
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "portico_audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("on_behalf_of_id", sa.Uuid(), nullable=True),
        sa.Column("subject_type", sa.String(length=40), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("client_address", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.String(length=300), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("details", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_audit_entries")),
    )
    op.create_index(
        "ix_portico_audit_entries_action", "portico_audit_entries", ["action", "id"], unique=False
    )
    op.create_index(
        "ix_portico_audit_entries_actor", "portico_audit_entries", ["actor_id", "id"], unique=False
    )
    op.create_index(
        "ix_portico_audit_entries_subject", "portico_audit_entries", ["subject_id", "id"], unique=False
    )
    op.create_table(
        "portico_guess_counters",
        sa.Column("account", sa.LargeBinary(length=32), nullable=False),
        sa.Column("factor", sa.String(length=20), nullable=False),
        sa.Column("device", sa.String(length=60), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account", "factor", "device", name=op.f("pk_portico_guess_counters")),
    )
    op.create_index(
        op.f("ix_portico_guess_counters_last_failed_at"),
        "portico_guess_counters",
        ["last_failed_at"],
        unique=False,
    )
    op.create_table(
        "portico_idempotent_answers",
        sa.Column("id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("sealed_answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_idempotent_answers")),
    )
    op.create_index(
        op.f("ix_portico_idempotent_answers_expires_at"),
        "portico_idempotent_answers",
        ["expires_at"],
        unique=False,
    )
    op.create_table(
        "portico_mail_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("template", sa.String(length=60), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("sealed_content", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_mail_messages")),
        sa.UniqueConstraint("message_id", name=op.f("uq_portico_mail_messages_message_id")),
    )
    op.create_index(
        "ix_portico_mail_messages_due", "portico_mail_messages", ["status", "next_attempt_at"], unique=False
    )
    op.create_table(
        "portico_one_time_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("failed_codes", sa.Integer(), nullable=False),
        sa.Column("sealed_payload", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_one_time_tokens")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_portico_one_time_tokens_secret_hash")),
    )
    op.create_index(
        "ix_portico_one_time_tokens_address", "portico_one_time_tokens", ["purpose", "address"], unique=False
    )
    op.create_index(
        op.f("ix_portico_one_time_tokens_expires_at"), "portico_one_time_tokens", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("ix_portico_one_time_tokens_subject_id"), "portico_one_time_tokens", ["subject_id"], unique=False
    )
    op.create_table(
        "portico_principals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_principals")),
    )
    op.create_table(
        "portico_registration_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("role", sa.String(length=40), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_registration_tokens")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_portico_registration_tokens_secret_hash")),
    )
    op.create_table(
        "portico_revocations",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_portico_revocations")),
    )
    op.create_index(
        op.f("ix_portico_revocations_created_at"), "portico_revocations", ["created_at"], unique=False
    )
    op.create_table(
        "portico_signing_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("algorithm", sa.String(length=40), nullable=False),
        sa.Column("public_jwk", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signs_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signs_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verifies_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_portico_signing_keys")),
    )
    op.create_index(
        op.f("ix_portico_signing_keys_purpose"), "portico_signing_keys", ["purpose"], unique=False
    )
    op.create_table(
        "portico_token_families",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.Column("client_id", sa.String(length=200), nullable=False),
        sa.Column("scope", sa.String(length=2000), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("absolute_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_token_families")),
    )
    op.create_index(
        op.f("ix_portico_token_families_absolute_expires_at"),
        "portico_token_families",
        ["absolute_expires_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_portico_token_families_grant_id"), "portico_token_families", ["grant_id"], unique=False
    )
    op.create_index(
        op.f("ix_portico_token_families_session_id"), "portico_token_families", ["session_id"], unique=False
    )
    op.create_table(
        "portico_workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_workers")),
    )
    op.create_table(
        "portico_role_grants",
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"],
            ["portico_principals.id"],
            name=op.f("fk_portico_role_grants_principal_id_portico_principals"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("principal_id", "role", name=op.f("pk_portico_role_grants")),
    )
    op.create_table(
        "portico_users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=40), nullable=True),
        sa.Column("username_key", sa.String(length=80), nullable=True),
        sa.Column("full_name", sa.String(length=200), nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("purge_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["portico_principals.id"],
            name=op.f("fk_portico_users_id_portico_principals"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_users")),
    )
    op.create_index(
        "ix_portico_users_created_at_id_living",
        "portico_users",
        ["created_at", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(op.f("ix_portico_users_purge_after"), "portico_users", ["purge_after"], unique=False)
    op.create_index(
        "uq_portico_users_username_key_living",
        "portico_users",
        ["username_key"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "portico_email_addresses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("normal_form", sa.String(length=320), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["portico_users.id"],
            name=op.f("fk_portico_email_addresses_user_id_portico_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_email_addresses")),
    )
    op.create_index(
        op.f("ix_portico_email_addresses_user_id"), "portico_email_addresses", ["user_id"], unique=False
    )
    op.create_index(
        "uq_portico_email_addresses_normal_form_living",
        "portico_email_addresses",
        ["normal_form"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_table(
        "portico_password_credentials",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("password_hash", sa.String(length=300), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["portico_users.id"],
            name=op.f("fk_portico_password_credentials_user_id_portico_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_portico_password_credentials")),
    )
    op.create_table(
        "portico_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("device_name", sa.String(length=120), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("client_address", sa.String(length=64), nullable=True),
        sa.Column("place", sa.String(length=120), nullable=True),
        sa.Column("amr", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("aal", sa.Integer(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("absolute_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cookie_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("active_organization_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["portico_users.id"],
            name=op.f("fk_portico_sessions_user_id_portico_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_sessions")),
        sa.UniqueConstraint("cookie_hash", name=op.f("uq_portico_sessions_cookie_hash")),
    )
    op.create_index(
        op.f("ix_portico_sessions_absolute_expires_at"),
        "portico_sessions",
        ["absolute_expires_at"],
        unique=False,
    )
    op.create_index(
        "ix_portico_sessions_user_id_ended_at", "portico_sessions", ["user_id", "ended_at"], unique=False
    )


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_portico_sessions_user_id_ended_at", table_name="portico_sessions")
    op.drop_index(op.f("ix_portico_sessions_absolute_expires_at"), table_name="portico_sessions")
    op.drop_table("portico_sessions")
    op.drop_table("portico_password_credentials")
    op.drop_index(
        "uq_portico_email_addresses_normal_form_living",
        table_name="portico_email_addresses",
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.drop_index(op.f("ix_portico_email_addresses_user_id"), table_name="portico_email_addresses")
    op.drop_table("portico_email_addresses")
    op.drop_index(
        "uq_portico_users_username_key_living",
        table_name="portico_users",
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_index(op.f("ix_portico_users_purge_after"), table_name="portico_users")
    op.drop_index(
        "ix_portico_users_created_at_id_living",
        table_name="portico_users",
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_table("portico_users")
    op.drop_table("portico_role_grants")
    op.drop_table("portico_workers")
    op.drop_index(op.f("ix_portico_token_families_session_id"), table_name="portico_token_families")
    op.drop_index(op.f("ix_portico_token_families_grant_id"), table_name="portico_token_families")
    op.drop_index(op.f("ix_portico_token_families_absolute_expires_at"), table_name="portico_token_families")
    op.drop_table("portico_token_families")
    op.drop_index(op.f("ix_portico_signing_keys_purpose"), table_name="portico_signing_keys")
    op.drop_table("portico_signing_keys")
    op.drop_index(op.f("ix_portico_revocations_created_at"), table_name="portico_revocations")
    op.drop_table("portico_revocations")
    op.drop_table("portico_registration_tokens")
    op.drop_table("portico_principals")
    op.drop_index(op.f("ix_portico_one_time_tokens_subject_id"), table_name="portico_one_time_tokens")
    op.drop_index(op.f("ix_portico_one_time_tokens_expires_at"), table_name="portico_one_time_tokens")
    op.drop_index("ix_portico_one_time_tokens_address", table_name="portico_one_time_tokens")
    op.drop_table("portico_one_time_tokens")
    op.drop_index("ix_portico_mail_messages_due", table_name="portico_mail_messages")
    op.drop_table("portico_mail_messages")
    op.drop_index(op.f("ix_portico_idempotent_answers_expires_at"), table_name="portico_idempotent_answers")
    op.drop_table("portico_idempotent_answers")
    op.drop_index(op.f("ix_portico_guess_counters_last_failed_at"), table_name="portico_guess_counters")
    op.drop_table("portico_guess_counters")
    op.drop_index("ix_portico_audit_entries_subject", table_name="portico_audit_entries")
    op.drop_index("ix_portico_audit_entries_actor", table_name="portico_audit_entries")
    op.drop_index("ix_portico_audit_entries_action", table_name="portico_audit_entries")
    op.drop_table("portico_audit_entries")
