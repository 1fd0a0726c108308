"""Which claims about a person a client gets, and where (OpenID Connect Core 1.0, section 5).

Scopes ask for groups of claims, which userinfo answers; the parameter `claims` asks for single ones, of userinfo or of
the ID token. Neither can demand anything: what is not known, or not allowed, is left out (section 5.5.1).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from portico.oauth.protocol.json_objects import NotJson, read_json_object
from portico.oauth.protocol.refusals import ErrorCode, Refused

MAX_CLAIMS_PARAMETER = 8_192
MAX_CLAIMS = 100
SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    "profile": (
        "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}  # fmt: skip
"""What a scope asks for (section 5.4)."""


@dataclass(frozen=True, slots=True)
class ClaimWish:
    """How one claim is asked for (section 5.5.1); `values` is empty where any value will do."""

    is_essential: bool = False
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """The parameter `claims`: claim to wish, for userinfo and for the ID token (section 5.5)."""

    userinfo: Mapping[str, ClaimWish] = field(default_factory=dict)
    id_token: Mapping[str, ClaimWish] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """Return the names alone, as a grant keeps them."""
        return {"userinfo": sorted(self.userinfo), "id_token": sorted(self.id_token)}

    @property
    def essential_acrs(self) -> tuple[str, ...]:
        """Return the `acr` values of which the authentication must have one (section 5.5.1.1), or nothing."""
        wish = self.id_token.get("acr", ClaimWish())
        return tuple(value for value in wish.values if isinstance(value, str)) if wish.is_essential else ()

    @property
    def subjects(self) -> frozenset[str]:
        """Return the values asked for `sub`: nobody else may be signed in (section 5.5.1)."""
        wishes = (self.id_token.get("sub"), self.userinfo.get("sub"))
        return frozenset(str(value) for wish in wishes if wish is not None for value in wish.values)


NOTHING = ClaimsRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFacts:
    """What is known of a person; None for what is not."""

    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    middle_name: str | None = None
    nickname: str | None = None
    preferred_username: str | None = None
    profile: str | None = None
    picture: str | None = None
    website: str | None = None
    gender: str | None = None
    birthdate: str | None = None
    zoneinfo: str | None = None
    locale: str | None = None
    updated_at: datetime | None = None
    email: str | None = None
    email_verified: bool = False
    phone_number: str | None = None
    phone_number_verified: bool = False
    address: Mapping[str, str] | None = None


def read_claims_parameter(text: str) -> ClaimsRequest:
    """Return what the parameter asks for; other members than `userinfo` and `id_token` are ignored (section 5.5).

    Raises:
        Refused: invalid_request; not a JSON object of that shape, or larger than any honest one.
    """
    try:
        members = read_json_object(text, most=MAX_CLAIMS_PARAMETER, deepest=6)
    except NotJson as fault:
        raise _refused(str(fault)) from None
    return ClaimsRequest(_wishes(members, "userinfo"), _wishes(members, "id_token"))


def userinfo_claims(scopes: Collection[str], request: ClaimsRequest = NOTHING) -> frozenset[str]:
    """Return the names of the claims that userinfo answers with, besides `sub`."""
    return _of_scopes(scopes) | request.userinfo.keys()


def scopes_asked_by_claims(request: ClaimsRequest) -> tuple[str, ...]:
    """Return the scopes that ask for what the parameter asks for one by one: whoever consents is told of both alike."""
    wanted = request.userinfo.keys() | request.id_token.keys()
    return tuple(scope for scope, claims in SCOPE_CLAIMS.items() if wanted.intersection(claims))


def id_token_claims_wanted(
    scopes: Collection[str], request: ClaimsRequest = NOTHING, *, has_profile: bool = False
) -> frozenset[str]:
    """Return the names of the claims about the person that the ID token has.

    With the code flow, scopes fill userinfo only (section 5.4); `has_profile` is the switch for clients that read
    nothing but the ID token.
    """
    wanted = frozenset(request.id_token)
    return wanted | _of_scopes(scopes) if has_profile else wanted


def claims_of(facts: PersonFacts, wanted: Collection[str]) -> dict[str, Any]:
    """Return the claims asked for that have a value; never null, never an empty text (section 5.3.2)."""
    known = {
        claim: getattr(facts, claim)
        for claims in SCOPE_CLAIMS.values()
        for claim in claims
        if claim in wanted
    }
    if facts.email is None:
        known.pop("email_verified", None)
    if facts.phone_number is None:
        known.pop("phone_number_verified", None)
    return {claim: _on_the_wire(value) for claim, value in known.items() if value not in (None, "", {})}


def _on_the_wire(value: Any) -> Any:
    """Section 5.1: times are whole seconds since 1970."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    return dict(value) if isinstance(value, Mapping) else value


def _of_scopes(scopes: Collection[str]) -> frozenset[str]:
    return frozenset(claim for scope in scopes for claim in SCOPE_CLAIMS.get(scope, ()))


def _wishes(members: Mapping[str, Any], where: str) -> dict[str, ClaimWish]:
    asked = members.get(where)
    if asked is None:
        return {}
    if not isinstance(asked, dict) or len(asked) > MAX_CLAIMS:
        raise _refused(f"has something else than at most {MAX_CLAIMS} claims under {where}")
    return {claim: _wish(how) for claim, how in asked.items()}


def _wish(how: Any) -> ClaimWish:
    """Null, or an object of `essential`, `value` and `values`; what else stands there is ignored (section 5.5.1)."""
    if how is None:
        return ClaimWish()
    if not isinstance(how, dict):
        raise _refused("asks for a claim by something else than null or an object")
    essential, values = how.get("essential", False), how.get("values", [])
    if not isinstance(essential, bool) or not isinstance(values, list):
        raise _refused("has a member essential or values of another type")
    return ClaimWish(essential, (how["value"],) if "value" in how else tuple(values))


def _refused(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST, f"claims {why}")
