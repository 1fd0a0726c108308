"""Grants: what a client may do, for whom, until when. Whatever ends one ends every token that came of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.coordination.revocations import RevocationLog
from portico.core import failpoints
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.messaging import EventBus
from portico.oauth.events import GrantGiven, GrantsEnded
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.repositories import FoundGrant, GrantRepository
from portico.oauth.services.clients import Client
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import CODES, GrantEnd, GrantId, GrantType, SenderKey
from portico.runtime import Runtime
from portico.tokens.services import TokenFamilies
from portico.tokens.types import RefreshToken

ASKED_OF_A_PERSON = frozenset({GrantType.AUTHORIZATION_CODE, GrantType.DEVICE_CODE})
"""Given by somebody at a browser, whom the trail names; the others a client takes by what it holds."""
MAX_GENERATIONS = 5
"""How often a token may be exchanged on from one grant to the next."""

FAPI_CODE_LIFETIME = timedelta(seconds=60)
"""FAPI 2.0 Security Profile, section 5.3.2.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """What is granted. `context` is what ID tokens and userinfo repeat: nonce, auth_time, acr, amr, claims, act."""

    client: Client
    kind: GrantType
    scope: str
    user_id: UUID | None = None
    organization_id: UUID | None = None
    session_id: UUID | None = None
    parent_id: UUID | None = None
    is_offline: bool = False
    resources: Sequence[str] = ()
    details: Sequence[dict[str, Any]] = ()
    context: dict[str, Any] = field(default_factory=dict)
    sender: SenderKey = field(default_factory=SenderKey)
    redirect_uri: str | None = None
    challenge: str | None = None
    expires_at: datetime | None = None


