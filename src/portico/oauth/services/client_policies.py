"""What may be decided of a client: rules between its policy, its metadata and where it comes from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portico.core.errors import FieldFault
from portico.core.permissions import Reach, reach_of
from portico.oauth.errors import ClientMetadataInvalid
from portico.oauth.protocol.fapi2_security_profile import CLIENT_CHECKS
from portico.oauth.protocol.refusals import Refused
from portico.oauth.protocol.rfc7591_members import READERS
from portico.oauth.protocol.rfc7591_registration import ClientMetadata, as_document
from portico.oauth.protocol.uris import read_http_uri
from portico.oauth.services.resources import ResourceBook
from portico.oauth.types import ClientPolicy, ClientSource, Profile
from portico.runtime import Runtime

NOT_REPLACED = ("grant_types", "response_types", "scope", "authorization_details_types")
"""Lists of which dynamic registration leaves out what is not offered; a person who writes them is told instead."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A client as it would be."""

    metadata: ClientMetadata
    policy: ClientPolicy
    source: ClientSource

    @property
    def is_of_organization(self) -> bool:
        """Tell whether it is an organization's own."""
        return self.source is ClientSource.ORGANIZATION

    @property
    def is_fapi(self) -> bool:
        """Tell whether it is to keep to FAPI 2.0."""
        return self.policy.profile is Profile.FAPI2


@dataclass(frozen=True, slots=True)
class Rule:
    """What must not be: where it is, what is told of it, and whether it is so."""

    field: str
    message: str
    is_broken: Callable[[Decided], bool]


def _ends_before_it_is_idle(it: Decided) -> bool:
    idle, absolute = it.policy.refresh_idle_seconds, it.policy.refresh_absolute_seconds
    return idle is not None and absolute is not None and absolute < idle


def _has_platform_scope(it: Decided) -> bool:
    return it.is_of_organization and any(reach_of(scope) is Reach.PLATFORM for scope in it.metadata.scope)


RULES = (
    Rule(
        "policy.requires_pkce",
        "a client that cannot prove itself always needs PKCE (OAuth 2.1, section 7.5.1)",
        lambda it: it.metadata.is_public and not it.policy.requires_pkce,
    ),
    Rule(
        "policy.requires_pkce",
        "FAPI 2.0 always needs PKCE",
        lambda it: it.is_fapi and not it.policy.requires_pkce,
    ),
    Rule(
        "policy.requires_pkce",
        "a client of an organization always needs PKCE",
        lambda it: it.is_of_organization and not it.policy.requires_pkce,
    ),
    Rule(
        "policy.is_trusted",
        "people are always asked before a client of an organization is let in",
        lambda it: it.is_of_organization and it.policy.is_trusted,
    ),
    Rule(
        "policy.is_trusted",
        "people are always asked before a client is let in that registered itself",
        lambda it: it.source is ClientSource.DYNAMIC and it.policy.is_trusted,
    ),
    Rule(
        "policy.accepts_legacy_audience",
        "FAPI 2.0 takes assertions for the issuer alone",
        lambda it: it.is_fapi and it.policy.accepts_legacy_audience,
    ),
    Rule(
        "policy.refresh_absolute_seconds",
        "must not be less than refresh_idle_seconds",
        _ends_before_it_is_idle,
    ),
    Rule("scope", "a client of an organization has no rights over the platform", _has_platform_scope),
)


async def check_decided(runtime: Runtime, decided: Decided) -> None:
    """Refuse a client that must not be as it would be.

    Raises:
        ClientMetadataInvalid: `errors` names everything that is wrong (400).
    """
    faults = [
        *(FieldFault("invalid", rule.message, rule.field) for rule in RULES if rule.is_broken(decided)),
        *_against_profile(decided),
        *(await _unknown_resources(runtime, decided.policy)),
        *_odd_audiences(decided.policy),
    ]
    if faults:
        raise _invalid(faults)


def refuse_replaced(asked: Mapping[str, Any], metadata: ClientMetadata) -> None:
    """Refuse what was asked for and is not offered, where registration would put something else in its place.

    Raises:
        ClientMetadataInvalid: `errors` names every such member (400).
    """
    faults = list(_replaced(asked, as_document(metadata)))
    if faults:
        raise _invalid(faults)


def invalid_of(refused: Refused) -> ClientMetadataInvalid:
    """Return what a rule of the registration refused, by the member that its description begins with."""
    first = refused.description.split(" ", 1)[0]
    member = "redirect_uris" if first == "redirect" else first
    fault = FieldFault(refused.error.value, refused.description, member if member in READERS else "")
    return ClientMetadataInvalid(refused.description, errors=[fault])


def _invalid(faults: Sequence[FieldFault]) -> ClientMetadataInvalid:
    return ClientMetadataInvalid("; ".join(fault.message for fault in faults), errors=faults)


def _replaced(asked: Mapping[str, Any], got: Mapping[str, Any]) -> Iterable[FieldFault]:
    for name in NOT_REPLACED:
        missing = [each for each in _listed(asked.get(name)) if each not in _listed(got.get(name))]
        if missing:
            yield FieldFault("invalid", f"{name}: {missing[0][:100]} is not offered to such a client", name)
    for name in ("token_endpoint_auth_method", "application_type"):
        if asked.get(name) not in {None, "", got.get(name)}:
            yield FieldFault("invalid", f"{name}: this value is not offered", name)


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list | tuple) else []


def _against_profile(decided: Decided) -> Iterable[FieldFault]:
    if not decided.is_fapi:
        return []
    return [
        FieldFault(check.error.value, f"{check.description} (FAPI 2.0, section {check.section})", "")
        for check in CLIENT_CHECKS
        if not check.holds(decided.metadata)
    ]


async def _unknown_resources(runtime: Runtime, policy: ClientPolicy) -> list[FieldFault]:
    book = runtime.get(ResourceBook)
    faults = []
    for identifier in policy.resources or ():
        try:
            found = await book.find(identifier)
        except Refused:
            found = None
        if found is None:
            faults.append(FieldFault("invalid", f"{identifier[:200]} is no API of ours", "policy.resources"))
    return faults


def _odd_audiences(policy: ClientPolicy) -> Iterable[FieldFault]:
    for audience in policy.exchanges_to:
        if read_http_uri(audience) is None:
            yield FieldFault("invalid", f"{audience[:200]} is not a URL", "policy.exchanges_to")
