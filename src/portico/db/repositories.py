"""The base of repositories: a session, and the few verbs that every table needs."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from portico.db.base import Base


class Repository[M: Base]:
    """Every SQL statement of a feature lives in a subclass; it never commits."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    def add(self, row: M) -> M:
        """Put a new row into the transaction; written at the next flush."""
        self.session.add(row)
        return row

    def add_all(self, rows: Iterable[M]) -> None:
        """Put several new rows into the transaction."""
        self.session.add_all(rows)

    async def flush(self) -> None:
        """Write what is pending, so that a constraint speaks now."""
        await self.session.flush()

    async def remove(self, row: M) -> None:
        """Delete a row."""
        await self.session.delete(row)
