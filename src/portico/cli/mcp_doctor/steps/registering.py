"""Makes the client known: by the address of its metadata document, or by registration."""

import json
from collections.abc import Mapping
from typing import Any

from portico.cli.mcp_doctor.findings import Broken, Odd
from portico.cli.mcp_doctor.walking import Client, Registering, Walk

OPEN = "PORTICO_OAUTH__DYNAMIC_REGISTRATION=open"
OPEN_ONE = f"{OPEN}, or PORTICO_OAUTH__CLIENT_DOCUMENTS=true"
SECRET_METHODS = frozenset({"client_secret_post", "client_secret_basic"})
USABLE = SECRET_METHODS | {"none"}


async def register(walk: Walk) -> str | Odd:
    """Choose as the client does: its document where the server takes documents, else registration."""
    takes_documents = walk.server.get("client_id_metadata_document_supported") is True
    document = walk.options.document or walk.profile.document
    wish = Registering.DOCUMENT if walk.options.document else walk.options.registering
    if wish is Registering.DOCUMENT and (document is None or not takes_documents):
        who = walk.profile.title if document is None else "the server"
        raise Broken(f"{who} has nothing to do with metadata documents", "--registration auto")
    if document is not None and takes_documents and wish is not Registering.DYNAMIC:
        walk.client = Client(document)
        return f"client_id is {document}"
    endpoint = walk.server.get("registration_endpoint")
    if not isinstance(endpoint, str):
        taken = "takes documents only" if takes_documents else "takes no client that it does not know"
        mends = f"{OPEN}, or --document" if takes_documents else OPEN_ONE
        raise Broken(f"no registration_endpoint: the server {taken}", mends)
    return await _registered(walk, endpoint)


async def _registered(walk: Walk, endpoint: str) -> str | Odd:
    body = json.dumps(walk.profile.registration(walk.port)).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    answer = await walk.wire.send("POST", endpoint, headers, body)
    if answer.status not in {200, 201}:
        hint = f"{walk.profile.title}: {walk.profile.trap}; " if walk.profile.trap else ""
        raise Broken(
            f"{answer.status} {answer.excerpt}",
            f"{hint}{OPEN_ONE}; schemes of apps stand in PORTICO_OAUTH__CUSTOM_SCHEMES",
        )
    document = answer.json_object() or {}
    walk.client = _client_of(document)
    return _judged(walk, answer.status, document)


def _client_of(document: Mapping[str, Any]) -> Client:
    """Return the client as registered, if it can do anything with that.

    Raises:
        Broken: no id, a way to authenticate that it has not, or a secret that it was not given.
    """
    client_id, secret = document.get("client_id"), document.get("client_secret")
    if not isinstance(client_id, str) or not client_id:
        raise Broken("the answer has no client_id")
    method = document.get("token_endpoint_auth_method") or ("client_secret_basic" if secret else "none")
    if method not in USABLE:
        raise Broken(f"token_endpoint_auth_method became {method!r}, which the client cannot do")
    if method in SECRET_METHODS and not isinstance(secret, str):
        raise Broken(f"token_endpoint_auth_method is {method}, and there is no client_secret")
    return Client(client_id, method, secret if method in SECRET_METHODS else None)


def _judged(walk: Walk, status: int, document: Mapping[str, Any]) -> str | Odd:
    if status != 201:
        return Odd(f"{status} where 201 is the rule; client_id is {walk.client.client_id}")
    if walk.client.secret is not None and "client_secret_expires_at" not in document:
        return Odd("a client_secret without client_secret_expires_at")
    kept = document.get("redirect_uris")
    if not isinstance(kept, list) or set(kept) != set(walk.profile.registration(walk.port)["redirect_uris"]):
        return Odd(f"redirect_uris came back as {kept}")
    return f"client_id is {walk.client.client_id}, authenticates by {walk.client.auth_method}"
