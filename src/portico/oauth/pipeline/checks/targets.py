"""Checks of what tokens are for: resources and scopes."""

from collections.abc import Sequence

from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8707_resource_indicators import normal_form, read_resources
from portico.oauth.protocol.scopes import read_scope
from portico.oauth.services.resources import IDENTITY_SCOPES, OVER_PLATFORM, Resource, ResourceBook
from portico.oauth.types import ClientSource


async def resources_are_known(ask: Ask) -> None:
    """Every `resource` is one that tokens can be asked for, by this client (RFC 8707, section 2; row 6.1)."""
    book = ask.runtime.get(ResourceBook)
    found: list[Resource] = []
    for each in read_resources(ask.given.many("resource")):
        resource = await book.find(each)
        if resource is None or not _may_ask(ask, resource):
            raise Refused(ErrorCode.INVALID_TARGET, "resource is not known here", each[:200])
        found.append(resource)
    ask.resources = tuple(found)


async def scopes_are_known(ask: Ask) -> None:
    """Scopes are those of OpenID Connect and of the resources asked for; others are left out (rows 1.15, 1.16).

    Without `resource` the scopes tell which one is meant, where they all belong to one. Without `scope` a request gets
    what the resources give by default, else what the client registered, else `openid`.
    """
    text = ask.given.one("scope")
    if text is None:
        ask.scopes = _defaults(ask)
        return
    asked = read_scope(text)
    if not ask.resources:
        ask.resources = await _implied(ask, asked)
    known = set(IDENTITY_SCOPES).union(*(resource.scopes for resource in ask.resources))
    ask.scopes = tuple(scope for scope in asked if scope in known and _may_have(ask, scope))
    if not ask.scopes:
        raise Refused(ErrorCode.INVALID_SCOPE, "none of these scopes can be had here")


def _defaults(ask: Ask) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys(scope for resource in ask.resources for scope in resource.defaults))
    if scopes:
        return tuple(scope for scope in scopes if _may_have(ask, scope))
    registered = tuple(scope for scope in ask.client.metadata.scope if scope in IDENTITY_SCOPES)
    return registered or ("openid",)


async def _implied(ask: Ask, asked: Sequence[str]) -> tuple[Resource, ...]:
    book = ask.runtime.get(ResourceBook)
    candidates: list[Resource] | None = None
    for scope in asked:
        if scope in IDENTITY_SCOPES:
            continue
        having = [resource for resource in await book.of_scope(scope) if _may_ask(ask, resource)]
        if not having:
            continue
        candidates = having if candidates is None else [each for each in candidates if each in having]
    if candidates is None:
        return ()
    if len(candidates) != 1:
        raise Refused(
            ErrorCode.INVALID_TARGET, "name the resource: these scopes belong to several or to none"
        )
    return (candidates[0],)


def _may_ask(ask: Ask, resource: Resource) -> bool:
    allowed = ask.client.policy.resources
    return allowed is None or normal_form(resource.identifier) in {normal_form(each) for each in allowed}


def _may_have(ask: Ask, scope: str) -> bool:
    """Tell whether the client may have a scope: what an administrator wrote down binds, what it said itself does not.

    What is held over the whole deployment is had only by clients for which an administrator wrote that down. Clients
    that register themselves learn which scopes they need later, from the challenges of a resource (row 30.23).
    """
    client = ask.client
    if scope in IDENTITY_SCOPES:
        return True
    if scope.startswith(OVER_PLATFORM):
        return client.source is ClientSource.ADMINISTRATOR and scope in client.metadata.scope
    if not client.metadata.scope or client.source in {ClientSource.DYNAMIC, ClientSource.DOCUMENT}:
        return True
    return scope in client.metadata.scope
