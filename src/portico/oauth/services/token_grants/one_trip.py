"""The good case of the two grants that clients use all day, in one trip to the database instead of a transaction.

Only plain requests go this way: for what was granted, all of it, by a client that shows no key, for a JWT. Everything
about such a request can be said in one condition (`portico.oauth.repositories.token_trips`). Whatever is narrowed,
bound, written down besides, or refused goes the unit's way, which decides alone what is answered to it.
"""

from collections.abc import Sequence

from portico.core import failpoints
from portico.core.ids import new_id
from portico.keys.services import ensure_keys
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.rfc7636_pkce import is_verifier, make_challenge
from portico.oauth.repositories import FoundGrant, TokenTrips
from portico.oauth.services.grants import refresh_lifetimes
from portico.oauth.services.id_tokens import purpose_of
from portico.oauth.services.resources import Resource, ResourceBook
from portico.oauth.services.token_grants.answers import TokenAnswer, answered, narrowed
from portico.oauth.types import GrantType, TokenFormat
from portico.tokens.services import TokenFamilies

NARROWING = ("scope", "resource", "authorization_details")
MOST_RESOURCES = 100
"""With more of them, telling the database all takes longer than asking it first."""
POINTS_BETWEEN = frozenset({
    "oauth.code.before_write", "tokens.rotate.before_write", "tokens.rotate.after_write", "db.unit.before_commit",
    "db.unit.after_commit",
})  # fmt: skip
"""Failpoints of the unit's way; where one is armed, the request goes where it is reached."""


async def exchange_in_one_trip(ask: Ask, code_hash: bytes) -> TokenAnswer | None:
    """Spend the code and begin its line of refresh tokens; None: nothing was written."""
    verifier = ask.given.one("code_verifier")
    known = await _known(ask)
    if known is None or not ask.client.may_use(GrantType.REFRESH_TOKEN):
        return None
    if verifier is not None and not is_verifier(verifier):
        return None
    idle, absolute = refresh_lifetimes(ask.runtime, ask.client)
    family_id = new_id()
    grant = await TokenTrips(ask.runtime.database.trips).exchange_code(
        code_hash,
        ask.client.key,
        redirect_uri=ask.given.one("redirect_uri"),
        challenge=make_challenge(verifier) if verifier is not None else None,
        family_id=family_id,
        known=known,
        now=ask.now,
        idle_until=ask.now + idle,
        absolute_until=ask.now + absolute,
    )
    if grant is None:
        return None
    return await _answered(ask, grant, TokenFamilies(ask.runtime, ask.unit).first_of(family_id))


async def refresh_in_one_trip(ask: Ask, token: str) -> TokenAnswer | None:
    """Rotate the refresh token; None: nothing was written.

    Raises:
        RefreshTokenInvalid: not ours.
    """
    known = await _known(ask)
    if known is None:
        return None
    families = TokenFamilies(ask.runtime, ask.unit)
    claims = families.read(token)
    idle, _ = refresh_lifetimes(ask.runtime, ask.client)
    grant = await TokenTrips(ask.runtime.database.trips).refresh(
        claims.family_id,
        claims.counter,
        ask.client.key,
        known=known,
        now=ask.now,
        idle_until=ask.now + idle,
    )
    if grant is None:
        return None
    return await _answered(ask, grant, families.child_of(claims))


async def _answered(ask: Ask, grant: FoundGrant, refresh_token: str) -> TokenAnswer:
    """Mint what was granted; a key that another process has just made is fetched, because there is no way back."""
    left = await narrowed(ask, grant)
    if "openid" in left.scopes:
        await ensure_keys(ask.runtime, [purpose_of(ask.client)])
    return await answered(ask, grant, left, sender=ask.sender, refresh_token=refresh_token)


async def _known(ask: Ask) -> Sequence[str] | None:
    """Return the resources that a plain request may be for; None where it is not plain."""
    client = ask.client
    is_plain = (
        not ask.once
        and not ask.sender
        and not client.is_fapi
        and client.policy.token_format is TokenFormat.JWT
        and not any(ask.given.has(name) for name in NARROWING)
        and ask.unit.is_untouched
        and not failpoints.armed.keys() & POINTS_BETWEEN
    )
    if not is_plain:
        return None
    resources = await ask.runtime.get(ResourceBook).all()
    if len(resources) > MOST_RESOURCES:
        return None
    return [each.identifier for each in resources.values() if _is_plain(each)]


def _is_plain(resource: Resource) -> bool:
    return not resource.requires_dpop and resource.token_format in {None, TokenFormat.JWT}
