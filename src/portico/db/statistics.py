"""What the planner knows of the tables."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def renew_statistics(session: AsyncSession) -> None:
    """Let PostgreSQL look at its tables now, after thousands of rows came at once.

    By itself it does so within a minute or two; until then it takes them for small, reads them whole and sorts. The
    tables of other roles are passed over. SQLite needs none of this.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("ANALYZE"))
