"""Alerts.

Revision: 0009, after 0008
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    _create_alerts()
    op.create_table(
        "portico_alert_counters",
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("group_key", sa.String(length=64), nullable=False),
        sa.Column("marks", DOCUMENT, nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=True),
        sa.Column("alert_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rule", "group_key", name=op.f("pk_portico_alert_counters")),
    )
    op.create_index(op.f("ix_portico_alert_counters_expires_at"), "portico_alert_counters", ["expires_at"])
    op.create_table(
        "portico_alert_mailboxes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("audience", sa.String(length=40), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("alert_ids", DOCUMENT, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "audience", name=op.f("pk_portico_alert_mailboxes")),
    )
    op.create_index(op.f("ix_portico_alert_mailboxes_due_at"), "portico_alert_mailboxes", ["due_at"])
    op.create_index(op.f("ix_portico_alert_mailboxes_mailed_at"), "portico_alert_mailboxes", ["mailed_at"])
    op.create_table(
        "portico_alert_follower",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("heard_from", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_alert_follower")),
    )
    # What is on the trail by now was there before there were alerts: nobody is told of it years later.
    op.execute(
        sa.text(
            "INSERT INTO portico_alert_follower (id, position, heard_from)"
            " SELECT 1, 0, max(at) FROM portico_audit_entries"
        )
    )


def _create_alerts() -> None:
    op.create_table(
        "portico_alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("severity", sa.String(length=40), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("subject_type", sa.String(length=40), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("group_key", sa.String(length=64), nullable=False),
        sa.Column("first_entry_id", sa.Uuid(), nullable=False),
        sa.Column("last_entry_id", sa.Uuid(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("acknowledged_by", sa.Uuid(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Uuid(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_alerts")),
    )
    op.create_index("ix_portico_alerts_raised_at", "portico_alerts", ["raised_at", "id"])
    op.create_index(
        "ix_portico_alerts_organization", "portico_alerts", ["organization_id", "raised_at", "id"]
    )
    op.create_index("ix_portico_alerts_subject", "portico_alerts", ["subject_id", "raised_at", "id"])
    op.create_index("ix_portico_alerts_status", "portico_alerts", ["status", "raised_at", "id"])
    op.create_index("ix_portico_alerts_last_at", "portico_alerts", ["last_at"])


def downgrade() -> None:
    """Go down."""
    for table in ("alert_follower", "alert_mailboxes", "alert_counters", "alerts"):
        op.drop_table(f"portico_{table}")
