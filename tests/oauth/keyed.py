"""Clients that sign: assertions, request objects and DPoP proofs, as a developer with a private key makes them.

keyed = await Keyed.register(house, dpop_bound_access_tokens=True)
pushed = await keyed.push(scope="openid")                     # 201 {request_uri, expires_in}
back = await keyed.authorize(pushed)                          # Ada consents; the parameters of the answer
tokens = await keyed.exchange(back)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2

from portico.oauth.protocol.jose import parse_jwk
from portico.oauth.protocol.jose.signing import sign
from portico.oauth.protocol.rfc7523_client_assertions import CLIENT_ASSERTION_TYPE
from portico.oauth.types import ClientPolicy, Profile
from tests.oauth.kit import FORM, VERIFIER, House, TestClient, returned
from tests.oauth.protocol.foreign_keys import Jwk, ec_key, public

ISSUER = "http://localhost:8000"
FAPI_MEMBERS: dict[str, Any] = {
    "id_token_signed_response_alg": "ES256",
    "dpop_bound_access_tokens": True,
    "token_endpoint_auth_method": "private_key_jwt",
}
FAPI = ClientPolicy(profile=Profile.FAPI2)


class _LeaveOut:
    """Has a name that is the same in every process, for it stands in names of tests."""

    def __repr__(self) -> str:
        return "LEAVE_OUT"


LEAVE_OUT: Any = _LeaveOut()
"""As the value of a claim: do not say it."""


def said(**claims: Any) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not LEAVE_OUT}


def thumbprint(key: Jwk) -> str:
    return parse_jwk(public(key)).thumbprint


@dataclass
class Keyed:
    """A client with a private key, its proof key, and the house it belongs to."""

    house: House
    client: TestClient
    key: Jwk
    alg: str = "ES256"
    proof_key: Jwk | None = None
    nonce: str | None = None
    counted: int = field(default=0)

    @classmethod
    async def register(
        cls,
        house: House,
        *,
        key: Jwk | None = None,
        alg: str = "ES256",
        proof_key: Jwk | None = None,
        policy: ClientPolicy | None = None,
        **members: Any,
    ) -> "Keyed":
        key = key or ec_key()
        given = {
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [public(key, kid="k1")]},
            **members,
        }
        return cls(house, await house.client(policy=policy, **given), key, alg, proof_key)

    @classmethod
    async def fapi(cls, house: House, **members: Any) -> "Keyed":
        """Register a client of the FAPI 2.0 profile, bound by DPoP."""
        proof_key = members.pop("proof_key", None) or ec_key("proof")
        return await cls.register(house, policy=FAPI, proof_key=proof_key, **{**FAPI_MEMBERS, **members})

    @property
    def now(self) -> int:
        return int(self.house.clock.now().timestamp())

    def assertion(
        self, *, key: Jwk | None = None, alg: str | None = None, kid: str = "k1", **claims: Any
    ) -> str:
        """Return a client assertion; `claims` in the place of the proper ones."""
        name = self.client.client_id
        body = said(
            **{
                "iss": name,
                "sub": name,
                "aud": ISSUER,
                "jti": uuid4().hex,
                "iat": self.now,
                "exp": self.now + 60,
                **claims,
            }
        )
        return sign(body, key or self.key, alg or self.alg, header={"kid": kid})

    def proved(self, assertion: str | None = None) -> dict[str, str]:
        """Return the parameters by which the client proves itself."""
        return {
            "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        }

    def request_object(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        key: Jwk | None = None,
        alg: str | None = None,
        typ: str = "oauth-authz-req+jwt",
        kid: str = "k1",
        **claims: Any,
    ) -> str:
        """Return a signed authorization request; `claims` in the place of the proper ones."""
        body = said(
            **{
                "iss": self.client.client_id,
                "aud": ISSUER,
                "iat": self.now,
                "nbf": self.now,
                "exp": self.now + 300,
                **(self.house.request(self.client) if parameters is None else parameters),
                **claims,
            }
        )
        return sign(body, key or self.key, alg or self.alg, header={"kid": kid, "typ": typ})

    def proof(
        self,
        path: str = "/oauth/token",
        method: str = "POST",
        *,
        key: Jwk | None = None,
        alg: str = "ES256",
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a DPoP proof; `claims` in the place of the proper ones."""
        key = key or self.proof_key or ec_key("proof")
        body = said(
            **{
                "jti": uuid4().hex,
                "htm": method,
                "htu": ISSUER + path,
                "iat": self.now,
                "nonce": self.nonce if self.nonce is not None else LEAVE_OUT,
                **claims,
            }
        )
        return sign(body, key, alg, header={"typ": "dpop+jwt", "jwk": public(key), **(header or {})})

    def bound(self, path: str = "/oauth/token") -> dict[str, str]:
        """Return the header of a proof, where the client has a key for it."""
        return {"DPoP": self.proof(path)} if self.proof_key is not None else {}

    async def post(
        self, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Send a form as it is given."""
        self.house.http.cookies.clear()
        given = {name: value for name, value in parameters.items() if value is not None}
        body = urlencode(given, doseq=True)
        return await self.house.http.post(path, content=body, headers={**FORM, **(headers or {})})

    async def try_push(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        assertion: str | None = None,
        **changed: Any,
    ) -> httpx2.Response:
        """Try to push a request; without `parameters` a proper one, with what `changed` says."""
        given = self.house.request(self.client, **changed) if parameters is None else parameters
        return await self.post("/oauth/par", {**given, **self.proved(assertion)}, headers)

    async def push(self, **changed: Any) -> str:
        """Push a request, which must work; return its name."""
        answer = await self.try_push(**changed)
        assert answer.status_code == 201, answer.text
        name: str = answer.json()["request_uri"]
        return name

    async def ask_with(self, request_uri: str, person: str | None = "ada", **more: Any) -> httpx2.Response:
        """Send a browser to the authorization endpoint with a pushed request."""
        query = urlencode({"client_id": self.client.client_id, "request_uri": request_uri, **more})
        return await self.house.get(f"/oauth/authorize?{query}", person)

    async def authorize(
        self, request_uri: str, person: str = "ada", action: str = "approve"
    ) -> dict[str, str]:
        """Let a person answer a pushed request; return the parameters of the answer."""
        answer = await self.house.answer(await self.ask_with(request_uri, person), person, action)
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return returned(answer)

    async def code(self, **changed: Any) -> dict[str, str]:
        """Push, sign in, consent."""
        return await self.authorize(await self.push(**changed))

    async def code_by_proof(self) -> dict[str, str]:
        """Push with a proof beside the request, sign in, consent."""
        answer = await self.try_push(headers=self.bound("/oauth/par"))
        assert answer.status_code == 201, answer.text
        return await self.authorize(answer.json()["request_uri"])

    async def token(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        assertion: str | None = None,
        **parameters: Any,
    ) -> httpx2.Response:
        """Ask the token endpoint, with an assertion, and a proof unless `headers` say otherwise."""
        chosen = self.bound() if headers is None else headers
        return await self.post("/oauth/token", {**parameters, **self.proved(assertion)}, chosen)

    async def try_exchange(self, back: Mapping[str, str], **changed: Any) -> httpx2.Response:
        """Try to exchange a code."""
        given = {
            "grant_type": "authorization_code",
            "code": back["code"],
            "redirect_uri": self.client.redirect_uri,
            "code_verifier": VERIFIER,
            **changed,
        }
        return await self.token(**given)

    async def exchange(self, back: Mapping[str, str], **changed: Any) -> dict[str, Any]:
        """Exchange a code, which must work."""
        answer = await self.try_exchange(back, **changed)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def tokens(self, **changed: Any) -> dict[str, Any]:
        """Go the whole way: push, consent, exchange."""
        return await self.exchange(await self.code(**changed))


def refused(answer: httpx2.Response, error: str, status: int = 400) -> None:
    """Check that an endpoint refused in the shape of RFC 6749, section 5.2."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"] == error, answer.text


def shown(answer: httpx2.Response, error: str) -> None:
    """Check that the authorization endpoint showed an error to the visitor and sent it nowhere (row 1.3)."""
    assert answer.status_code == 400, (answer.status_code, answer.headers)
    assert "location" not in answer.headers
    assert f"<code>{error}</code>" in answer.text, answer.text
