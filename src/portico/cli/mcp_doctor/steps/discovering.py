"""From the URL to the authorization server: the refusals, the metadata of the resource, that of the server."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from portico.cli.mcp_doctor.challenges import Challenge, read_challenges
from portico.cli.mcp_doctor.findings import Broken, Odd
from portico.cli.mcp_doctor.steps.messages import MODERN, send_call
from portico.cli.mcp_doctor.walking import Walk
from portico.cli.mcp_doctor.wire import Answer
from portico.oauth.protocol.rfc9728_protected_resources import DOCUMENT, document_url
from portico.oauth.protocol.uris import read_http_uri
from portico.resource_server.verifying.discovery import metadata_urls

GUARD = "put the server behind protected_resource(…).protect(app)"
PUBLIC_URL = "PORTICO_PUBLIC_URL must be the address that clients use, byte for byte"
IDENTIFIER = "the first argument of protected_resource(…) must be the URL that clients are given"
JSON = {"Accept": "application/json", "MCP-Protocol-Version": MODERN}


async def show_no_token(walk: Walk) -> str | Odd:
    """Call without a token."""
    answer = await send_call(walk.wire, walk.url, "tools/list", {}, {})
    if 300 <= answer.status < 400:
        there = answer.header("location")
        raise Broken(f"{answer.status} to {there}", "give clients the address that it redirects to")
    if answer.status != 401:
        raise Broken(f"{answer.status} {answer.excerpt}", GUARD)
    challenge = _challenge(answer)
    if challenge is None:
        return Odd("401 without a challenge: clients guess where the metadata is", GUARD)
    walk.challenge = challenge.parameters
    if "error" in challenge.parameters:
        return Odd(f"401 with error={challenge.parameters['error']}, though no token was sent")
    return _judged(challenge)


async def show_bad_token(walk: Walk) -> str | Odd:
    """Call with a token that nobody made."""
    headers = {"Authorization": f"Bearer {walk.secret()}"}
    answer = await send_call(walk.wire, walk.url, "tools/list", {}, headers)
    if answer.status != 401:
        raise Broken(f"{answer.status}: clients see no reason to get a new token", GUARD)
    challenge = _challenge(answer)
    if challenge is None or challenge.parameters.get("error") != "invalid_token":
        return Odd("401 without error=invalid_token", GUARD)
    return _judged(challenge)


def _challenge(answer: Answer) -> Challenge | None:
    challenges = read_challenges(answer.all("www-authenticate"))
    ours = [each for each in challenges if each.scheme.lower() in {"bearer", "dpop"}]
    return next(iter(ours), None)


def _judged(challenge: Challenge) -> str | Odd:
    if "resource_metadata" not in challenge.parameters:
        return Odd("401 without resource_metadata: clients guess where it is", GUARD)
    if "offline_access" in challenge.parameters.get("scope", "").split():
        return Odd("401 asks for offline_access, which is no scope of a resource", GUARD)
    return f"401, resource_metadata={challenge.parameters['resource_metadata']}"


async def find_resource(walk: Walk) -> str | Odd:
    """Fetch the metadata of the resource from the first of its addresses that has it."""
    tried = []
    for url in _resource_urls(walk):
        answer = await walk.wire.send("GET", url, JSON)
        document = answer.json_object() if answer.status == 200 else None
        if document is not None:
            walk.resource_document = document
            return _check_resource(walk, url, document, answer)
        tried.append(f"{url}: {answer.status}")
    raise Broken(
        f"no metadata ({'; '.join(tried)})", "include protected_resource(…).router in the application"
    )


def _resource_urls(walk: Walk) -> Sequence[str]:
    named = walk.challenge.get("resource_metadata")
    parts = urlsplit(walk.url)
    guessed = [document_url(walk.url), f"{parts.scheme}://{parts.netloc}{DOCUMENT}"]
    return list(dict.fromkeys([named, *guessed] if named else guessed))


def _check_resource(walk: Walk, url: str, document: Mapping[str, Any], answer: Answer) -> str | Odd:
    resource, servers = document.get("resource"), document.get("authorization_servers")
    if not isinstance(resource, str) or not _covers(resource, walk.url):
        raise Broken(
            f"resource is {resource!r}, which is not {walk.url}: clients that compare hosts stop here",
            IDENTIFIER,
        )
    if not isinstance(servers, list) or not servers or not all(isinstance(each, str) for each in servers):
        raise Broken("no authorization_servers", "name authorization_server in protected_resource(…)")
    if "offline_access" in (document.get("scopes_supported") or []):
        return Odd("offline_access stands among the scopes of the resource", "declare it nowhere")
    if not answer.header("content-type").startswith("application/json"):
        return Odd(f"the content type is {answer.header('content-type') or 'missing'}")
    if resource != walk.url:
        return Odd(f"resource is {resource}, which is not the URL itself", IDENTIFIER)
    return f"{url} names {servers[0]}"


def _covers(resource: str, url: str) -> bool:
    """Tell whether a resource is on the URL's host, and the same path or one above it."""
    ours, asked = read_http_uri(resource), read_http_uri(url)
    if ours is None or asked is None or ours.origin != asked.origin:
        return False
    return f"{asked.path.removesuffix('/')}/".startswith(f"{ours.path.removesuffix('/')}/")


async def find_server(walk: Walk) -> str | Odd:
    """Fetch the metadata of the authorization server."""
    issuer = str(walk.resource_document["authorization_servers"][0])
    tried = []
    for url in metadata_urls(issuer):
        answer = await walk.wire.send("GET", url, JSON)
        document = answer.json_object() if answer.status == 200 else None
        if document is not None:
            walk.server = document
            return _check_server(issuer, url, document)
        tried.append(f"{url}: {answer.status}")
    raise Broken(f"no metadata ({'; '.join(tried)})", PUBLIC_URL)


def _check_server(issuer: str, url: str, document: Mapping[str, Any]) -> str | Odd:
    if document.get("issuer") != issuer:
        raise Broken(f"the issuer is {document.get('issuer')!r}, and {issuer!r} was asked for", PUBLIC_URL)
    missing = [name for name in ("authorization_endpoint", "token_endpoint") if not document.get(name)]
    if missing:
        raise Broken(f"no {' and no '.join(missing)}")
    if "S256" not in (document.get("code_challenge_methods_supported") or []):
        raise Broken("no S256 in code_challenge_methods_supported: clients of 2026-07-28 refuse the server")
    if document.get("authorization_response_iss_parameter_supported") is not True:
        return Odd("iss in authorization responses is not announced; it is to become a must")
    return f"{url}, issuer {issuer}"
