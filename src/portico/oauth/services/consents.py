"""Consents: what a person has allowed a client, and when he must be asked again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.oauth.protocol.redirect_uris import is_claimed
from portico.oauth.protocol.rfc9396_authorization_details import covers
from portico.oauth.repositories import ConsentRepository
from portico.oauth.services.clients import Client
from portico.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWish:
    """What a client wants to be allowed."""

    client: Client
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    details: tuple[dict[str, Any], ...]
    redirect_uri: str
    is_forced: bool = False
    """The client asks that the person be asked (`prompt=consent`)."""


class Consents:
    """Remembers what people allowed."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def is_needed(self, user_id: UUID, wish: ConsentWish) -> bool:
        """Tell whether the person must be asked.

        Anybody can pretend to be a public client that is answered on the person's own machine or by a private
        scheme, so that what was allowed to it once is allowed to nobody for sure (RFC 9700, section 4.13; OAuth 2.1,
        section 7.3.1; row 1.22).
        """
        if wish.is_forced or (wish.client.is_public and not is_claimed(wish.redirect_uri)):
            return True
        if wish.client.policy.is_trusted:
            return False
        async with self._runtime.reads() as session:
            given = await ConsentRepository(session).find(user_id, wish.client.key)
        if given is None or given.fingerprint != wish.client.fingerprint:
            return True
        return not (
            set(wish.scopes) <= set(given.scope.split())
            and set(wish.resources) <= set(given.resources)
            and covers(tuple(given.details), wish.details)
        )

    async def give(self, principal: Principal, wish: ConsentWish) -> None:
        """Write down what the person allows, besides what he allowed before, as long as the client is the same."""
        async with self._unit:
            consents = ConsentRepository(self._unit.session)
            before = await consents.find(principal.id, wish.client.key)
            is_same = before is not None and before.fingerprint == wish.client.fingerprint
            scopes = before.scope.split() if before is not None and is_same else []
            resources = before.resources if before is not None and is_same else []
            await consents.save(
                principal.id,
                wish.client.key,
                self._runtime.clock.now(),
                scope=" ".join(_union(scopes, wish.scopes)),
                resources=_union(resources, wish.resources),
                details=list(wish.details),
                fingerprint=wish.client.fingerprint,
            )
            record(
                self._runtime,
                self._unit,
                "oauth.consent.given",
                actor=principal,
                subject=("oauth_client", wish.client.key),
                details={"client_id": wish.client.client_id, "scope": " ".join(wish.scopes)},
            )


def _union(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
