"""The trail as a chain.

Revision: 0005, after 0004
"""

import hashlib
import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from portico.core.entropy import SystemEntropy

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BATCH = 1_000
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INDEXES = {
    "at": ["at", "seq"],
    "organization": ["organization_id", "at", "seq"],
    "subject": ["subject_id", "at", "seq"],
    "actor": ["actor_id", "at", "seq"],
    "action": ["action", "at", "seq"],
    "request": ["request_id"],
}
OLD_INDEXES = {"subject": ["subject_id", "id"], "actor": ["actor_id", "id"], "action": ["action", "id"]}
KEPT = "id, at, action, outcome, actor_id, on_behalf_of_id, subject_type, subject_id, session_id, request_id, reason"


def upgrade() -> None:
    """Give entries numbers, move what is personal into a table of its own, make room for the chain."""
    _put_aside(OLD_INDEXES)
    op.create_table(
        "portico_audit_entries",
        sa.Column("seq", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        *_kept_columns(),
        sa.Column("credential_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=True),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("key_version", sa.SmallInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_portico_audit_entries")),
        sa.UniqueConstraint("id", name=op.f("uq_portico_audit_entries_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "portico_audit_personal",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_portico_audit_personal")),
    )
    _make_chain()
    connection = op.get_bind()
    _copy_entries(connection)
    op.drop_table("portico_audit_entries_before")
    for name, columns in INDEXES.items():
        op.create_index(f"ix_portico_audit_entries_{name}", "portico_audit_entries", columns)


def downgrade() -> None:
    """Put the personal fields back where they were; the chain is gone, and entries of organizations mix in."""
    for name in INDEXES:
        op.drop_index(f"ix_portico_audit_entries_{name}", table_name="portico_audit_entries")
    _put_aside({})
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX uq_portico_audit_entries_id RENAME TO uq_portico_audit_entries_before_id")
    op.create_table(
        "portico_audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        *_kept_columns(),
        sa.Column("client_address", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.String(length=300), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_audit_entries")),
    )
    op.execute(_back("portico_audit_entries_before"))
    op.drop_table("portico_audit_entries_before")
    for name, columns in OLD_INDEXES.items():
        op.create_index(f"ix_portico_audit_entries_{name}", "portico_audit_entries", columns)
    for table in ("sinks", "sequencer", "checkpoints", "heads", "links", "personal"):
        op.drop_table(f"portico_audit_{table}")


def _kept_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("on_behalf_of_id", sa.Uuid(), nullable=True),
        sa.Column("subject_type", sa.String(length=40), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
    ]


def _put_aside(indexes: dict[str, list[str]]) -> None:
    """Rename the table, and on PostgreSQL what is named after it, so that its successor may have the names."""
    for name in indexes:
        op.drop_index(f"ix_portico_audit_entries_{name}", table_name="portico_audit_entries")
    op.rename_table("portico_audit_entries", "portico_audit_entries_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_portico_audit_entries RENAME TO pk_portico_audit_entries_before")


def _make_chain() -> None:
    op.create_table(
        "portico_audit_links",
        sa.Column("seq", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("stream", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_portico_audit_links")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_portico_audit_links_entry_id")),
    )
    op.create_index(
        "uq_portico_audit_links_stream", "portico_audit_links", ["stream", "position"], unique=True
    )
    op.create_table(
        "portico_audit_heads",
        sa.Column("stream", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoints", sa.BigInteger(), nullable=False),
        sa.Column("signed_position", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_portico_audit_heads")),
    )
    op.create_index("ix_portico_audit_heads_due_at", "portico_audit_heads", ["due_at"])
    op.create_table(
        "portico_audit_checkpoints",
        sa.Column("stream", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "number", name=op.f("pk_portico_audit_checkpoints")),
    )
    op.create_table(
        "portico_audit_sequencer",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("links", sa.BigInteger(), nullable=False),
        sa.Column("unsigned_until", sa.BigInteger(), nullable=False),
        sa.Column("gaps", sa.Text(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portico_audit_sequencer")),
    )
    op.create_table(
        "portico_audit_sinks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_portico_audit_sinks")),
    )


def _copy_entries(connection: sa.Connection) -> None:
    """Copy in batches, in the order of ids, which is that of time; each gets a commitment to what is personal."""
    columns = [*KEPT.split(", "), "client_address", "user_agent"]
    before = sa.table(
        "portico_audit_entries_before", sa.column("id", sa.Uuid()), sa.column("at", sa.DateTime(timezone=True)),
        *(sa.column(name) for name in columns if name not in {"id", "at"}), sa.column("details"),
    )  # fmt: skip
    entries = sa.table(
        "portico_audit_entries", sa.column("id", sa.Uuid()), sa.column("at", sa.DateTime(timezone=True)),
        *(sa.column(name) for name in KEPT.split(", ") if name not in {"id", "at"}),
        *(sa.column(name) for name in ("details", "format", "key_version")),
        sa.column("commitment", sa.LargeBinary()),
    )  # fmt: skip
    personal = sa.table(
        "portico_audit_personal", sa.column("entry_id", sa.Uuid()),
        sa.column("salt", sa.LargeBinary()), sa.column("fields"),
    )  # fmt: skip
    details = sa.cast(before.c.details, sa.Text()).label("details")
    query = sa.select(*(before.c[name] for name in columns), details).order_by(before.c.id).limit(BATCH)
    rows = connection.execute(query).mappings().all()
    while rows:
        known = [(row, _personal(row)) for row in rows]
        connection.execute(
            sa.insert(entries),
            [
                {name: row[name] for name in KEPT.split(", ")}
                | {
                    "details": row["details"],
                    "format": 0,
                    "key_version": 0,
                    "commitment": fields and fields["commitment"],
                }
                for row, fields in known
            ],
        )
        if held := [fields for _, fields in known if fields]:
            connection.execute(
                sa.insert(personal),
                [{name: fields[name] for name in ("entry_id", "salt", "fields")} for fields in held],
            )
        rows = connection.execute(query.where(before.c.id > rows[-1]["id"])).mappings().all()


def _personal(row: sa.RowMapping) -> dict[str, object] | None:
    given = {name: row[name] for name in ("client_address", "user_agent") if row[name] is not None}
    if not given:
        return None
    fields, salt = json.dumps(given, separators=(",", ":"), sort_keys=True), SystemEntropy().bytes(16)
    return {
        "entry_id": row["id"],
        "salt": salt,
        "fields": fields,
        "commitment": hashlib.sha256(salt + fields.encode()).digest(),
    }


def _back(before: str) -> str:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    read = "CAST(p.fields AS jsonb) ->> '{}'" if is_postgres else "json_extract(p.fields, '$.{}')"
    details = "CAST(e.details AS jsonb)" if is_postgres else "e.details"
    kept = ", ".join(f"e.{name}" for name in KEPT.split(", "))
    return (
        f"INSERT INTO portico_audit_entries ({KEPT}, client_address, user_agent, details)"  # noqa: S608 - names above
        f" SELECT {kept}, {read.format('client_address')}, {read.format('user_agent')}, {details}"
        f" FROM {before} AS e LEFT JOIN portico_audit_personal AS p ON p.entry_id = e.id"
    )
