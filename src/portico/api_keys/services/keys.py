"""What people do with keys: make, see, change, rotate, revoke. Each act is on the trail; the text of a key is nowhere.

Making and rotating give somebody a text, and so are measured alike by what he holds at that moment.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from portico.access.services.tenants import Tenants
from portico.api_keys.errors import ApiKeyInvalid, ApiKeyOver, ApiKeyRotated, TooManyApiKeys
from portico.api_keys.events import ApiKeyCreated, ApiKeyRotated as Rotated
from portico.api_keys.models import ApiKey
from portico.api_keys.repositories import KeyRepository, ServiceAccountRepository
from portico.api_keys.schemas import ApiKeyResponse
from portico.api_keys.services.ending import KeyEnding
from portico.api_keys.services.notices import tell_of_new_key
from portico.api_keys.services.scopes import (
    end_of,
    next_reminder,
    readable_networks,
    readable_scopes,
    require_held,
    require_standing,
)
from portico.api_keys.settings import LONGEST_OVERLAP, ApiKeysSettings
from portico.api_keys.types import (
    KEY_FORMAT,
    SHOWN_LENGTH,
    ApiKeyText,
    Belonging,
    IssuedKey,
    KeyChanges,
    KeyEnd,
    KeyFilter,
    KeyKind,
    NewKey,
)
from portico.audit.services import record
from portico.coordination.revocations import RevocationLog
from portico.core.crypto import digest
from portico.core.ids import OrganizationId, PrincipalId, UserId, new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.http.pagination import Cursors, Page, PageQuery
from portico.messaging import EventBus
from portico.runtime import Runtime
from portico.users.errors import UserNotFound
from portico.users.services import Users

type VersionCheck = Callable[[int], None]
"""Raises where `If-Match` names another version than the present one."""

SUBJECT = "api_key"


class ApiKeys:
    """Makes, lists, changes, rotates and revokes keys."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def list_keys(
        self, belonging: Belonging, query: PageQuery, wanted: KeyFilter, *, route: str
    ) -> Page[ApiKeyResponse]:
        """Return one page of those keys, never their texts.

        Raises:
            CursorInvalid: the cursor is of another list (400).
        """
        now = self._runtime.clock.now()
        async with self._runtime.reads() as session:
            found = await KeyRepository(session).list_keys(
                belonging, query, Cursors.of(self._runtime), wanted=wanted, now=now, route=route
            )
        return found.to_page(lambda row: ApiKeyResponse.of(row, now))

    async def list_all(self, belonging: Belonging) -> Sequence[ApiKey]:
        """Return all of those keys, the newest first; for pages, where there are few."""
        async with self._runtime.reads() as session:
            return await KeyRepository(session).list_all(belonging)

    async def get_key(self, key_id: UUID, belonging: Belonging) -> ApiKey:
        """Return one of those keys.

        Raises:
            ApiKeyNotFound: there is none (404).
        """
        async with self._runtime.reads() as session:
            return await KeyRepository(session).get_key(key_id, belonging)

    async def create_own(self, new: NewKey, *, actor: Principal) -> IssuedKey:
        """Make a key that acts for the person who asks; he gets a mail.

        Raises:
            ApiKeyInvalid: scopes, networks or end (422).
            OrganizationNotFound (404), and what its rules of signing in refuse (403).
            RightsNotHeld: a scope that he does not hold (403).
            TooManyApiKeys: he has as many as the limit allows (409).
        """
        return await self.create_for_person(UserId(actor.id), new, actor=actor)

    async def create_for_person(self, user_id: UserId, new: NewKey, *, actor: Principal | None) -> IssuedKey:
        """Make a key that acts for a person. Without an `actor` nobody is measured: the operator's own act.

        Raises:
            UserNotFound: there is no such living person (404); else as `create_own`.
        """
        return await self._create(new, KeyKind.PERSONAL, user_id, actor)

    async def create_for_organization(self, new: NewKey, *, actor: Principal | None) -> IssuedKey:
        """Make a key that acts for the organization, or for one of its service accounts.

        Without an `actor` nobody is measured: the operator's own act.

        Raises:
            ServiceAccountNotFound: none of this organization's (404).
            ApiKeyInvalid (422), RightsNotHeld (403), TooManyApiKeys (409): as `create_own`.
        """
        if new.organization_id is None:
            raise ApiKeyInvalid("Name the organization.", field="organization_id")
        kind = KeyKind.SERVICE_ACCOUNT if new.service_account_id else KeyKind.ORGANIZATION
        holder = PrincipalId(new.service_account_id or new.organization_id)
        return await self._create(new, kind, holder, actor)

    async def _create(
        self, new: NewKey, kind: KeyKind, holder_id: PrincipalId, actor: Principal | None
    ) -> IssuedKey:
        runtime, unit, where = self._runtime, self._unit, new.organization_id
        scopes = readable_scopes(
            runtime,
            new.scopes,
            in_organization=where is not None,
            beyond=kind is KeyKind.PERSONAL,
        )
        networks, expires_at = readable_networks(new.networks), end_of(runtime, new.expires_at)
        if where is not None and actor is not None:
            await require_standing(runtime, actor, where)
        async with unit:
            await self._lock(where, kind, holder_id)
            if actor is not None:
                await require_held(runtime, unit, actor, scopes, where)
            await self._refuse_too_many(holder_id)
            row, text = self._new_row(
                kind=kind,
                principal_id=holder_id,
                organization_id=where,
                name=new.name,
                scopes=list(scopes),
                networks=networks,
                rate_limit_per_minute=new.rate_limit_per_minute,
                quota_per_day=new.quota_per_day,
                expires_at=expires_at,
                created_by=actor.id if actor else None,
            )
            await self._announce_new(row, actor)
        return IssuedKey(id=row.id, text=text, expires_at=expires_at)

    async def change_key(
        self,
        key_id: UUID,
        belonging: Belonging,
        changes: KeyChanges,
        *,
        check_version: VersionCheck,
        actor: Principal,
    ) -> ApiKey:
        """Change name, networks or limits; scopes and end are those of its making for ever.

        Raises:
            ApiKeyNotFound (404), ApiKeyOver (409), PreconditionFailed (412), ApiKeyInvalid (422).
        """
        values = dict(changes.values)
        if "networks" in values:
            values["networks"] = readable_networks(values["networks"])
        async with self._unit:
            row = await self._locked(key_id, belonging)
            check_version(row.version)
            self._refuse_over(row)
            before = {name: getattr(row, name) for name in values}
            changed = {name: (before[name], values[name]) for name in values if before[name] != values[name]}
            for name, (_, value) in changed.items():
                setattr(row, name, value)
            if changed:
                row.updated_at = self._runtime.clock.now()
                await KeyRepository(self._unit.session).flush()
                await self._forget(row.id)
                self._record("api_key.updated", row, actor, changes=changed)
        return row

    async def rotate_key(
        self,
        key_id: UUID,
        belonging: Belonging,
        *,
        actor: Principal,
        overlap: timedelta | None = None,
    ) -> IssuedKey:
        """Put a new key in the place of an old one, which stays good until the overlap ends.

        The new one has the same scopes and limits, and is good for as long as the old one was made for.

        Raises:
            ApiKeyNotFound (404), ApiKeyOver, ApiKeyRotated (409).
            ApiKeyInvalid: an overlap of more than 7 days (422).
            RightsNotHeld: it has a scope that the actor does not hold (403).
        """
        overlap = self._runtime.section(ApiKeysSettings).overlap if overlap is None else overlap
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise ApiKeyInvalid("The overlap is at most 7 days.", field="overlap_hours")
        seen = await self.get_key(key_id, belonging)
        where = OrganizationId(seen.organization_id) if seen.organization_id else None
        if where is not None:
            await require_standing(self._runtime, actor, where)
        if seen.principal_id is None:
            raise ApiKeyOver  # a honeytoken is nobody's to rotate
        async with self._unit:
            await self._lock(where, seen.kind, PrincipalId(seen.principal_id))
            old = await self._locked(key_id, belonging)
            self._refuse_over(old)
            if old.replaced_by is not None:
                raise ApiKeyRotated
            await require_held(self._runtime, self._unit, actor, old.scopes, where)
            return await self._replaced(old, overlap, actor)

    async def revoke_key(self, key_id: UUID, belonging: Belonging, *, actor: Principal | None) -> None:
        """End a key; it is refused on every node when this is answered. Twice is as good as once.

        Raises:
            ApiKeyNotFound: there is none (404).
        """
        async with self._unit:
            await self._locked(key_id, belonging)
            await KeyEnding(self._runtime, self._unit).end(reason=KeyEnd.REVOKED, key_id=key_id, actor=actor)

    async def _replaced(self, old: ApiKey, overlap: timedelta, actor: Principal) -> IssuedKey:
        runtime, now = self._runtime, self._runtime.clock.now()
        if old.expires_at is None:
            raise ApiKeyOver  # as above
        settings = runtime.section(ApiKeysSettings)
        row, text = self._new_row(
            kind=old.kind,
            principal_id=old.principal_id,
            organization_id=old.organization_id,
            name=old.name,
            scopes=list(old.scopes),
            networks=list(old.networks),
            rate_limit_per_minute=old.rate_limit_per_minute,
            quota_per_day=old.quota_per_day,
            expires_at=now + min(old.expires_at - old.created_at, settings.max_age),
            created_by=actor.id,
        )
        old.replaced_by, old.updated_at = row.id, now
        old.overlap_until = min(now + overlap, old.expires_at)
        await KeyRepository(self._unit.session).flush()
        await self._forget(old.id)
        changes = {"overlap_until": (None, old.overlap_until.isoformat())}
        self._record("api_key.rotated", old, actor, changes=changes, details={"new_key": str(row.id)})
        event = Rotated(
            at=now,
            key_id=old.id,
            new_key_id=row.id,
            organization_id=old.organization_id,
            overlap_until=old.overlap_until,
        )
        await runtime.get(EventBus).emit(event, self._unit)
        await self._announce_new(row, actor)
        return IssuedKey(id=row.id, text=text, expires_at=row.expires_at)

    def _new_row(self, *, expires_at: datetime, **facts: Any) -> tuple[ApiKey, ApiKeyText]:
        text, now = ApiKeyText(KEY_FORMAT.make(self._runtime.entropy)), self._runtime.clock.now()
        row = ApiKey(
            id=new_id(),
            secret_hash=digest(text),
            shown_prefix=text[:SHOWN_LENGTH],
            expires_at=expires_at,
            remind_at=next_reminder(self._runtime, expires_at, now),
            use_count=0,
            used_today=0,
            created_at=now,
            updated_at=now,
            **facts,
        )
        KeyRepository(self._unit.session).add(row)
        return row, text

    async def _announce_new(self, row: ApiKey, actor: Principal | None) -> None:
        runtime, unit = self._runtime, self._unit
        await KeyRepository(unit.session).flush()
        facts = {"kind": row.kind.value, "scopes": list(row.scopes), "holder": str(row.principal_id)}
        self._record("api_key.created", row, actor, details=facts)
        event = ApiKeyCreated(
            at=row.created_at,
            key_id=row.id,
            kind=row.kind,
            principal_id=row.principal_id,
            organization_id=row.organization_id,
            created_by=row.created_by,
        )
        await runtime.get(EventBus).emit(event, unit)
        await tell_of_new_key(runtime, unit, row)

    async def _lock(self, where: OrganizationId | None, kind: KeyKind, holder_id: PrincipalId) -> None:
        """Lock in the order that all keep: tenant, person. A holder who is not there is not found."""
        if where is not None:
            await Tenants(self._runtime, self._unit).lock(where)
        if kind is KeyKind.PERSONAL:
            person = await Users(self._runtime, self._unit).get_user(UserId(holder_id))
            if not person.is_active:  # switched off since the request was let in; his keys have just ended
                raise UserNotFound
        elif kind is KeyKind.SERVICE_ACCOUNT and where is not None:
            accounts = ServiceAccountRepository(self._unit.session)
            await accounts.get_account(where, holder_id, lock=True)

    async def _refuse_too_many(self, holder_id: PrincipalId) -> None:
        now = self._runtime.clock.now()
        living = await KeyRepository(self._unit.session).count_living(holder_id, now)
        if living >= self._runtime.section(ApiKeysSettings).max_keys:
            raise TooManyApiKeys

    async def _locked(self, key_id: UUID, belonging: Belonging) -> ApiKey:
        return await KeyRepository(self._unit.session).get_key(key_id, belonging, lock=True)

    def _refuse_over(self, row: ApiKey) -> None:
        now = self._runtime.clock.now()
        ends = [end for end in (row.expires_at, row.overlap_until) if end is not None]
        if row.revoked_at is not None or any(end <= now for end in ends):
            raise ApiKeyOver

    async def _forget(self, key_id: UUID) -> None:
        await self._runtime.get(RevocationLog).append(self._unit, [f"api_key:{key_id}"])

    def _record(
        self,
        action: str,
        row: ApiKey,
        actor: Principal | None,
        *,
        details: dict[str, Any] | None = None,
        changes: dict[str, tuple[Any, Any]] | None = None,
    ) -> None:
        record(
            self._runtime,
            self._unit,
            action,
            actor=actor,
            subject=(SUBJECT, row.id),
            organization_id=row.organization_id,
            details=details,
            changes=changes,
        )
