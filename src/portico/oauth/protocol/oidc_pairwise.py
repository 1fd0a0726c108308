"""Subjects that differ from client to client (OpenID Connect Core 1.0, section 8).

Clients of one sector, a host or the document of several hosts, see the same subject for a person; others see another
one, and cannot tell that it is the same person.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from portico.core.crypto import b64encode
from portico.oauth.protocol.json_objects import NotJson, read_json
from portico.oauth.protocol.redirect_uris import host_shown
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.uris import read_http_uri

MAX_SECTOR_DOCUMENT = 65_536


def needs_sector_document(redirect_uris: Sequence[str]) -> bool:
    """Tell whether the redirect URIs alone do not say to which sector a client belongs (section 8.1)."""
    return len({host_shown(uri) for uri in redirect_uris}) > 1


def sector_of(redirect_uris: Sequence[str], sector_identifier_uri: str | None, client_id: str) -> str:
    """Return the sector of a client: a host; its own id if it has neither document nor redirect URIs.

    The host of `sector_identifier_uri` counts, and without it the only host among the redirect URIs.
    """
    if sector_identifier_uri is not None:
        parts = read_http_uri(sector_identifier_uri)
        return parts.host if parts is not None else client_id
    hosts = {host_shown(uri) for uri in redirect_uris}
    return hosts.pop() if len(hosts) == 1 else client_id


def pairwise_subject(key: bytes, sector: str, subject: str) -> str:
    """Return the subject of a person in a sector: 43 characters that nobody without `key` can turn back.

    Section 8.1: different for each sector, the same each time, and no subject is found from it.
    """
    message = json.dumps([sector, subject], ensure_ascii=True, separators=(",", ":")).encode()
    return b64encode(hmac.digest(key, message, hashlib.sha256))


def check_sector_document(document: bytes, redirect_uris: Sequence[str]) -> None:
    """Refuse a sector document that does not name every redirect URI (Registration 1.0, section 5).

    Raises:
        Refused: invalid_client_metadata.
    """
    named = _uris_of(document)
    if not all(uri in named for uri in redirect_uris):
        raise Refused(
            ErrorCode.INVALID_CLIENT_METADATA, "sector_identifier_uri does not name every redirect URI"
        )


def _uris_of(document: bytes) -> set[str]:
    try:
        value: Any = read_json(document, most=MAX_SECTOR_DOCUMENT)
    except NotJson as fault:
        raise _not_a_list(str(fault)) from None
    if not isinstance(value, list) or not all(isinstance(uri, str) for uri in value):
        raise _not_a_list("is not a list of URIs")
    return set(value)


def _not_a_list(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_CLIENT_METADATA, f"the document of sector_identifier_uri {why}")
