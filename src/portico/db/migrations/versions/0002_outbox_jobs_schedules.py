"""Outbox, jobs, schedules, leases; mail is sent by jobs.

Revision: 0002, after 0001
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MAIL = sa.table(
    "portico_mail_messages",
    sa.column("id", sa.Uuid()),
    sa.column("status", sa.String()),
    sa.column("attempts", sa.Integer()),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("next_attempt_at", sa.DateTime(timezone=True)),
)
JOBS = sa.table(
    "portico_jobs",
    sa.column("id", sa.Uuid()),
    sa.column("name", sa.String()),
    sa.column("queue", sa.String()),
    sa.column("arguments", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
    sa.column("priority", sa.SmallInteger()),
    sa.column("status", sa.String()),
    sa.column("run_at", sa.DateTime(timezone=True)),
    sa.column("attempts", sa.Integer()),
    sa.column("cancel_requested", sa.Boolean()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "portico_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=False),
        sa.Column("arguments", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("unique_key", sa.String(length=200), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.String(length=100), nullable=True),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_jobs")),
    )
    with op.batch_alter_table("portico_jobs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_portico_jobs_due",
            ["queue", "priority", "run_at"],
            unique=False,
            sqlite_where=sa.text("status = 'queued'"),
            postgresql_where=sa.text("status = 'queued'"),
        )
        batch_op.create_index(
            "ix_portico_jobs_ended",
            ["status", "finished_at"],
            unique=False,
            sqlite_where=sa.text("status IN ('done', 'dead', 'cancelled')"),
            postgresql_where=sa.text("status IN ('done', 'dead', 'cancelled')"),
        )
        batch_op.create_index(
            "ix_portico_jobs_running",
            ["claimed_until"],
            unique=False,
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )
        batch_op.create_index(
            "uq_portico_jobs_unique_key",
            ["unique_key"],
            unique=True,
            sqlite_where=sa.text("status = 'queued' AND unique_key IS NOT NULL"),
            postgresql_where=sa.text("status = 'queued' AND unique_key IS NOT NULL"),
        )

    op.create_table(
        "portico_leases",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_portico_leases")),
    )
    op.create_table(
        "portico_outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.String(length=500), nullable=True),
        sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publish_attempts", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_outbox")),
    )
    with op.batch_alter_table("portico_outbox", schema=None) as batch_op:
        batch_op.create_index(
            "ix_portico_outbox_unpublished",
            ["publish_at"],
            unique=False,
            sqlite_where=sa.text("publish_at IS NOT NULL"),
            postgresql_where=sa.text("publish_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_portico_outbox_waiting",
            ["id"],
            unique=False,
            sqlite_where=sa.text("dispatched_at IS NULL"),
            postgresql_where=sa.text("dispatched_at IS NULL"),
        )

    op.create_table(
        "portico_schedules",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_portico_schedules")),
    )
    _write_jobs_of_waiting_mail()
    with op.batch_alter_table("portico_mail_messages", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_portico_mail_messages_due"))
        batch_op.create_index("ix_portico_mail_messages_status", ["status", "created_at"], unique=False)
        batch_op.drop_column("next_attempt_at")
        batch_op.drop_column("last_error")
        batch_op.drop_column("claimed_until")
        batch_op.drop_column("attempts")


def downgrade() -> None:
    """Go down."""
    with op.batch_alter_table("portico_mail_messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("attempts", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("last_error", sa.String(length=300), nullable=True))
        batch_op.add_column(sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.drop_index("ix_portico_mail_messages_status")
    _make_waiting_mail_due()
    with op.batch_alter_table("portico_mail_messages", schema=None) as batch_op:
        batch_op.alter_column("attempts", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("next_attempt_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.create_index(
            batch_op.f("ix_portico_mail_messages_due"), ["status", "next_attempt_at"], unique=False
        )

    op.drop_table("portico_schedules")
    with op.batch_alter_table("portico_outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_portico_outbox_waiting",
            sqlite_where=sa.text("dispatched_at IS NULL"),
            postgresql_where=sa.text("dispatched_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_portico_outbox_unpublished",
            sqlite_where=sa.text("publish_at IS NOT NULL"),
            postgresql_where=sa.text("publish_at IS NOT NULL"),
        )

    op.drop_table("portico_outbox")
    op.drop_table("portico_leases")
    with op.batch_alter_table("portico_jobs", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_portico_jobs_unique_key",
            sqlite_where=sa.text("status = 'queued' AND unique_key IS NOT NULL"),
            postgresql_where=sa.text("status = 'queued' AND unique_key IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_portico_jobs_running",
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )
        batch_op.drop_index(
            "ix_portico_jobs_due",
            sqlite_where=sa.text("status = 'queued'"),
            postgresql_where=sa.text("status = 'queued'"),
        )
        batch_op.drop_index(
            "ix_portico_jobs_ended",
            sqlite_where=sa.text("status IN ('done', 'dead', 'cancelled')"),
            postgresql_where=sa.text("status IN ('done', 'dead', 'cancelled')"),
        )

    op.drop_table("portico_jobs")


def _write_jobs_of_waiting_mail() -> None:
    """Give each message that waits the job that sends it; until now the messages were a queue themselves."""
    connection = op.get_bind()
    waiting = connection.execute(
        sa.select(MAIL.c.id, MAIL.c.next_attempt_at, MAIL.c.created_at).where(MAIL.c.status == "queued")
    )
    rows = [
        {
            "id": row.id,
            "name": "mail.send",
            "queue": "mail",
            "arguments": {"mail_id": str(row.id)},
            "priority": 0,
            "status": "queued",
            "run_at": row.next_attempt_at,
            "attempts": 0,
            "cancel_requested": False,
            "created_at": row.created_at,
        }
        for row in waiting
    ]
    if rows:
        connection.execute(sa.insert(JOBS), rows)


def _make_waiting_mail_due() -> None:
    """Let the messages be a queue again: what waits is due."""
    op.get_bind().execute(sa.update(MAIL).values(attempts=0, next_attempt_at=MAIL.c.created_at))
