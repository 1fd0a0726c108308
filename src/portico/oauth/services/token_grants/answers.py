"""What the token endpoint answers, and what every grant type does to get there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.oidc_claims import ClaimsRequest, ClaimWish, id_token_claims_wanted
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8707_resource_indicators import narrow_resources
from portico.oauth.protocol.rfc9396_authorization_details import narrow_details, read_details
from portico.oauth.protocol.scopes import narrow_scope, read_scope
from portico.oauth.repositories import FoundGrant, GrantRepository
from portico.oauth.services.access_tokens import AccessTokenMint, MintedToken, TokenFacts
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.grants import Grants
from portico.oauth.services.id_tokens import IdTokens
from portico.oauth.services.people import person_claims
from portico.oauth.services.resources import IDENTITY_SCOPES, Resource, ResourceBook
from portico.oauth.services.subjects import subject_of
from portico.oauth.types import GrantType, SenderKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """The answer of the token endpoint (RFC 6749, section 5.1)."""

    access: MintedToken
    scope: str
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    details: Sequence[Mapping[str, Any]] = ()
    issued_token_type: str | None = None

    def as_document(self) -> dict[str, Any]:
        """Return the JSON object; `scope` is always said, which is never wrong (row 1.16)."""
        said = {
            "access_token": str(self.access.text),
            "token_type": self.access.token_type,
            "expires_in": self.access.expires_in,
            "scope": self.scope,
            "refresh_token": self.refresh_token,
            "id_token": self.id_token,
            "authorization_details": list(self.details) or None,
            "issued_token_type": self.issued_token_type,
        }
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What is left of a grant for one token: one resource at most, and its scopes."""

    scopes: tuple[str, ...]
    resource: Resource | None
    details: tuple[dict[str, Any], ...]

    @property
    def scope(self) -> str:
        """Return the scopes as the wire carries them."""
        return " ".join(self.scopes)


async def narrowed(ask: Ask, grant: FoundGrant) -> Narrowed:
    """Return what of the grant the token is for: never more than was granted (rows 1.16, 6.2, 6.3, 20.1).

    Raises:
        Refused: invalid_scope, invalid_target or invalid_authorization_details.
    """
    granted = grant.scope.split()
    asked = ask.given.one("scope")
    scopes = narrow_scope(read_scope(asked), granted) if asked is not None else tuple(granted)
    resource = await _one_resource(ask, grant)
    if resource is not None:
        check_is_bound(ask, resource)
        scopes = tuple(scope for scope in scopes if scope in resource.scopes or scope in IDENTITY_SCOPES)
    details = grant.details
    if (text := ask.given.one("authorization_details")) is not None:
        types = ask.runtime.get(DetailsBook).types
        details = narrow_details(read_details(text, types), grant.details)
    return Narrowed(scopes=scopes, resource=resource, details=tuple(details))


def check_is_bound(ask: Ask, resource: Resource) -> None:
    """A resource may take bound tokens only (RFC 9728, section 2; RFC 9449, section 5.2).

    Raises:
        Refused: invalid_dpop_proof.
    """
    if resource.requires_dpop and ask.sender.jkt is None:
        raise Refused(ErrorCode.INVALID_DPOP_PROOF, "this resource takes bound tokens only: send a proof")


async def begin_refreshing(ask: Ask, grant: FoundGrant) -> str | None:
    """Return the first refresh token of a grant, if the client is registered for any.

    A public client's are bound to the key that it showed first (RFC 9449, section 5; RFC 8705, section 4).
    """
    if not ask.client.may_use(GrantType.REFRESH_TOKEN):
        return None
    token = await Grants(ask.runtime, ask.unit).start_refreshing(ask.client, grant, grant.id)
    if ask.client.is_public and ask.sender and not grant.sender:
        await GrantRepository(ask.unit.session).bind(grant.id, ask.sender)
    return token


async def _one_resource(ask: Ask, grant: FoundGrant) -> Resource | None:
    chosen = narrow_resources(ask.given.many("resource"), grant.resources)
    if len(chosen) > 1:
        raise Refused(ErrorCode.INVALID_TARGET, "a token is for one resource: name it")
    if not chosen:
        return None
    resource = await ask.runtime.get(ResourceBook).find(chosen[0])
    if resource is None:
        raise Refused(ErrorCode.INVALID_TARGET, "the resource is no longer there")
    return resource


async def answered(
    ask: Ask, grant: FoundGrant, left: Narrowed, *, sender: SenderKey, refresh_token: str | None
) -> TokenAnswer:
    """Mint what a grant gives: an access token, and an ID token where `openid` was granted."""
    context = grant.context
    user_id = grant.user_id
    subject = subject_of(ask.runtime, ask.client, user_id) if user_id is not None else ask.client.client_id
    access = await AccessTokenMint(ask.runtime, ask.unit).mint(
        ask.client,
        TokenFacts(
            subject=subject,
            scope=left.scope,
            resource=left.resource,
            grant_id=grant.id,
            session_id=grant.session_id,
            organization_id=grant.organization_id,
            details=left.details,
            context=context,
            sender=sender,
            expires_by=int(grant.expires_at.timestamp()) if grant.expires_at is not None else None,
        ),
    )
    id_token = None
    if user_id is not None and "openid" in left.scopes:
        id_token = await _id_token(ask, grant, user_id, access)
    return TokenAnswer(
        access=access, scope=left.scope, refresh_token=refresh_token, id_token=id_token, details=left.details
    )


async def _id_token(ask: Ask, grant: FoundGrant, user_id: UUID, access: MintedToken) -> str:
    wanted = id_token_claims_wanted(
        grant.scope.split(), kept_claims(grant.context), has_profile=ask.client.policy.claims_in_id_token
    )
    person = await person_claims(ask.runtime, user_id, wanted) if wanted else {}
    return ask.runtime.get(IdTokens).mint(
        ask.client,
        user_id,
        grant.context,
        session_id=grant.session_id,
        access_token=str(access.text),
        person=person,
        is_refreshed=ask.grant_type == "refresh_token",
    )


def kept_claims(context: Mapping[str, Any]) -> ClaimsRequest:
    """Return the claims that were asked for one by one, as the grant keeps them."""
    kept = context.get("claims") or {}
    return ClaimsRequest(
        userinfo={name: ClaimWish() for name in kept.get("userinfo", ())},
        id_token={name: ClaimWish() for name in kept.get("id_token", ())},
    )
