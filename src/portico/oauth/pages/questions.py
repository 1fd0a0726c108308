"""What the page of consent says of a request."""

from typing import Any

from portico.oauth.protocol.redirect_uris import host_shown, is_loopback
from portico.oauth.protocol.rfc9396_authorization_details import shown_details
from portico.oauth.services.authorizing import Question
from portico.oauth.services.clients import DOCUMENT_SCHEME
from portico.oauth.services.details import DetailsBook
from portico.oauth.services.resources import IDENTITY_SCOPES
from portico.runtime import Runtime
from portico.web.translations import mark

PLAIN_WORDS = {
    "openid": mark("Know who you are"),
    "profile": mark("See your name and language"),
    "email": mark("See your e-mail address"),
    "address": mark("See your postal address"),
    "phone": mark("See your telephone number"),
    "offline_access": mark("Stay connected when you are signed out"),
}


async def described(runtime: Runtime, question: Question) -> dict[str, Any]:
    """Return who asks, from where, for what, in plain words."""
    ask = question.ask
    client, redirect = ask.client, ask.redirect_uri or ""
    types = runtime.get(DetailsBook).types
    return {
        "ticket": question.ticket,
        "client": client,
        "client_host": host_shown(client.client_id) if client.client_id.startswith(DOCUMENT_SCHEME) else None,
        "redirect_host": host_shown(redirect),
        "is_local": is_loopback(redirect),
        "is_only_local": all(is_loopback(each) for each in client.metadata.redirect_uris),
        "identity": [PLAIN_WORDS[scope] for scope in ask.scopes if scope in IDENTITY_SCOPES],
        "resources": [
            (resource, [(scope, resource.scopes[scope]) for scope in ask.scopes if scope in resource.scopes])
            for resource in ask.resources
        ],
        "details": [shown_details(detail, types) for detail in ask.details],
    }
