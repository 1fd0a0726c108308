"""Clients known by the document at their own URL: fetched, written down, believed for a while (draft 02).

The database row is the cache of all nodes; the memory of a process (`ClientBook`) lies over it. Requests that ask for
the same document while it is being fetched wait for the one fetch. Nothing that went wrong is remembered; while the
server of a document that was good is away, the document stays good for at most a day after it was fetched.
"""

import asyncio
from datetime import datetime

import structlog

from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.db.unit import Unit
from portico.messaging import EventBus
from portico.oauth.errors import OAuthRefusal
from portico.oauth.events import ClientChanged
from portico.oauth.models import OAuthClient
from portico.oauth.protocol.client_id_metadata import (
    LONGEST,
    MAX_DOCUMENT,
    SHORTEST,
    believed_for,
    check_document_url,
    fingerprint,
    read_document,
)
from portico.oauth.protocol.json_objects import NotJson, read_json_object
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_registration import ClientMetadata, as_document, metadata_of
from portico.oauth.repositories import ClientTaken, RegistrationRepository
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.fetching import Fetched, NotFetched, fetch_json
from portico.oauth.services.names import without_our_name
from portico.oauth.services.registering import changed_members, check_sector
from portico.oauth.services.registration_policies import policy_of_documents
from portico.oauth.services.unused_clients import make_room
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import ClientSource
from portico.runtime import Runtime

MAX_UNDER_WAY = 32
"""How many documents a process fetches at once; strangers choose where they lie and how slowly they come."""

log = structlog.get_logger("portico.oauth")


class ClientDocuments:
    """Fetches documents and writes what they say; one a process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def fetch(self, client_id: str) -> None:
        """See to it that the row of this client is as its document is now, or was a short while ago.

        Raises:
            OAuthRefusal: there is no such document, it is not good, its host is not let in (401), or too many others
                are being fetched (503).
        """
        task = self._under_way.get(client_id)
        if task is None:
            if len(self._under_way) >= MAX_UNDER_WAY:
                raise OAuthRefusal(
                    ErrorCode.TEMPORARILY_UNAVAILABLE, "too many clients are being looked up", status=503
                )
            task = self._under_way[client_id] = asyncio.create_task(self._refresh(client_id))
            task.add_done_callback(lambda done: self._ended(client_id, done))
        await asyncio.shield(task)

    def _ended(self, client_id: str, task: asyncio.Task[None]) -> None:
        del self._under_way[client_id]
        if not task.cancelled():
            task.exception()  # seen, also when nobody waits any more

    async def _refresh(self, client_id: str) -> None:
        try:
            host = check_document_url(client_id, allows_loopback=self._allows_loopback).host
            self._check_host(host)
        except Refused as refused:
            raise OAuthRefusal.of(refused) from None
        known = await self._find(client_id)
        now = self._runtime.clock.now()
        if known is not None and known.document_good_until is not None and now < known.document_good_until:
            return  # another node was quicker
        try:
            fetched = await fetch_json(self._runtime, client_id, most=MAX_DOCUMENT)
        except NotFetched as error:
            await self._without_answer(client_id, known, error)
            return
        try:
            metadata = await self._read(client_id, fetched)
        except (Refused, NotJson) as error:
            raise _refused(client_id, str(error)) from None
        await self._write(client_id, metadata, now + believed_for(fetched.headers))

    async def _without_answer(self, client_id: str, known: OAuthClient | None, error: NotFetched) -> None:
        """Go on with the document that we have where nothing was said against it (RFC 9111, section 4.2.4)."""
        now = self._runtime.clock.now()
        fetched_at = known.document_fetched_at if known is not None else None
        if known is None or fetched_at is None or not error.may_pass or now >= fetched_at + LONGEST:
            raise _refused(client_id, error.reason)
        log.info("client_document_not_fetched", client_id=client_id, why=error.reason)
        async with self._runtime.unit() as unit:
            await RegistrationRepository(unit.session).believe_longer(known.id, None, now + SHORTEST)

    async def _read(self, client_id: str, fetched: Fetched) -> ClientMetadata:
        document = read_json_object(fetched.body, most=MAX_DOCUMENT)
        metadata = read_document(client_id, document, await policy_of_documents(self._runtime))
        if metadata.sector_identifier_uri is not None:
            await check_sector(self._runtime, metadata.sector_identifier_uri, metadata)
        return without_our_name(self._runtime, metadata)

    async def _write(self, client_id: str, metadata: ClientMetadata, until: datetime) -> None:
        async with self._runtime.unit() as unit:
            row = await RegistrationRepository(unit.session).find_row(client_id, lock=True)
            if row is not None:
                await self._update(unit, row, metadata, until)
                return
        try:
            await self._insert(client_id, metadata, until)
        except ClientTaken:
            log.debug("client_document_written_elsewhere", client_id=client_id)

    async def _insert(self, client_id: str, metadata: ClientMetadata, until: datetime) -> None:
        async with self._runtime.unit() as unit:
            await make_room(self._runtime, unit, ClientSource.DOCUMENT)
            await ClientRegistry(self._runtime, unit).register_client(
                metadata,
                ClientSource.DOCUMENT,
                client_id=client_id,
                columns={
                    "document_fetched_at": self._runtime.clock.now(),
                    "document_good_until": until,
                },
            )

    async def _update(self, unit: Unit, row: OAuthClient, metadata: ClientMetadata, until: datetime) -> None:
        """Write what the document says now; whoever remembers it hears of it only if it says something else."""
        now = self._runtime.clock.now()
        changed = changed_members(metadata_of(row.registered), metadata)
        if not changed:
            await RegistrationRepository(unit.session).believe_longer(row.id, now, until)
            return
        row.registered, row.name = as_document(metadata), metadata.client_name
        row.fingerprint = fingerprint(row.client_id, metadata)
        row.document_fetched_at, row.document_good_until, row.updated_at = now, until, now
        await self._runtime.get(RevocationLog).append(unit, [f"client:{row.id}"])
        record(
            self._runtime,
            unit,
            "oauth.client.changed",
            subject=("oauth_client", row.id),
            details={"client_id": row.client_id, "source": row.source.value, "members": list(changed)},
        )
        event = ClientChanged(at=now, client_key=row.id, client_id=row.client_id, changed=changed)
        await self._runtime.get(EventBus).emit(event, unit)

    async def _find(self, client_id: str) -> OAuthClient | None:
        async with self._runtime.reads() as session:
            return await RegistrationRepository(session).find_row(client_id)

    def _check_host(self, host: str) -> None:
        """Row 8.9: hosts that the operator names, with their subdomains; what is denied stays denied.

        Raises:
            Refused: invalid_client.
        """
        settings = self._runtime.section(OAuthSettings)
        is_let_in = not settings.document_hosts or _is_under(host, settings.document_hosts)
        if not is_let_in or _is_under(host, settings.denied_document_hosts):
            raise Refused(ErrorCode.INVALID_CLIENT, "clients of this host are not let in")

    @property
    def _allows_loopback(self) -> bool:
        return self._runtime.settings.outbound.allow_loopback


def _is_under(host: str, names: tuple[str, ...]) -> bool:
    return any(host == name.lower() or host.endswith("." + name.lower()) for name in names)


def _refused(client_id: str, why: str) -> OAuthRefusal:
    """What is wrong goes to the log: a stranger does not learn what of our inside can be reached."""
    return OAuthRefusal(
        ErrorCode.INVALID_CLIENT, "the metadata document of the client is not good", log=f"{client_id}: {why}"
    )
