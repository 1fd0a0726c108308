"""The authorization request, what the person does with it, and the answer."""

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from portico.cli.mcp_doctor.findings import Broken, Odd, Stopped
from portico.cli.mcp_doctor.signing_in import sign_in_by_browser, sign_in_by_forms
from portico.cli.mcp_doctor.walking import Walk
from portico.oauth.protocol.uris import read_http_uri

OFFLINE = "offline_access"
REDIRECTS = (
    "the redirect URI must match the registered one; on loopback the port is free (RFC 8252, section 7.3)"
)
FETCHED = (
    "the server must reach the document and find it good: its log says what is wrong; "
    "PORTICO_OAUTH__DOCUMENT_HOSTS, PORTICO_OUTBOUND__*, or --document for one that it can reach"
)
DECLARED = "is the resource known? protected_resource(…).feature(…), or PORTICO_OAUTH__RESOURCES"


async def ask_for_authorization(walk: Walk) -> str | Odd:
    """Send the person's browser there, in thought: the first answer tells whether the request is taken."""
    walk.requested = _parameters(walk)
    endpoint = str(walk.server["authorization_endpoint"])
    walk.start_url = (
        f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(walk.requested, quote_via=quote)}"
    )
    answer = await walk.wire.send("GET", walk.start_url, {"Accept": "text/html"})
    there = answer.header("location")
    if 300 <= answer.status < 400 and there:
        there = urljoin(walk.start_url, there)
        if is_answer(walk, there):
            _refuse_error(parameters_of(there))
        return f"{answer.status} to {there.partition('?')[0]}"
    if answer.status != 200:
        mends = f"{REDIRECTS}; {FETCHED}" if read_http_uri(walk.client.client_id) else REDIRECTS
        raise Broken(f"{answer.status} {_shown(answer.excerpt)}", mends)
    return "200, a page"


def _parameters(walk: Walk) -> dict[str, str]:
    """Return the request as clients of the official SDKs make it (MCP authorization, scope selection)."""
    parameters = {
        "response_type": "code",
        "client_id": walk.client.client_id,
        "redirect_uri": walk.redirect_uri,
        "state": walk.secret(),
        "code_challenge": walk.challenge_of_verifier,
        "code_challenge_method": "S256",
        "resource": walk.resource,
    }
    scope = _scope(walk)
    if scope:
        parameters["scope"] = scope
    if OFFLINE in scope.split():
        parameters["prompt"] = "consent"
    return parameters


def _scope(walk: Walk) -> str:
    """Take what the challenge asked for, else all that the resource has, else none; and stay, where that is offered."""
    listed = walk.resource_document.get("scopes_supported")
    usual = " ".join(listed) if isinstance(listed, list) else ""
    scope = walk.challenge.get("scope", usual)
    offered = walk.server.get("scopes_supported")
    if scope and walk.profile.refreshes and isinstance(offered, list) and OFFLINE in offered:
        scope = f"{scope} {OFFLINE}"
    return scope


async def sign_in(walk: Walk) -> str | Odd:
    """Let the person through, by a browser or by filling Portico's forms."""
    if walk.options.stops_before_sign_in:
        raise Stopped("stopped before sign-in, as asked")
    if walk.options.credentials is not None:
        there = await sign_in_by_forms(
            walk.wire, walk.start_url, walk.options.credentials, lambda url: is_answer(walk, url)
        )
    elif walk.profile.is_local:
        there = await sign_in_by_browser(walk.listener, walk.start_url, walk.redirect_uri, walk.say)
    else:
        raise Stopped(
            f"{walk.profile.title} gets its answer elsewhere: give --username to let the forms be filled"
        )
    walk.returned = parameters_of(there)
    return f"back at {there.partition('?')[0]}"


async def check_answer(walk: Walk) -> str | Odd:
    """Read the authorization response as a careful client does."""
    _refuse_error(walk.returned)
    if not secrets.compare_digest(walk.returned.get("state", ""), walk.requested["state"]):
        raise Broken("state is not the one that was sent")
    _check_issuer(walk.server, walk.returned.get("iss"))
    if not walk.returned.get("code"):
        raise Broken("no code")
    return "a code" + (f", iss {walk.returned['iss']}" if "iss" in walk.returned else "")


def _check_issuer(server: Mapping[str, Any], iss: str | None) -> None:
    """Compare byte for byte (RFC 9207, section 2.4)."""
    if iss is not None and iss != server["issuer"]:
        raise Broken(f"iss is {iss!r}, the issuer is {server['issuer']!r}", "PORTICO_PUBLIC_URL")
    if iss is None and server.get("authorization_response_iss_parameter_supported") is True:
        raise Broken("no iss, although the server announced it")


def is_answer(walk: Walk, url: str) -> bool:
    """Tell whether a URL is the redirect URI of the client, with whatever parameters."""
    return url.partition("?")[0].partition("#")[0] == walk.redirect_uri.partition("?")[0]


def parameters_of(url: str) -> Mapping[str, str]:
    """Return the parameters of an answer."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _refuse_error(parameters: Mapping[str, str]) -> None:
    error = parameters.get("error")
    if error is None:
        return
    mends = DECLARED if error in {"invalid_target", "invalid_scope"} else ""
    raise Broken(f"error={error}: {_shown(parameters.get('error_description', ''))}", mends)


def _shown(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:300]
