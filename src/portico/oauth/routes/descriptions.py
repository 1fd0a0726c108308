"""What the endpoints of the protocol take and answer, for the OpenAPI document.

Nothing here is enforced: the checks of the pipeline and the readers of `protocol` are. Unknown parameters are ignored
(RFC 6749, section 3.1), so no schema is closed.
"""

from collections.abc import Collection, Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Final, get_args, get_type_hints

from portico.oauth.protocol.refusals import ErrorCode
from portico.oauth.protocol.rfc7591_registration import ClientMetadata
from portico.oauth.types import GrantType

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
TEXT: Final = {"type": "string"}
OBJECT: Final = {"type": "object"}
TIME: Final = {"type": "integer", "description": "Seconds since 1970."}
PARAMETERS: Final[Mapping[str, str]] = {
    "response_type": "`code`.",
    "client_id": "The client's name.",
    "client_secret": "How the client proves itself, where it is registered for `client_secret_post`.",
    "client_assertion": "A signed JWT by which the client proves itself (RFC 7523, section 2.2).",
    "client_assertion_type": "`urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.",
    "redirect_uri": "Where the answer goes: one of those that the client has registered, character by character.",
    "scope": "What is asked for, parted by spaces.",
    "state": "Comes back as it is.",
    "nonce": "Comes back in the ID token (OpenID Connect Core 1.0, section 3.1.2.1).",
    "code_challenge": "SHA-256 of the verifier, base64url (RFC 7636, section 4.2).",
    "code_challenge_method": "`S256`.",
    "resource": "The API that the tokens are for (RFC 8707); may be given more than once.",
    "response_mode": "`query` or `form_post`; `jwt`, `query.jwt` or `form_post.jwt` for a signed answer (JARM).",
    "prompt": "`none`, `login`, `consent`, `select_account` or `create`.",
    "max_age": "How many seconds ago the person may have signed in at most.",
    "login_hint": "Whom the client takes the visitor for.",
    "id_token_hint": "An ID token of the person who is meant.",
    "claims": "Single claims that are asked for (OpenID Connect Core 1.0, section 5.5).",
    "acr_values": "How the person should have signed in, the best first.",
    "ui_locales": "Languages of the pages, the best first.",
    "authorization_details": "What exactly is asked for, a JSON array (RFC 9396).",
    "dpop_jkt": "Thumbprint of the key to which the code is bound (RFC 9449, section 10).",
    "request": "The request as a signed JWT (RFC 9101).",
    "request_uri": "What the endpoint of pushed requests answered (RFC 9126).",
    "grant_type": "By what tokens are asked for.",
    "code": "The authorization code.",
    "code_verifier": "What `code_challenge` was made of (RFC 7636, section 4.5).",
    "refresh_token": "The refresh token; another one comes with the answer.",
    "device_code": "The code that the device was given (RFC 8628, section 3.4).",
    "assertion": "A JWT of an issuer that is trusted (RFC 7523, section 2.1).",
    "subject_token": "The token that is exchanged (RFC 8693, section 2.1).",
    "subject_token_type": "Of which kind it is.",
    "actor_token": "A token of who acts.",
    "actor_token_type": "Of which kind it is.",
    "requested_token_type": "Which kind of token is wanted.",
    "audience": "For whom the token is wanted; may be given more than once.",
    "token": "The token.",
    "token_type_hint": "`access_token` or `refresh_token`; a wrong one does no harm.",
    "access_token": "The token, where it does not stand in the `Authorization` header.",
    "post_logout_redirect_uri": "Where the person goes afterwards: one of those that the client has registered.",
}
OF_CLIENT: Final = ("client_id", "client_secret", "client_assertion", "client_assertion_type")
OF_AUTHORIZATION: Final = (
    "response_type", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "resource",
    "response_mode", "prompt", "max_age", "login_hint", "id_token_hint", "claims", "acr_values", "ui_locales",
    "authorization_details", "dpop_jkt", "request",
)  # fmt: skip
OF_TOKENS: Final = (
    "grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "device_code", "assertion", "scope",
    "resource", "authorization_details", "subject_token", "subject_token_type", "actor_token", "actor_token_type",
    "requested_token_type", "audience",
)  # fmt: skip
OF_LOGOUT: Final = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")
ERROR: Final = {
    "type": "object",
    "description": "An error (RFC 6749, section 5.2).",
    "required": ["error", "error_description"],
    "properties": {
        "error": {"type": "string", "enum": [code.value for code in ErrorCode]},
        "error_description": {"type": "string", "description": "For people who write clients."},
    },
}
TOKENS: Final = {
    "type": "object",
    "description": "Tokens (RFC 6749, section 5.1).",
    "required": ["access_token", "token_type", "expires_in", "scope"],
    "properties": {
        "access_token": TEXT,
        "token_type": {"type": "string", "description": "`Bearer`, `DPoP`, or `N_A` (RFC 8693)."},
        "expires_in": {"type": "integer", "description": "Seconds."},
        "scope": TEXT,
        "refresh_token": TEXT,
        "id_token": TEXT,
        "authorization_details": {"type": "array", "items": OBJECT},
        "issued_token_type": TEXT,
    },
}
TOLD_OF_TOKEN: Final = {
    "type": "object",
    "description": "What a token is worth (RFC 7662, section 2.2). Of a token that is worth nothing, that alone.",
    "required": ["active"],
    "properties": {
        "active": {"type": "boolean"},
        **dict.fromkeys(
            ("scope", "client_id", "sub", "aud", "iss", "jti", "sid", "org_id", "token_type", "acr"), TEXT
        ),
        **dict.fromkeys(("exp", "iat", "auth_time"), TIME),
        "amr": {"type": "array", "items": TEXT},
        **dict.fromkeys(("act", "may_act", "cnf"), OBJECT),
        "authorization_details": {"type": "array", "items": OBJECT},
    },
}
PERSON: Final = {
    "type": "object",
    "description": "Claims of a person, as far as the token's scopes let see them.",
    "required": ["sub"],
    "properties": {
        **dict.fromkeys(("sub", "name", "preferred_username", "email", "locale", "zoneinfo"), TEXT),
        "email_verified": {"type": "boolean"},
        "updated_at": TIME,
    },
}
PUSHED: Final = {
    "type": "object",
    "description": "What stands for the request at the authorization endpoint (RFC 9126, section 2.2).",
    "required": ["request_uri", "expires_in"],
    "properties": {"request_uri": TEXT, "expires_in": {"type": "integer", "description": "Seconds."}},
}
DEVICE: Final = {
    "type": "object",
    "description": "What a device shows, and with what it asks again (RFC 8628, section 3.2).",
    "required": ["device_code", "user_code", "verification_uri", "expires_in"],
    "properties": {
        **dict.fromkeys(("device_code", "user_code", "verification_uri", "verification_uri_complete"), TEXT),
        "expires_in": {"type": "integer", "description": "Seconds."},
        "interval": {"type": "integer", "description": "Seconds between two questions."},
    },
}


