"""Following the trail: what rules, sinks and other features above read, in the order in which it was chained."""

from portico.audit.repositories.reading import ChainReader
from portico.audit.types import ChainedEntry
from portico.db.unit import DatabaseSession


async def read_links(session: DatabaseSession, after: int, limit: int) -> list[ChainedEntry]:
    """Return up to `limit` entries behind the link `after`, over all streams.

    Links are numbered without holes and become visible in the order of their numbers, so whoever keeps the last
    number that he has read misses nothing.
    """
    return await ChainReader(session).list_links_after(after, limit)
