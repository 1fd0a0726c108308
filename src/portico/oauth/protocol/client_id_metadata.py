"""Clients whose identifier is the URL of a document about them (OAuth Client ID Metadata Document, draft 02).

What the URL and the document must be, how long a document is believed, and what of it a consent depends on. Fetching is
the business of `portico.oauth.services.client_documents`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from portico.oauth.protocol.redirect_uris import fault_of
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_registration import (
    NO_PROOF,
    SECRET_METHODS,
    ClientMetadata,
    RegistrationPolicy,
    as_document,
    read_metadata,
)
from portico.oauth.protocol.uris import HttpUri, has_dot_segments, read_http_uri

MAX_URL = 500
MAX_DOCUMENT = 10_240
SHORTEST = timedelta(seconds=30)
LONGEST = timedelta(hours=24)
USUAL = timedelta(minutes=10)
"""How long a document is believed that says nothing about it."""
CONSENTED = (
    "client_name",
    "client_uri",
    "redirect_uris",
    "token_endpoint_auth_method",
    "jwks",
    "jwks_uri",
)
"""What a person who consented relied on: another value, and the person is asked again."""

_JSON_TYPE = re.compile(r"application/(?:[A-Za-z0-9!#$&^_.-]+\+)?json")
_SECONDS = re.compile(r"[0-9]{1,9}")


def is_document_url(client_id: str, *, allows_loopback: bool = False) -> bool:
    """Tell whether a client id claims to be such a URL; ids that we make never begin like one."""
    return client_id.startswith("https:") or (allows_loopback and client_id.startswith("http:"))


def check_document_url(client_id: str, *, allows_loopback: bool = False) -> HttpUri:
    """Return the pieces of a URL that may be a client id, compared and fetched as it is written (section 3).

    Raises:
        Refused: invalid_client; not https, without a path, or with `.` or `..` as a segment, a fragment or a user
            name. `allows_loopback` is for tests on one machine: then http to loopback is taken too.
    """
    parts = read_http_uri(client_id) if len(client_id) <= MAX_URL else None
    if parts is None:
        raise _refused("client_id is no proper URL")
    if parts.scheme != "https" and not (allows_loopback and parts.is_loopback):
        raise _refused("client_id must begin with https://")
    if parts.path in {"", "/"}:
        raise _refused("client_id must have a path")
    if has_dot_segments(parts.path) or parts.fragment or not client_id.isprintable():
        raise _refused("client_id must have neither dot segments nor a fragment")
    return parts


def read_document(client_id: str, document: Mapping[str, Any], policy: RegistrationPolicy) -> ClientMetadata:
    """Return the client that the document at `client_id` describes.

    The document names its own URL, byte for byte, and no secret that both sides know (section 4.1). Members of a list
    that are not offered here are passed over, redirect URIs too, as long as one is left.

    Raises:
        Refused: invalid_client_metadata or invalid_redirect_uri.
    """
    if document.get("client_id") != client_id:
        raise _invalid("the document does not name its own URL as client_id")
    if "client_secret" in document or "client_secret_expires_at" in document:
        raise _invalid("the document has a secret")
    method = document.get("token_endpoint_auth_method")
    if method in SECRET_METHODS:
        raise _invalid("token_endpoint_auth_method needs a secret that both sides know")
    if method is not None and method not in policy.auth_methods:
        raise _invalid("token_endpoint_auth_method is not supported")
    given = {**document, "token_endpoint_auth_method": method or NO_PROOF}
    given["redirect_uris"] = _usable(document.get("redirect_uris"), policy)
    keyless = replace(policy, auth_methods=tuple(m for m in policy.auth_methods if m not in SECRET_METHODS))
    return read_metadata(given, keyless)


def is_json_type(content_type: str) -> bool:
    """Tell whether a media type is JSON: `application/json` or `application/<anything>+json` (section 4)."""
    return _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip().lower()) is not None


def believed_for(headers: Mapping[str, str]) -> timedelta:
    """Return how long a document is believed, by its headers (RFC 9111, sections 4.2 and 5.2.2), within our bounds.

    Names of headers are in lower case. What cannot be read counts as already stale, and is believed for `SHORTEST`.
    """
    return min(max(_fresh_for(headers), SHORTEST), LONGEST)


def fingerprint(client_id: str, metadata: ClientMetadata) -> str:
    """Return SHA-256, in hexadecimal, of all that a consent depends on; the order of a list does not matter."""
    document = as_document(metadata)
    shown = {name: document[name] for name in CONSENTED if name in document}
    shown["redirect_uris"] = sorted(metadata.redirect_uris)
    text = json.dumps([client_id, shown], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _usable(uris: Any, policy: RegistrationPolicy) -> Any:
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        return uris  # read_metadata says what is wrong with it
    return [uri for uri in uris if fault_of(uri, custom_schemes=policy.custom_schemes) is None]


def _fresh_for(headers: Mapping[str, str]) -> timedelta:
    directives = _directives(headers.get("cache-control", ""))
    if "no-store" in directives or "no-cache" in directives:
        return timedelta(0)
    if "max-age" in directives:
        return _seconds(directives["max-age"]) - _seconds(headers.get("age", "0"))
    if "expires" in headers:
        return _until(headers["expires"], headers.get("date", ""))
    return USUAL


def _directives(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(","))
    return {name.lower(): value.strip('"') for name, _, value in pairs}


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=int(text)) if _SECONDS.fullmatch(text) else timedelta(0)


def _until(expires: str, date: str) -> timedelta:
    """RFC 9111, section 4.2.1: reckoned from the server's own clock; 0 and other nonsense are in the past."""
    try:
        return parsedate_to_datetime(expires) - parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return timedelta(0)


def _refused(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT, why)


def _invalid(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT_METADATA, why)
