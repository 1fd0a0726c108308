"""Consents: what a person has allowed a client, and when he must be asked again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.oauth.models import OAuthConsent
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
    """The client asks that the person be asked (`prompt=consent`, `prompt=select_account`)."""


class Consents:
    """Remembers what people allowed."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def find_given(self, user_id: UUID, client: Client) -> OAuthConsent | None:
        """Return what a person has allowed a client until now, whether or not it still holds."""
        if self._unit.is_open:
            return await ConsentRepository(self._unit.session).find(user_id, client.key)
        async with self._runtime.reads() as session:
            return await ConsentRepository(session).find(user_id, client.key)

    async def give(
        self, principal: Principal, wish: ConsentWish, organization_id: UUID | None = None
    ) -> None:
        """Write down what the person allows, besides what he allowed before the same client in the same place."""
        async with self._unit:
            row = await ConsentRepository(self._unit.session).take(
                principal.id, wish.client.key, self._runtime.clock.now()
            )
            is_same = row.fingerprint == wish.client.fingerprint and row.organization_id == organization_id
            row.scope = " ".join(_union(row.scope.split() if is_same else (), wish.scopes))
            row.resources = _union(row.resources if is_same else (), wish.resources)
            row.details = list(wish.details)
            row.fingerprint, row.organization_id = wish.client.fingerprint, organization_id
            row.updated_at = self._runtime.clock.now()
            record(
                self._runtime,
                self._unit,
                "oauth.consent.given",
                actor=principal,
                subject=("oauth_client", wish.client.key),
                organization_id=organization_id,
                details={"client_id": wish.client.client_id, "scope": " ".join(wish.scopes)},
            )


def is_needed(wish: ConsentWish, given: OAuthConsent | None) -> bool:
    """Tell whether the person must be asked; `given` is what he allowed until now.

    Anybody can pretend to be a public client that is answered on the person's own machine or by a private scheme, so
    that what was allowed to it once is allowed to nobody for sure (RFC 9700, section 4.13; OAuth 2.1, section 7.3.1;
    row 1.22).
    """
    if wish.is_forced or (wish.client.is_public and not is_claimed(wish.redirect_uri)):
        return True
    if wish.client.policy.is_trusted:
        return False
    if given is None or given.fingerprint != wish.client.fingerprint:
        return True
    return not (
        set(wish.scopes) <= set(given.scope.split())
        and set(wish.resources) <= set(given.resources)
        and covers(tuple(given.details), wish.details)
    )


def _union(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
