"""What the page of consent says of a request: who asks, for what, where the answer goes. Plain data for templates."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portico.core.ids import PrincipalId, UserId
from portico.oauth.pages.answers import sign_in_path
from portico.oauth.protocol.redirect_uris import host_shown, is_claimed, is_loopback
from portico.oauth.protocol.rfc7591_registration import ClientMetadata
from portico.oauth.protocol.rfc9396_authorization_details import shown_details
from portico.oauth.services.authorizing import Question, SignInNeeded, asked_scopes
from portico.oauth.services.clients import DOCUMENT_SCHEME
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.resources import IDENTITY_SCOPES, Resource
from portico.oauth.types import ClientSource
from portico.runtime import Runtime
from portico.users.services import Users
from portico.web.translations import mark

PLAIN_WORDS: Mapping[str, str] = {
    "openid": mark("Know who you are"),
    "profile": mark("See your name and language"),
    "email": mark("See your e-mail address"),
    "address": mark("See your postal address"),
    "phone": mark("See your telephone number"),
    "offline_access": mark("Stay connected when you are signed out"),
}
LINKS = (
    ("client_uri", mark("About the application")),
    ("policy_uri", mark("What it does with data")),
    ("tos_uri", mark("Its terms of use")),
)
VOUCHED_FOR = frozenset({ClientSource.ADMINISTRATOR, ClientSource.ORGANIZATION})
ABOUT_YOU = mark("About you")


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """What is asked for at one place: a title, the host where it lies, and what may be done, in plain words."""

    title: str
    host: str
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Asker:
    """The client as people see it. What strangers say of themselves is shown as that."""

    name: str
    host: str | None
    """Of its metadata document: the one thing about it that nobody can make up."""
    is_vouched_for: bool
    links: Sequence[tuple[str, str, str]]
    """Words, address and host of each page that it names."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the answer goes: a host, this computer, or an app of this device."""

    text: str
    is_local: bool
    is_app: bool
    can_be_played: bool
    """Any program of the device may pretend to be this client (OAuth 2.1, section 7.4)."""


async def described(runtime: Runtime, question: Question, person: PrincipalId) -> dict[str, Any]:
    """Return what the page needs; `person` is who is asked."""
    ask = question.ask
    types = runtime.get(DetailsBook).types
    account = await Users(runtime, runtime.unit()).get_user(UserId(person))
    return {
        "ticket": question.ticket,
        "asker": asker_of(ask.client.client_id, ask.client.source, ask.client.metadata),
        "destination": destination_of(ask.redirect_uri or "", ask.client.metadata),
        "access": access_groups(asked_scopes(ask), ask.resources),
        "details": [shown_details(detail, types) for detail in ask.details],
        "places": question.places,
        "chosen": question.chosen,
        "account": account,
        "another_account": sign_in_path(SignInNeeded(question.ticket, again=True)),
        "language": account.locale,
    }


def asker_of(client_id: str, source: ClientSource, metadata: ClientMetadata) -> Asker:
    """Return who asks."""
    host = host_shown(client_id) if client_id.startswith(DOCUMENT_SCHEME) else None
    links = [(words, getattr(metadata, member)) for member, words in LINKS]
    return Asker(
        name=metadata.client_name or host or client_id,
        host=host,
        is_vouched_for=source in VOUCHED_FOR,
        links=[(words, uri, host_shown(uri)) for words, uri in links if uri],
    )


def access_groups(scopes: Collection[str], resources: Collection[Resource]) -> list[AccessGroup]:
    """Return what is asked for: about the person first, then resource by resource; no scope is left out."""
    groups = [AccessGroup(ABOUT_YOU, "", [PLAIN_WORDS[each] for each in scopes if each in IDENTITY_SCOPES])]
    for resource in resources:
        words = [resource.scopes[each] or each for each in scopes if each in resource.scopes]
        host = host_shown(resource.identifier)
        groups.append(AccessGroup(resource.name or host, host if resource.name else "", words))
    return [group for group in groups if group.words]


def destination_of(redirect_uri: str, metadata: ClientMetadata) -> Destination:
    """Return where the answer goes."""
    is_local = is_loopback(redirect_uri)
    is_app = not redirect_uri.lower().startswith(("http:", "https:"))
    is_only_local = all(is_loopback(each) for each in metadata.redirect_uris)
    return Destination(
        text=host_shown(redirect_uri),
        is_local=is_local,
        is_app=is_app,
        can_be_played=metadata.is_public and (is_only_local or not is_claimed(redirect_uri)),
    )