def takes_form(*names: str, required: Collection[str] = ()) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that takes these parameters as a form."""
    schema = {
        "type": "object",
        "properties": {name: _parameter(name) for name in names},
        "required": list(required),
    }
    return {"requestBody": {"required": bool(required), "content": {FORM: {"schema": schema}}}}


def takes_query(*names: str) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that takes these parameters in its address."""
    return {"parameters": [{"name": name, "in": "query", "schema": _parameter(name)} for name in names]}


def takes_metadata(*, of_registered: bool = False) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that takes what a client says of itself as JSON."""
    body = {"required": True, "content": {JSON: {"schema": metadata_schema()}}}
    return {"requestBody": body, **(of_client() if of_registered else {})}


def of_client() -> dict[str, Any]:
    """Return the `openapi_extra` of a route with a client's id in its path."""
    parameter = {"name": "client_id", "in": "path", "required": True, "schema": TEXT}
    return {"parameters": [parameter]}


def answers_json(
    schema: Mapping[str, Any] | None, *refusals: int, status: int = 200, other: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route: its answer, in a further media type too, and where RFC 6749's errors come."""
    answer: dict[str, Any] = {"description": "Done."}
    if schema is not None:
        answer = {"description": schema["description"], "content": {JSON: {"schema": schema}}}
    if other is not None:
        answer["content"][other] = {"schema": TEXT}
    return {status: answer, **dict.fromkeys(refusals, refusal())}


def refusal() -> dict[str, Any]:
    """Return an answer in the shape of RFC 6749, section 5.2."""
    return {"description": "Refused.", "content": {JSON: {"schema": ERROR}}}


def leads_on(*, shows: str | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route for browsers: a page, a redirect, or a page that says what is wrong."""
    page = {"content": {"text/html": {"schema": TEXT}}}
    return {
        **({200: {"description": shows, **page}} if shows else {}),
        303: {"description": "Leads the browser on."},
        400: {"description": "A page that says what is wrong.", **page},
    }


def metadata_schema() -> dict[str, Any]:
    """Return the schema of what a client says of itself (RFC 7591, section 2)."""
    kinds = get_type_hints(ClientMetadata)
    members = {each.name: _member(kinds[each.name]) for each in fields(ClientMetadata)}
    return {"type": "object", "properties": {**members, "scope": _or_null(TEXT)}}


def registration_schema() -> dict[str, Any]:
    """Return the schema of a registration (RFC 7591, section 3.2.1; RFC 7592, section 3)."""
    members: dict[str, Any] = {
        "client_id": TEXT,
        "client_id_issued_at": TIME,
        "client_secret": TEXT,
        "client_secret_expires_at": {"type": "integer", "description": "0: never."},
        "registration_access_token": TEXT,
        "registration_client_uri": TEXT,
    }
    required = ["client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"]
    said = metadata_schema()["properties"]
    return {
        "type": "object",
        "description": "The client as it is registered.",
        "required": required,
        "properties": {**said, **members},
    }


def _parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {**TEXT, "description": PARAMETERS[name]}
    if name == "grant_type":
        schema["enum"] = [grant.value for grant in GrantType]
    return schema


def _member(kind: Any) -> dict[str, Any]:
    """Return the schema of a member of this type; null says as much as nothing."""
    if kind is bool:
        return _or_null({"type": "boolean"})
    if kind == tuple[str, ...]:
        return _or_null({"type": "array", "items": TEXT})
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if str in kinds:
        return _or_null(TEXT)
    return _or_null({"type": "integer"} if int in kinds else {"type": "object"})


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}
