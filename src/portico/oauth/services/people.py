"""What clients may read of a person."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from portico.core.ids import PrincipalId, UserId
from portico.oauth.protocol.oidc_claims import PersonFacts, claims_of
from portico.runtime import Runtime
from portico.users.services import Users
from portico.users.types import Account


async def person_claims(runtime: Runtime, user_id: UUID, wanted: Collection[str]) -> dict[str, Any] | None:
    """Return those of the claims that have a value; None if the person is gone or switched off.

    Nothing is read where nothing is wanted.
    """
    account = await Users(runtime, runtime.unit()).find_user(UserId(PrincipalId(user_id)))
    if account is None or not account.is_active:
        return None
    return claims_of(facts_of(account), wanted)


def facts_of(account: Account) -> PersonFacts:
    """Return a person as OpenID Connect speaks of him (OpenID Connect Core 1.0, section 5.1)."""
    given, _, family = (account.full_name or "").rpartition(" ")
    return PersonFacts(
        name=account.full_name or account.username,
        given_name=given or None,
        family_name=family if given else None,
        preferred_username=account.username,
        zoneinfo=account.timezone,
        locale=account.locale,
        updated_at=account.updated_at,
        email=account.email,
        email_verified=account.email_verified,
    )
