"""The authorization server: clients, grants, consents, what waits for an answer, resources.

Revision: 0010, after 0009
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Go up."""
    _create_clients()
    _create_secrets()
    _create_grants()
    _create_consents()
    _create_requests()
    _create_devices()
    _create_spent_ids()
    _create_tokens()
    _create_resources()
    _create_initial_tokens()
    _create_client_rules()
    _create_organization_policies()


def _create_clients() -> None:
    op.create_table(
        "portico_oauth_clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.String(length=500), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("registered", DOCUMENT, nullable=False),
        sa.Column("policy", DOCUMENT, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("registration_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("document_fetched_at", MOMENT, nullable=True),
        sa.Column("document_good_until", MOMENT, nullable=True),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(organization_id IS NOT NULL) = (source = 'organization')",
            name=op.f("ck_portico_oauth_clients_organization"),
        ),
        _belongs("oauth_clients", "id", "portico_principals"),
        _belongs("oauth_clients", "organization_id", "portico_tenants"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_clients")),
        sa.UniqueConstraint("client_id", name=op.f("uq_portico_oauth_clients_client_id")),
    )
    op.create_index("ix_portico_oauth_clients_created_at", "portico_oauth_clients", ["created_at", "id"])
    op.create_index("ix_portico_oauth_clients_last_used_at", "portico_oauth_clients", ["last_used_at"])
    op.create_index(
        "ix_portico_oauth_clients_organization_id",
        "portico_oauth_clients",
        ["organization_id", "created_at", "id"],
    )


def _create_secrets() -> None:
    op.create_table(
        "portico_oauth_secrets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_key", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hint", sa.String(length=12), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        _belongs("oauth_secrets", "client_key", "portico_oauth_clients"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_secrets")),
    )
    op.create_index("ix_portico_oauth_secrets_client_key", "portico_oauth_secrets", ["client_key"])


def _create_grants() -> None:
    op.create_table(
        "portico_oauth_grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_key", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("is_offline", sa.Boolean(), nullable=False),
        sa.Column("scope", sa.String(length=2000), nullable=False),
        sa.Column("resources", DOCUMENT, nullable=False),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("context", DOCUMENT, nullable=False),
        sa.Column("jkt", sa.String(length=43), nullable=True),
        sa.Column("x5t", sa.String(length=43), nullable=True),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("code_expires_at", MOMENT, nullable=True),
        sa.Column("code_spent_at", MOMENT, nullable=True),
        sa.Column("redirect_uri", sa.String(length=2000), nullable=True),
        sa.Column("challenge", sa.String(length=43), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("ended_reason", sa.String(length=40), nullable=True),
        _belongs("oauth_grants", "organization_id", "portico_tenants"),
        _belongs("oauth_grants", "client_key", "portico_oauth_clients"),
        _belongs("oauth_grants", "user_id", "portico_users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_grants")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_portico_oauth_grants_code_hash")),
    )
    op.create_index(
        "ix_portico_oauth_grants_client_key", "portico_oauth_grants", ["client_key", "created_at"]
    )
    op.create_index("ix_portico_oauth_grants_code_expires_at", "portico_oauth_grants", ["code_expires_at"])
    op.create_index("ix_portico_oauth_grants_ended_at", "portico_oauth_grants", ["ended_at"])
    op.create_index("ix_portico_oauth_grants_organization_id", "portico_oauth_grants", ["organization_id"])
    op.create_index("ix_portico_oauth_grants_parent_id", "portico_oauth_grants", ["parent_id"])
    op.create_index("ix_portico_oauth_grants_session_id", "portico_oauth_grants", ["session_id"])
    op.create_index("ix_portico_oauth_grants_user_id", "portico_oauth_grants", ["user_id", "client_key"])


def _create_consents() -> None:
    op.create_table(
        "portico_oauth_consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("client_key", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("scope", sa.String(length=2000), nullable=False),
        sa.Column("resources", DOCUMENT, nullable=False),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        _belongs("oauth_consents", "organization_id", "portico_tenants"),
        _belongs("oauth_consents", "client_key", "portico_oauth_clients"),
        _belongs("oauth_consents", "user_id", "portico_users"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_consents")),
        sa.UniqueConstraint("user_id", "client_key", name=op.f("uq_portico_oauth_consents_user_id")),
    )
    op.create_index("ix_portico_oauth_consents_client_key", "portico_oauth_consents", ["client_key"])
    op.create_index(
        "ix_portico_oauth_consents_organization_id", "portico_oauth_consents", ["organization_id"]
    )


def _create_requests() -> None:
    op.create_table(
        "portico_oauth_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("client_key", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parameters", DOCUMENT, nullable=False),
        sa.Column("jkt", sa.String(length=43), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("spent_at", MOMENT, nullable=True),
        _belongs("oauth_requests", "client_key", "portico_oauth_clients"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_requests")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_portico_oauth_requests_secret_hash")),
    )
    op.create_index("ix_portico_oauth_requests_client_key", "portico_oauth_requests", ["client_key"])
    op.create_index("ix_portico_oauth_requests_expires_at", "portico_oauth_requests", ["expires_at"])


def _create_devices() -> None:
    op.create_table(
        "portico_oauth_devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_key", sa.Uuid(), nullable=False),
        sa.Column("device_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=2000), nullable=False),
        sa.Column("resources", DOCUMENT, nullable=False),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("jkt", sa.String(length=43), nullable=True),
        sa.Column("client_address", sa.String(length=64), nullable=True),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("polled_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        _belongs("oauth_devices", "client_key", "portico_oauth_clients"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_devices")),
        sa.UniqueConstraint("user_code_hash", name=op.f("uq_portico_oauth_devices_user_code_hash")),
        sa.UniqueConstraint("device_hash", name=op.f("uq_portico_oauth_devices_device_hash")),
    )
    op.create_index("ix_portico_oauth_devices_client_key", "portico_oauth_devices", ["client_key"])
    op.create_index("ix_portico_oauth_devices_expires_at", "portico_oauth_devices", ["expires_at"])


