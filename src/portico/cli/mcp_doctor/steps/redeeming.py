"""The token endpoint: a code for tokens, and tokens for new ones."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from portico.cli.mcp_doctor.findings import Broken, Odd
from portico.cli.mcp_doctor.walking import Walk
from portico.cli.mcp_doctor.wire import Answer

FORM = "application/x-www-form-urlencoded"


async def redeem_code(walk: Walk) -> str | Odd:
    """Exchange the code."""
    answer = await _asked(
        walk,
        grant_type="authorization_code",
        code=walk.returned["code"],
        redirect_uri=walk.redirect_uri,
        code_verifier=walk.verifier,
        resource=walk.resource,
    )
    walk.tokens = _tokens(answer)
    _check_audience(walk)
    if answer.header("cache-control").lower().find("no-store") < 0:
        return Odd("the answer may be stored: no Cache-Control: no-store")
    if "expires_in" not in walk.tokens:
        return Odd("no expires_in: clients cannot refresh in time")
    if walk.profile.refreshes and "refresh_token" not in walk.tokens:
        return Odd("no refresh_token, although the client registered for it: people sign in again and again")
    return f"expires_in {walk.tokens['expires_in']}, scope {walk.tokens.get('scope', 'as asked')}"


async def refresh(walk: Walk) -> str | Odd:
    """Exchange the refresh token."""
    before = walk.tokens.get("refresh_token")
    if not walk.profile.refreshes:
        return "the client does not refresh"
    if not isinstance(before, str):
        raise Broken(
            "there is no refresh_token", "offer offline_access, and give it where refresh_token is registered"
        )
    answer = await _asked(walk, grant_type="refresh_token", refresh_token=before, resource=walk.resource)
    walk.refreshed = _tokens(answer)
    is_same = walk.refreshed.get("refresh_token", before) == before
    if is_same and walk.client.secret is None:
        return Odd("the refresh token of a public client stays the same (OAuth 2.1, section 4.3.1)")
    return "a new access token" if is_same else "a new access token and a new refresh token"


async def _asked(walk: Walk, **parameters: str) -> Answer:
    headers = {"Content-Type": FORM, "Accept": "application/json"}
    form = {**parameters, "client_id": walk.client.client_id}
    client = walk.client
    if client.auth_method == "client_secret_post" and client.secret is not None:
        form["client_secret"] = client.secret
    elif client.auth_method == "client_secret_basic" and client.secret is not None:
        pair = f"{quote(client.client_id, safe='')}:{quote(client.secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return await walk.wire.send("POST", str(walk.server["token_endpoint"]), headers, urlencode(form).encode())


def _tokens(answer: Answer) -> Mapping[str, Any]:
    """Return the answer of the token endpoint.

    Raises:
        Broken: an error, or no bearer token.
    """
    document = answer.json_object()
    if answer.status != 200 or document is None:
        raise Broken(f"{answer.status} {answer.excerpt}")
    if not isinstance(document.get("access_token"), str):
        raise Broken("200 without access_token")
    kind = str(document.get("token_type", ""))
    if kind.lower() != "bearer":
        raise Broken(f"token_type is {kind or 'missing'!r}, and the client knows Bearer only")
    return document


def _check_audience(walk: Walk) -> None:
    """Look into the token where it is a JWT: clients do not, but the resource will."""
    claims = _claims(str(walk.tokens["access_token"]))
    audience = claims.get("aud")
    if claims and walk.resource not in (audience if isinstance(audience, list) else [audience]):
        raise Broken(
            f"the token is for {audience!r}, and {walk.resource!r} was asked for",
            "the authorization server ignores `resource` (RFC 8707); the MCP server must refuse its tokens",
        )


def _claims(token: str) -> Mapping[str, Any]:
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