class Grants:
    """Makes and ends grants."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def hold_person(self, user_id: UUID, session_id: UUID | None = None) -> datetime | None:
        """Keep a person and his session as they are until the commit, after his organization and before all else.

        Whoever switches him off or signs him out waits, and ends what is given now; or he was first. Return when the
        session is over at the latest.

        Raises:
            Refused: access_denied.
        """
        grants, end = GrantRepository(self._unit.session), None
        is_there = await grants.hold_person(user_id)
        if is_there and session_id is not None:
            end = await grants.hold_session(session_id)
            is_there = end is not None
        if not is_there:
            raise Refused(ErrorCode.ACCESS_DENIED, "the person is not signed in any more")
        return end

    async def give(self, new: NewGrant, *, code: str | None = None) -> GrantId:
        """Write a grant, with its authorization code if one is to fetch it; on the trail; `GrantGiven` leaves.

        Where a person stands behind it and no other grant, the caller has called `hold_person`.
        """
        now = self._runtime.clock.now()
        grant_id = GrantId(new_id())
        async with self._unit:
            if failpoints.armed:
                await failpoints.reach("oauth.grant.before_write")
            await GrantRepository(self._unit.session).add_grant(
                **_row(new, grant_id, now), **self._code_columns(new.client, code, now)
            )
            self._record_given(new, grant_id)
            event = GrantGiven(
                at=now,
                grant_id=grant_id,
                client_key=new.client.key,
                kind=new.kind,
                scope=new.scope,
                user_id=new.user_id,
                organization_id=new.organization_id,
            )
            await self._runtime.get(EventBus).emit(event, self._unit)
        return grant_id

    async def start_refreshing(
        self, client: Client, grant: FoundGrant | NewGrant, grant_id: UUID
    ) -> RefreshToken:
        """Begin the grant's line of refresh tokens."""
        idle, absolute = refresh_lifetimes(self._runtime, client)
        return await TokenFamilies(self._runtime, self._unit).start(
            idle=idle,
            absolute=absolute,
            grant_id=grant_id,
            client_id=str(client.key),
            scope=grant.scope,
        )

    async def end(
        self, grant_ids: Collection[UUID], reason: GrantEnd, *, actor: Principal | None = None
    ) -> list[UUID]:
        """End grants and what came of them; refused on every node once that is committed. Return which ended now.

        Their refresh tokens end with them; access tokens are refused by us at once, and by whoever asks us.
        """
        if not grant_ids:
            return []
        now = self._runtime.clock.now()
        async with self._unit:
            ended = await self._end_all(grant_ids, reason, now)
            if not ended:
                return []
            await TokenFamilies(self._runtime, self._unit).revoke_grants(grant_ids=ended)
            await self._runtime.get(RevocationLog).append(self._unit, [f"grant:{each}" for each in ended])
            for each in ended:
                record(
                    self._runtime,
                    self._unit,
                    "oauth.grant.ended",
                    actor=actor,
                    subject=("oauth_grant", each),
                    reason=reason.value,
                )
            event = GrantsEnded(at=now, grant_ids=tuple(ended), reason=reason)
            await self._runtime.get(EventBus).emit(event, self._unit)
        return ended

    async def end_of_person(
        self,
        user_id: UUID,
        reason: GrantEnd,
        *,
        client_key: UUID | None = None,
        actor: Principal | None = None,
    ) -> list[UUID]:
        """End a person's grants, to one client or to all."""
        async with self._unit:
            grants = GrantRepository(self._unit.session)
            await grants.lock_person(user_id)
            found = await grants.list_of_person(user_id, client_key)
            return await self.end(found, reason, actor=actor)

    async def end_of_client(
        self, client_key: UUID, reason: GrantEnd, *, actor: Principal | None = None
    ) -> list[UUID]:
        """End everything that was granted to a client."""
        async with self._unit:
            found = await GrantRepository(self._unit.session).list_of_client(client_key)
            return await self.end(found, reason, actor=actor)

    async def end_of_sessions(self, session_ids: Collection[UUID], reason: GrantEnd) -> list[UUID]:
        """End the grants that were given in these sessions without `offline_access`."""
        async with self._unit:
            found = await GrantRepository(self._unit.session).list_of_sessions(session_ids)
            return await self.end(found, reason)

    async def end_outlived(self, limit: int) -> list[UUID]:
        """End up to `limit` grants that were good for as long as somebody can stay signed in, and no longer."""
        async with self._unit:
            now = self._runtime.clock.now()
            found = await GrantRepository(self._unit.session).list_outlived(now, limit)
            return await self.end(found, GrantEnd.SESSION_EXPIRED)

    async def end_in_organization(self, organization_id: UUID, user_id: UUID, reason: GrantEnd) -> list[UUID]:
        """End what acts for a person in an organization."""
        async with self._unit:
            found = await GrantRepository(self._unit.session).list_in_organization(organization_id, user_id)
            return await self.end(found, reason)

    async def _end_all(self, grant_ids: Collection[UUID], reason: GrantEnd, now: datetime) -> list[UUID]:
        grants = GrantRepository(self._unit.session)
        ended = await grants.end(grant_ids, reason, now)
        last = ended
        for _ in range(MAX_GENERATIONS):
            children = await grants.list_children(last) if last else []
            if not children:
                break
            last = await grants.end(children, reason, now)
            ended = [*ended, *last]
        return ended

    def _code_columns(self, client: Client, code: str | None, now: datetime) -> dict[str, Any]:
        if code is None:
            return {"code_hash": None, "code_expires_at": None, "code_spent_at": None}
        lifetime = self._runtime.section(OAuthSettings).code_lifetime
        if client.is_fapi:
            lifetime = min(lifetime, FAPI_CODE_LIFETIME)
        return {
            "code_hash": CODES.hash_of(code),
            "code_expires_at": now + lifetime,
            "code_spent_at": None,
        }

    def _record_given(self, new: NewGrant, grant_id: UUID) -> None:
        record(
            self._runtime,
            self._unit,
            "oauth.grant.given",
            outcome=Outcome.SUCCESS,
            actor=new.user_id if new.kind in ASKED_OF_A_PERSON else None,
            subject=("oauth_grant", grant_id),
            session_id=new.session_id,
            organization_id=new.organization_id,
            details={"client_id": new.client.client_id, "kind": new.kind.value, "scope": new.scope},
        )


def refresh_lifetimes(runtime: Runtime, client: Client) -> tuple[timedelta, timedelta]:
    """Return how long a client's refresh tokens are good that nobody uses, and how long their line at most."""
    settings, policy = runtime.section(OAuthSettings), client.policy
    idle = settings.refresh_idle
    if policy.refresh_idle_seconds is not None:
        idle = timedelta(seconds=policy.refresh_idle_seconds)
    absolute = settings.refresh_absolute
    if policy.refresh_absolute_seconds is not None:
        absolute = timedelta(seconds=policy.refresh_absolute_seconds)
    return idle, absolute


def _row(new: NewGrant, grant_id: UUID, now: datetime) -> dict[str, Any]:
    return {
        "id": grant_id,
        "client_key": new.client.key,
        "user_id": new.user_id,
        "organization_id": new.organization_id,
        "session_id": new.session_id,
        "parent_id": new.parent_id,
        "kind": new.kind,
        "is_offline": new.is_offline,
        "scope": new.scope,
        "resources": list(new.resources),
        "details": list(new.details),
        "context": new.context,
        "jkt": new.sender.jkt,
        "x5t": new.sender.x5t,
        "redirect_uri": new.redirect_uri,
        "challenge": new.challenge,
        "created_at": now,
        "last_used_at": None,
        "expires_at": new.expires_at,
        "ended_at": None,
        "ended_reason": None,
    }
