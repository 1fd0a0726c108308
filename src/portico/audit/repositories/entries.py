"""Writing entries, and forgetting what they know of a person."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, insert, or_, select, text

from portico.audit.models import AuditEntry, AuditPersonal
from portico.db.repositories import Repository

_ENTRIES = cast("Table", AuditEntry.__table__)
_PERSONAL = cast("Table", AuditPersonal.__table__)
_INSERT, _INSERT_PERSONAL = insert(_ENTRIES), insert(_PERSONAL)

# One trip for a whole act: `unnest` turns columns into rows, in order, so that `seq` rises as the act went.
_INSERT_BOTH = text("""
WITH personal AS (
    INSERT INTO portico_audit_personal (entry_id, salt, fields)
    SELECT * FROM unnest(CAST(:entry_id AS uuid[]), CAST(:salt AS bytea[]), CAST(:fields AS text[]))
)
INSERT INTO portico_audit_entries (
    id, organization_id, at, action, outcome, actor_id, on_behalf_of_id, subject_type, subject_id, session_id,
    credential_id, request_id, reason, details, changes, commitment, format, key_version, mac
)
SELECT * FROM unnest(
    CAST(:id AS uuid[]), CAST(:organization_id AS uuid[]), CAST(:at AS timestamptz[]), CAST(:action AS text[]),
    CAST(:outcome AS text[]), CAST(:actor_id AS uuid[]), CAST(:on_behalf_of_id AS uuid[]),
    CAST(:subject_type AS text[]), CAST(:subject_id AS uuid[]), CAST(:session_id AS uuid[]),
    CAST(:credential_id AS uuid[]), CAST(:request_id AS text[]), CAST(:reason AS text[]),
    CAST(:details AS text[]), CAST(:changes AS text[]), CAST(:commitment AS bytea[]), CAST(:format AS smallint[]),
    CAST(:key_version AS smallint[]), CAST(:mac AS bytea[])
)
""")
_COLUMNS = tuple(column.name for column in _ENTRIES.columns if column.name != "seq")
_PERSONAL_COLUMNS = tuple(column.name for column in _PERSONAL.columns)

type Row = Mapping[str, Any]


class EntryRepository(Repository[AuditEntry]):
    """The entries, which are only ever added, and their personal fields."""

    async def write(self, entries: Sequence[Row], personal: Sequence[Row]) -> None:
        """Add entries and what they know of persons; on PostgreSQL in one statement."""
        if self.session.get_bind().dialect.name == "postgresql":
            columns = _columns(_COLUMNS, entries) | _columns(_PERSONAL_COLUMNS, personal)
            await self.session.execute(_INSERT_BOTH, columns)
            return
        await self.session.execute(_INSERT, entries)
        if personal:
            await self.session.execute(_INSERT_PERSONAL, personal)

    async def forget_person(self, person_id: UUID) -> int:
        """Delete the personal fields of a person's entries; return of how many. The entries stay."""
        theirs = select(AuditEntry.id).where(
            or_(
                AuditEntry.actor_id == person_id,
                AuditEntry.subject_id == person_id,
                AuditEntry.on_behalf_of_id == person_id,
            )
        )
        gone = await self.session.execute(
            delete(AuditPersonal)
            .where(AuditPersonal.entry_id.in_(theirs))
            .returning(AuditPersonal.entry_id)
            .execution_options(synchronize_session=False)
        )
        return len(gone.all())


def _columns(names: Sequence[str], rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}
