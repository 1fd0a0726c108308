"""Clients at our own API: what an access token of theirs is worth there.

A token for `{public_url}/api/v1` lets its client do what its scopes name, with the rights of the person who let it in,
in the organization that it was let into; of a client's own token, with the rights of the client. Nothing that only the
person himself may do is among it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portico.core.ids import OrganizationId, PrincipalId
from portico.http.authentication import CredentialKind, Principal, PrincipalKind, Rejection
from portico.keys.errors import TokenRejected
from portico.keys.types import TokenFault
from portico.oauth.repositories import GrantRepository, GrantState
from portico.oauth.services.clients import Client, ClientBook
from portico.oauth.services.once import REVOKED, was_spent
from portico.runtime import Runtime
from portico.sessions.services.believed import Belief

REJECTED = Rejection("token_rejected", "The access token is not valid")


@dataclass(frozen=True, slots=True)
class _Holder:
    """For whom a client acts: a person by a grant, or itself."""

    principal_id: UUID
    kind: PrincipalKind
    organization_id: UUID | None
    roles: frozenset[str] = frozenset()
    grant_id: UUID | None = None
    actor_id: UUID | None = None
    """Who acts on his behalf, where the token was exchanged."""


class ApiCallers:
    """Fills the port of sessions: believes access tokens of clients."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def believe(self, claims: Mapping[str, Any]) -> Belief:
        """Return whom a verified bearer token for our API stands for.

        Raises:
            TokenRejected: it was revoked, its grant, client or person is no longer good, or it is bound to a key and
                must not be shown without (RFC 9449, section 7.2) (401).
        """
        if "cnf" in claims:
            raise TokenRejected(TokenFault.CLAIMS)
        return await self.believe_bound(claims)

    async def believe_bound(self, claims: Mapping[str, Any]) -> Belief:
        """Return the same for a token whose key was shown, or that is bound to none.

        Raises:
            TokenRejected: as `believe`, but for the key.
        """
        client = await self._runtime.get(ClientBook).find_known(claims["client_id"])
        if client is None or client.is_off:
            raise TokenRejected(TokenFault.CLAIMS)
        holder = replace(
            await self._holder(client, claims), actor_id=await self._actor_of(client, claims.get("act"))
        )
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        return Belief(
            principal=_principal(holder, claims),
            session_id=None,
            good_until=expires_at,
            never_after=expires_at,
            more_subjects=_subjects(client, holder, claims["jti"]),
        )

    async def read_again(self, principal: Principal) -> Principal | Rejection:
        """Return the caller with the roles that he has now, for routes that trust no memory."""
        if principal.credential_id is None:
            client = await self._runtime.get(ClientBook).find_by_key(principal.id)
            return principal if client is not None and not client.is_off else REJECTED
        async with self._runtime.reads() as session:
            state = await GrantRepository(session).find_state(principal.credential_id)
        if state is None or not state.is_good:
            return REJECTED
        return replace(principal, roles=state.roles)

    async def _holder(self, client: Client, claims: Mapping[str, Any]) -> _Holder:
        grant_id = claims.get("grant_id")
        state: GrantState | None = None
        async with self._runtime.reads() as session:
            if await was_spent(session, REVOKED, client.client_id, claims["jti"]):
                raise TokenRejected(TokenFault.CLAIMS)
            if grant_id is not None:
                state = await GrantRepository(session).find_state(UUID(grant_id))
        if grant_id is None:
            return _Holder(client.key, PrincipalKind.CLIENT, client.organization_id)
        if state is None or not state.is_good:
            raise TokenRejected(TokenFault.CLAIMS)
        if state.user_id is None:
            return _Holder(client.key, PrincipalKind.CLIENT, state.organization_id, grant_id=UUID(grant_id))
        return _Holder(state.user_id, PrincipalKind.USER, state.organization_id, state.roles, UUID(grant_id))

    async def _actor_of(self, client: Client, act: Mapping[str, Any] | None) -> UUID | None:
        """Return the current actor (RFC 8693, section 4.1): a person whose token was shown for it, else the client.

        A client that is known no more, or a person whom it knows by another name, is the client that has the token.
        """
        if act is None:
            return None
        named, subject = act.get("client_id"), act.get("sub")
        if subject != named and (person_id := _as_id(subject)) is not None:
            return person_id
        actor = await self._runtime.get(ClientBook).find_known(named) if isinstance(named, str) else None
        return actor.key if actor is not None else client.key


def _principal(holder: _Holder, claims: Mapping[str, Any]) -> Principal:
    auth_time = claims.get("auth_time")
    return Principal(
        id=PrincipalId(holder.principal_id),
        kind=holder.kind,
        credential=CredentialKind.OAUTH,
        auth_time=datetime.fromtimestamp(auth_time, UTC) if auth_time is not None else None,
        amr=tuple(claims.get("amr", ())),
        aal=_level(claims.get("acr")),
        roles=holder.roles,
        scopes=frozenset(str(claims.get("scope", "")).split()),
        organization_id=OrganizationId(holder.organization_id) if holder.organization_id else None,
        actor_id=PrincipalId(holder.actor_id) if holder.actor_id is not None else None,
        credential_id=holder.grant_id,
        client_id=claims["client_id"],
    )


def _as_id(subject: object) -> UUID | None:
    try:
        return UUID(subject) if isinstance(subject, str) else None
    except ValueError:
        return None


def _level(acr: object) -> int:
    return int(acr[3:]) if isinstance(acr, str) and acr[:3] == "aal" and acr[3:] in {"1", "2", "3"} else 1


def _subjects(client: Client, holder: _Holder, jti: str) -> tuple[str, ...]:
    subjects = [f"client:{client.key}", f"token:{jti}"]
    if holder.grant_id is not None:
        subjects.append(f"grant:{holder.grant_id}")
    if holder.organization_id is not None:
        subjects.append(f"tenant:{holder.organization_id}")
    return tuple(subjects)
