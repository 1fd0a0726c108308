import dataclasses
from typing import Any

import pytest

from portico.oauth.protocol.fapi2_security_profile import (
    AUTHORIZATION_CHECKS,
    CLIENT_CHECKS,
    TOKEN_CHECKS,
    AuthorizationFacts,
    Check,
    TokenFacts,
    enforce,
    unmet,
)
from portico.oauth.protocol.refusals import Refused
from portico.oauth.protocol.rfc7591_members import ClientMetadata

pytestmark = pytest.mark.bar("A24-24.1")

CLIENT = ClientMetadata(
    redirect_uris=("https://app.example/cb", "com.example.app:/cb", "http://127.0.0.1/cb"),
    grant_types=("authorization_code", "refresh_token"),
    token_endpoint_auth_method="private_key_jwt",
    token_endpoint_auth_signing_alg="PS256",
    id_token_signed_response_alg="PS256",
    dpop_bound_access_tokens=True,
)
AUTHORIZATION = AuthorizationFacts(
    is_pushed=True, response_type="code", redirect_uri="https://app.example/cb", code_challenge_method="S256"
)
TOKEN = TokenFacts(auth_method="private_key_jwt", is_bound=True)


def failing(checks: Any, subject: Any, **changes: object) -> tuple[list[str], str]:
    """Return the demands that are not met after `changes`, and the error of the refusal."""
    changed = dataclasses.replace(subject, **changes)
    with pytest.raises(Refused) as caught:
        enforce(checks, changed)
    return unmet(checks, changed), caught.value.error


@pytest.mark.parametrize(
    ("checks", "subject"),
    [(CLIENT_CHECKS, CLIENT), (AUTHORIZATION_CHECKS, AUTHORIZATION), (TOKEN_CHECKS, TOKEN)],
)
def test_what_keeps_to_the_profile_passes(checks: Any, subject: Any) -> None:
    """OIDF happy-flow."""
    enforce(checks, subject)

    assert unmet(checks, subject) == []


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_client_of_mutual_tls_passes_too(method: str) -> None:
    client = dataclasses.replace(
        CLIENT,
        token_endpoint_auth_method=method,
        token_endpoint_auth_signing_alg=None,
        dpop_bound_access_tokens=False,
        tls_client_certificate_bound_access_tokens=True,
    )

    enforce(CLIENT_CHECKS, client)
    enforce(TOKEN_CHECKS, TokenFacts(auth_method=method, is_bound=True))


def test_a_client_without_people_needs_no_id_tokens() -> None:
    machine = dataclasses.replace(
        CLIENT,
        redirect_uris=(),
        response_types=(),
        grant_types=("client_credentials",),
        id_token_signed_response_alg=None,
    )

    enforce(CLIENT_CHECKS, machine)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"token_endpoint_auth_method": "none"}, "confidential client"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "confidential client"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "confidential client"),
        ({"token_endpoint_auth_signing_alg": "RS256"}, "strong signatures of the client"),
        ({"token_endpoint_auth_signing_alg": "HS256"}, "strong signatures of the client"),
        ({"request_object_signing_alg": "RS256"}, "strong signatures of the client"),
        ({"request_object_signing_alg": "none"}, "strong signatures of the client"),
        ({"id_token_signed_response_alg": "RS256"}, "strong signatures of ID tokens"),
        ({"id_token_signed_response_alg": None}, "strong signatures of ID tokens"),
        ({"dpop_bound_access_tokens": False}, "sender-constrained access tokens"),
        ({"response_types": ("code", "code id_token")}, "code flow only"),
    ],
)
def test_a_client_that_does_not_keep_to_it_is_refused(changes: dict[str, object], name: str) -> None:
    assert failing(CLIENT_CHECKS, CLIENT, **changes) == ([name], "invalid_client_metadata")


@pytest.mark.parametrize(
    "uri", ["http://app.example/cb", "HTTP://app.example/cb", "http://127.0.0.1.evil.example/cb"]
)
def test_no_redirect_goes_over_plain_http(uri: str) -> None:
    answer = failing(CLIENT_CHECKS, CLIENT, redirect_uris=(*CLIENT.redirect_uris, uri))

    assert answer == (["no plain http redirects"], "invalid_redirect_uri")


@pytest.mark.parametrize(
    ("changes", "name", "error"),
    [
        pytest.param(
            {"is_pushed": False},
            "pushed request",
            "invalid_request",
            id="ensure-unsigned-authorization-request-without-using-par-fails",
        ),
        pytest.param(
            {"response_type": "code id_token"},
            "response type code",
            "unsupported_response_type",
            id="ensure-response-type-code-idtoken-fails",
        ),
        pytest.param(
            {"response_type": "token"},
            "response type code",
            "unsupported_response_type",
            id="ensure-response-type-token-fails",
        ),
        pytest.param(
            {"redirect_uri": None},
            "redirect URI in the request",
            "invalid_request",
            id="ensure-redirect-uri-in-authorization-request",
        ),
        pytest.param(
            {"code_challenge_method": None},
            "PKCE with S256",
            "invalid_request",
            id="par-ensure-pkce-required",
        ),
        pytest.param(
            {"code_challenge_method": "plain"},
            "PKCE with S256",
            "invalid_request",
            id="par-plain-pkce-rejected",
        ),
    ],
)
def test_an_authorization_request_that_does_not_keep_to_it_is_refused(
    changes: dict[str, object], name: str, error: str
) -> None:
    """Named after the modules of the OIDF suite."""
    assert failing(AUTHORIZATION_CHECKS, AUTHORIZATION, **changes) == ([name], error)


@pytest.mark.parametrize(
    ("changes", "name", "error"),
    [
        ({"auth_method": "client_secret_basic"}, "client authentication by key", "invalid_client"),
        ({"auth_method": "none"}, "client authentication by key", "invalid_client"),
        pytest.param(
            {"is_bound": False},
            "sender-constrained access token",
            "invalid_request",
            id="ensure-holder-of-key-required",
        ),
    ],
)
def test_a_token_request_that_does_not_keep_to_it_is_refused(
    changes: dict[str, object], name: str, error: str
) -> None:
    assert failing(TOKEN_CHECKS, TOKEN, **changes) == ([name], error)


def test_a_refusal_names_the_section_in_the_log_only() -> None:
    with pytest.raises(Refused) as caught:
        enforce(TOKEN_CHECKS, dataclasses.replace(TOKEN, auth_method="none"))

    assert "5.3.2.1" in caught.value.detail
    assert "5.3.2.1" not in caught.value.description


def test_what_it_says_can_stand_in_an_error_description() -> None:
    """RFC 6749, section 5.2."""
    tables: tuple[tuple[Check[Any], ...], ...] = (CLIENT_CHECKS, AUTHORIZATION_CHECKS, TOKEN_CHECKS)
    descriptions = [check.description for checks in tables for check in checks]

    assert all(" " <= letter <= "~" and letter not in '"\\' for text in descriptions for letter in text)
