"""Presents tokens at the endpoints that tell or end what they are worth, as clients and resource servers do."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx2
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from portico.core.crypto import b64encode
from portico.oauth.protocol.rfc9449_dpop import token_hash
from tests.oauth.kit import FORM, House, TestClient

TOOLS = "https://api.example.com/mcp"
INACTIVE = {"active": False}


async def revoked(house: House, client: TestClient, token: str | None, **more: str) -> httpx2.Response:
    """Give a token back."""
    return await _posted(house, client, "/oauth/revoke", {"token": token, **more})


async def introspected(
    house: House, client: TestClient, token: str | None, *, accept: str | None = None, **more: str
) -> httpx2.Response:
    """Ask what a token is worth."""
    headers = {"Accept": accept} if accept else {}
    return await _posted(house, client, "/oauth/introspect", {"token": token, **more}, headers)


async def is_active(house: House, client: TestClient, token: str) -> bool:
    """Ask what a token is worth, and take the short answer."""
    answer = await introspected(house, client, token)
    assert answer.status_code == 200, answer.text
    if not answer.json()["active"]:
        assert answer.json() == INACTIVE
    return bool(answer.json()["active"])


async def told(house: House, token: str | None, *, scheme: str = "Bearer", **headers: str) -> httpx2.Response:
    """Ask for what is known of the person."""
    house.http.cookies.clear()
    shown = {"Authorization": f"{scheme} {token}"} if token is not None else {}
    return await house.http.get("/oauth/userinfo", headers={**shown, **headers})


async def _posted(
    house: House,
    client: TestClient,
    path: str,
    parameters: Mapping[str, str | None],
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    house.http.cookies.clear()
    given = {name: value for name, value in parameters.items() if value is not None}
    given = {**client.name, **given}
    return await house.http.post(
        path,
        content=urlencode(given),
        headers={**FORM, **client.proof, **(headers or {})},
        follow_redirects=False,
    )


class DpopKey:
    """A key of a client, and the proofs that it makes."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._key = ECKey.generate_key("P-256")
        self._count = 0

    def proof(self, method: str, path: str, *, token: str | None = None, **more: Any) -> dict[str, str]:
        """Return the header of a request; of a request to a resource, with its token."""
        self._count += 1
        claims = {
            "htm": method,
            "htu": f"http://localhost:8000{path}",
            "iat": int(self._house.clock.now().timestamp()),
            "jti": f"proof-{id(self)}-{self._count}",
            **({"ath": token_hash(token)} if token is not None else {}),
            **more,
        }
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._key.as_dict(private=False)}
        return {"DPoP": jws.serialize_compact(header, json.dumps(claims), self._key)}


async def verified(house: House, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT of ours, verified by the published keys and nothing of our code."""
    published = (await house.http.get("/.well-known/jwks.json")).json()
    keys = KeySet.import_key_set(published)
    content = jws.deserialize_compact(token, keys, algorithms=["RS256", "ES256"])
    return dict(content.headers()), json.loads(content.payload)


def altered(token: str) -> str:
    """Return a JWT whose signature is another one."""
    head, payload, signature = token.split(".")
    other = b64encode(bytes(byte ^ 1 for byte in b"signature" * 8))
    return f"{head}.{payload}.{other[: len(signature)]}"
