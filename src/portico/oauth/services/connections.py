"""The applications that a person has connected: what each may do, since when, and how to be rid of one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from portico.audit.services import record
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.oauth.errors import GrantNotFound
from portico.oauth.protocol.rfc7591_registration import ClientMetadata, metadata_of
from portico.oauth.repositories import ConnectionRepository, ConsentRepository, FoundConnection
from portico.oauth.services.grants import Grants
from portico.oauth.types import ClientSource, GrantEnd
from portico.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One client that a person has connected. Scopes and resources are those of all that he allowed it together."""

    client_key: UUID
    client_id: str
    source: ClientSource
    metadata: ClientMetadata
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    organizations: dict[UUID, str] = field(default_factory=dict)
    """Where it works, by id; it may work in his own name only besides."""
    connected_at: datetime
    last_used_at: datetime | None


class Connections:
    """Shows and ends connections."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_connections(self, user_id: UUID) -> Sequence[Connection]:
        """Return the person's connections, the last connected first."""
        now = self._runtime.clock.now()
        async with self._runtime.reads() as session:
            connections = ConnectionRepository(session)
            found = [
                *await connections.list_of_person(user_id, now),
                *await connections.list_allowed(user_id),
            ]
        by_client: dict[UUID, list[FoundConnection]] = {}
        for each in found:
            by_client.setdefault(each.client_key, []).append(each)
        together = [_together(rows) for rows in by_client.values()]
        return sorted(together, key=lambda each: (each.connected_at, each.client_key), reverse=True)

    async def disconnect(self, user_id: UUID, client_key: UUID, *, actor: Principal) -> None:
        """End all that a client may do for a person, and forget what he allowed it: it has to ask again.

        Its tokens are refused on every node when this is answered. On the trail, once for each grant besides.

        Raises:
            GrantNotFound: the person has not connected it (404).
        """
        async with self._unit:
            ended = await Grants(self._runtime, self._unit).end_of_person(
                user_id, GrantEnd.REVOKED_BY_PERSON, client_key=client_key, actor=actor
            )
            forgotten = await ConsentRepository(self._unit.session).delete_of(user_id, client_key)
            if not ended and not forgotten:
                raise GrantNotFound
            record(
                self._runtime,
                self._unit,
                "oauth.consent.withdrawn",
                actor=actor,
                subject=("oauth_client", client_key),
                details={"grants": len(ended)},
            )


def _together(rows: Sequence[FoundConnection]) -> Connection:
    first = rows[0]
    used = [row.last_used_at for row in rows if row.last_used_at is not None]
    return Connection(
        client_key=first.client_key,
        client_id=first.client_id,
        source=first.source,
        metadata=metadata_of(first.registered),
        scopes=_each_once(scope for row in rows for scope in row.scope.split()),
        resources=_each_once(resource for row in rows for resource in row.resources),
        organizations={
            row.organization_id: row.organization_name or "" for row in rows if row.organization_id
        },
        connected_at=min(row.since for row in rows),
        last_used_at=max(used, default=None),
    )


def _each_once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
