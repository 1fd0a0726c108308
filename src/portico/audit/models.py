"""The trail's tables. What is append-only is never changed by the application: see `portico.db.privileges`.

`actor_id`, `subject_id` and the rest are plain ids without foreign keys: the trail outlives what it speaks of.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Dialect, Index, Integer, LargeBinary, SmallInteger, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from portico.audit.canonical import document_of, encode_document
from portico.audit.types import CheckpointKind, Outcome
from portico.db.base import NamedTable
from portico.db.columns import BigId, EnumText, UtcDateTime
from portico.db.privileges import APPEND_ONLY


class Document(TypeDecorator[Mapping[str, Any]]):
    """A JSON document kept as the text that was authenticated; `JSONB` would write it anew."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | str | None, dialect: Dialect) -> str | None:
        """Write a document; a text is one already."""
        return value if value is None or isinstance(value, str) else encode_document(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Mapping[str, Any] | None:
        """Read it."""
        return document_of(value)


class AuditEntry(NamedTable):
    """Who did what to what, with which outcome; written once, in the transaction of the act, under a MAC.

    `seq` is counted by the database, so that a missing number tells. Where the act came from and what else is
    personal stands in `AuditPersonal`; `commitment` covers it.
    """

    table = "audit_entries"
    __table_args__ = (
        Index("ix_portico_audit_entries_at", "at", "seq"),
        Index("ix_portico_audit_entries_organization", "organization_id", "at", "seq"),
        Index("ix_portico_audit_entries_subject", "subject_id", "at", "seq"),
        Index("ix_portico_audit_entries_actor", "actor_id", "at", "seq"),
        Index("ix_portico_audit_entries_action", "action", "at", "seq"),
        Index("ix_portico_audit_entries_request", "request_id"),
        {"info": {APPEND_ONLY: True}, "sqlite_autoincrement": True},
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    id: Mapped[UUID] = mapped_column(Uuid, unique=True)
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    action: Mapped[str] = mapped_column(String(80))
    outcome: Mapped[Outcome] = mapped_column(EnumText(Outcome))
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    on_behalf_of_id: Mapped[UUID | None] = mapped_column(Uuid)
    subject_type: Mapped[str | None] = mapped_column(String(40))
    subject_id: Mapped[UUID | None] = mapped_column(Uuid)
    session_id: Mapped[UUID | None] = mapped_column(Uuid)
    credential_id: Mapped[UUID | None] = mapped_column(Uuid)
    request_id: Mapped[str | None] = mapped_column(String(128))
    reason: Mapped[str | None] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(Document)
    changes: Mapped[dict[str, Any] | None] = mapped_column(Document)
    commitment: Mapped[bytes | None] = mapped_column(LargeBinary)
    format: Mapped[int] = mapped_column(SmallInteger)
    key_version: Mapped[int] = mapped_column(SmallInteger)
    mac: Mapped[bytes | None] = mapped_column(LargeBinary)


class AuditPersonal(NamedTable):
    """What an entry knows of a person: deleted with him, which the chain survives."""

    table = "audit_personal"

    entry_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    fields: Mapped[dict[str, Any]] = mapped_column(Document)


class AuditLink(NamedTable):
    """The place of an entry: `seq` over all streams, `position` in its own, both without holes."""

    table = "audit_links"
    __table_args__ = (
        Index("uq_portico_audit_links_stream", "stream", "position", unique=True),
        {"info": {APPEND_ONLY: True}},
    )

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    stream: Mapped[UUID] = mapped_column(Uuid)
    position: Mapped[int] = mapped_column(BigInteger)
    entry_id: Mapped[UUID] = mapped_column(Uuid, unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditLetGo(NamedTable):
    """The digest of an entry whose time was over, signed: the chain goes on across it. See `portico.audit.keeping`."""

    table = "audit_let_go"
    __table_args__ = ({"info": {APPEND_ONLY: True}},)

    link: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    leaf: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class AuditHead(NamedTable):
    """The end of a stream, under a MAC."""

    table = "audit_heads"

    stream: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    checkpoints: Mapped[int] = mapped_column(BigInteger)
    signed_position: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    mac: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpoint(NamedTable):
    """A signed place of a stream, see `portico.audit.checkpoints`."""

    table = "audit_checkpoints"
    __table_args__ = ({"info": {APPEND_ONLY: True}},)

    stream: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[CheckpointKind] = mapped_column(EnumText(CheckpointKind))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[bytes] = mapped_column(LargeBinary)


class AuditSequencer(NamedTable):
    """How far the chain has come, in one row, under a MAC."""

    table = "audit_sequencer"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    watermark: Mapped[int] = mapped_column(BigInteger)
    links: Mapped[int] = mapped_column(BigInteger)
    unsigned_until: Mapped[int] = mapped_column(BigInteger)
    gaps: Mapped[str] = mapped_column(Text)
    mac: Mapped[bytes] = mapped_column(LargeBinary)


class AuditSink(NamedTable):
    """How far a sink has been told the trail, by the number of the last link, and how it is doing."""

    table = "audit_sinks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    shipped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(Integer)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(300))