def _create_spent_ids() -> None:
    op.create_table(
        "portico_oauth_spent_ids",
        sa.Column("id_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_portico_oauth_spent_ids")),
    )
    op.create_index("ix_portico_oauth_spent_ids_expires_at", "portico_oauth_spent_ids", ["expires_at"])


def _create_tokens() -> None:
    op.create_table(
        "portico_oauth_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("grant_id", sa.Uuid(), nullable=True),
        sa.Column("client_key", sa.Uuid(), nullable=False),
        sa.Column("claims", DOCUMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        _belongs("oauth_tokens", "client_key", "portico_oauth_clients"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_portico_oauth_tokens_token_hash")),
    )
    op.create_index("ix_portico_oauth_tokens_client_key", "portico_oauth_tokens", ["client_key"])
    op.create_index("ix_portico_oauth_tokens_expires_at", "portico_oauth_tokens", ["expires_at"])
    op.create_index("ix_portico_oauth_tokens_grant_id", "portico_oauth_tokens", ["grant_id"])


def _create_resources() -> None:
    op.create_table(
        "portico_oauth_resources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identifier", sa.String(length=500), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("default_scope", sa.String(length=2000), nullable=False),
        sa.Column("token_format", sa.String(length=40), nullable=True),
        sa.Column("access_token_seconds", sa.Integer(), nullable=True),
        sa.Column("requires_dpop", sa.Boolean(), nullable=False),
        sa.Column("introspected_by", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_resources")),
        sa.UniqueConstraint("identifier", name=op.f("uq_portico_oauth_resources_identifier")),
    )


def _create_initial_tokens() -> None:
    op.create_table(
        "portico_oauth_initial_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_initial_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_portico_oauth_initial_tokens_token_hash")),
    )


def _create_client_rules() -> None:
    op.create_table(
        "portico_oauth_client_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("client_key", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        _belongs("oauth_client_rules", "organization_id", "portico_tenants"),
        _belongs("oauth_client_rules", "client_key", "portico_oauth_clients"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_oauth_client_rules")),
        sa.UniqueConstraint(
            "organization_id", "client_key", name=op.f("uq_portico_oauth_client_rules_organization_id")
        ),
    )
    op.create_index("ix_portico_oauth_client_rules_client_key", "portico_oauth_client_rules", ["client_key"])


def _create_organization_policies() -> None:
    op.create_table(
        "portico_oauth_organization_policies",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("default", sa.String(length=40), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        _belongs("oauth_organization_policies", "organization_id", "portico_tenants"),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_portico_oauth_organization_policies")),
    )


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_portico_{table}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    """Go down."""
    for table in (
        "portico_oauth_organization_policies",
        "portico_oauth_client_rules",
        "portico_oauth_initial_tokens",
        "portico_oauth_resources",
        "portico_oauth_tokens",
        "portico_oauth_spent_ids",
        "portico_oauth_devices",
        "portico_oauth_requests",
        "portico_oauth_consents",
        "portico_oauth_grants",
        "portico_oauth_secrets",
        "portico_oauth_clients",
    ):
        op.drop_table(table)
