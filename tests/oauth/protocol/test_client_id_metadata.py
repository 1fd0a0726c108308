"""Documents about clients: which URLs and documents are good, and for how long (Client ID Metadata Document)."""

from datetime import timedelta
from typing import Any

import pytest

from portico.oauth.protocol.client_id_metadata import (
    LONGEST,
    SHORTEST,
    USUAL,
    believed_for,
    check_document_url,
    fingerprint,
    is_document_url,
    is_json_type,
    read_document,
)
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc7591_registration import RegistrationPolicy

URL = "https://app.example/client.json"
POLICY = RegistrationPolicy(custom_schemes=frozenset({"vscode"}))
DOCUMENT: dict[str, Any] = {
    "client_id": URL,
    "client_name": "App",
    "redirect_uris": ["https://app.example/cb", "http://localhost/callback"],
}


@pytest.mark.bar("A8-8.1")
@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://claude.ai/oauth/claude-code-client-metadata",
        "https://vscode.dev/oauth/client-metadata.json",
        "https://app.example/a/",
        "https://app.example:8443/c",
        "https://app.example/c?v=1",
        "https://app.example/a.b/..c/...",
        "https://APP.example/c",
        "https://app.example:443/c",
    ],
)
def test_url_of_a_document_is_taken_as_it_is_written(url: str) -> None:
    check_document_url(url)

    assert is_document_url(url)


@pytest.mark.bar("A8-8.1", "CHECK-22")
@pytest.mark.parametrize(
    "url",
    [
        "https://app.example",
        "https://app.example/",
        "https://app.example?x=/c",
        "https://app.example/./c",
        "https://app.example/../c",
        "https://app.example/a/..",
        "https://app.example/a/.",
        "https://app.example/%2e/c",
        "https://app.example/%2E%2e/c",
        "https://app.example/.%2e/c",
        "https://app.example/c#x",
        "https://app.example/c#",
        "https://user@app.example/c",
        "https://user:pw@app.example/c",
        "http://app.example/c",
        "http://localhost/c",
        "https:/app.example/c",
        "https:app.example/c",
        "ftp://app.example/c",
        "https://app.example/c d",
        "https://app.example\\c",
        "https://bücher.example/c",
        "https://app.example/c\n",
        "https://app.example/" + "c" * 500,
        "https://0x7f.1/c",
        "https://127.1/c",
    ],
)
def test_other_url_is_no_client(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_document_url(url)

    assert refused.value.error is ErrorCode.INVALID_CLIENT


def test_loopback_is_taken_only_where_tests_ask_for_it() -> None:
    check_document_url("http://127.0.0.1:9000/c", allows_loopback=True)
    assert not is_document_url("http://127.0.0.1:9000/c")
    with pytest.raises(Refused):
        check_document_url("http://app.example/c", allows_loopback=True)


@pytest.mark.bar("A8-8.3", "A30-30.5")
def test_document_without_a_method_is_a_public_client() -> None:
    metadata = read_document(URL, DOCUMENT, POLICY)

    assert metadata.is_public
    assert metadata.redirect_uris == ("https://app.example/cb", "http://localhost/callback")


@pytest.mark.bar("A8-8.3")
def test_members_of_lists_that_are_not_offered_are_passed_over() -> None:
    document = {
        **DOCUMENT,
        "redirect_uris": ["weird://x", "https://app.example/cb", "https://app.example/#f"],
        "grant_types": ["authorization_code", "refresh_token", "urn:example:own"],
        "response_types": ["code", "id_token token"],
        "unknown": [1],
    }

    metadata = read_document(URL, document, POLICY)

    assert metadata.redirect_uris == ("https://app.example/cb",)
    assert metadata.grant_types == ("authorization_code", "refresh_token")


@pytest.mark.bar("A8-8.8")
def test_document_may_name_keys() -> None:
    document = {
        **DOCUMENT,
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://app.example/jwks",
    }

    assert read_document(URL, document, POLICY).token_endpoint_auth_method == "private_key_jwt"


@pytest.mark.bar("A8-8.3", "CHECK-22")
@pytest.mark.parametrize(
    "change",
    [
        {"client_id": URL + "/"},
        {"client_id": "https://APP.example/client.json"},
        {"client_id": "https://app.example:443/client.json"},
        {"client_id": None},
        {"client_id": [URL]},
        {"client_secret": "x"},
        {"client_secret": None},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "attest_jwt_client_auth"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": ["none"]},
        {"redirect_uris": []},
        {"redirect_uris": None},
        {"redirect_uris": "https://app.example/cb"},
        {"redirect_uris": [1]},
        {"redirect_uris": ["javascript:alert(1)", "http://app.example/cb"]},
        {"client_name": {"a": 1}},
        {"logo_uri": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_document_that_cannot_be_trusted_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        read_document(URL, {**DOCUMENT, **change}, POLICY)

    assert refused.value.error in {ErrorCode.INVALID_CLIENT_METADATA, ErrorCode.INVALID_REDIRECT_URI}


@pytest.mark.bar("A8-8.2")
@pytest.mark.parametrize(
    ("kind", "is_json"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/oauth-client+json", True),
        ("application/a.b-c+json;v=1", True),
        ("text/html", False),
        ("text/json", False),
        ("", False),
        ("application/jsonp", False),
        ("application/+json", False),
        ("application/x json", False),
        ("json", False),
        ("text/html; x=application/json", False),
        ("application/javascript", False),
    ],
)
def test_media_type_must_be_json(kind: str, is_json: bool) -> None:
    assert is_json_type(kind) == is_json


DATE = "Fri, 20 Nov 2026 12:00:00 GMT"


@pytest.mark.bar("A8-8.5")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, USUAL),
        ({"cache-control": "max-age=3600"}, timedelta(hours=1)),
        ({"cache-control": "public, Max-Age=3600", "age": "600"}, timedelta(minutes=50)),
        ({"cache-control": "max-age=3600", "age": "7200"}, SHORTEST),
        ({"cache-control": 'max-age="600"'}, timedelta(minutes=10)),
        ({"cache-control": "max-age=0"}, SHORTEST),
        ({"cache-control": "max-age=31536000"}, LONGEST),
        ({"cache-control": "max-age=999999999999999999999"}, SHORTEST),
        ({"cache-control": "max-age=-5"}, SHORTEST),
        ({"cache-control": "max-age=x"}, SHORTEST),
        ({"cache-control": "no-store, max-age=3600"}, SHORTEST),
        ({"cache-control": "no-cache"}, SHORTEST),
        ({"expires": "Fri, 20 Nov 2026 13:00:00 GMT", "date": DATE}, timedelta(hours=1)),
        (
            {"expires": "Fri, 20 Nov 2026 13:00:00 GMT", "date": DATE, "cache-control": "max-age=60"},
            timedelta(minutes=1),
        ),
        ({"expires": "0", "date": DATE}, SHORTEST),
        ({"expires": "Fri, 20 Nov 2026 13:00:00 GMT"}, SHORTEST),
        ({"expires": "Fri, 20 Nov 9999999 13:00:00 GMT", "date": DATE}, SHORTEST),
    ],
)
def test_document_is_believed_as_long_as_its_headers_say_within_bounds(
    headers: dict[str, str], expected: timedelta
) -> None:
    assert believed_for(headers) == expected


@pytest.mark.bar("A8-8.6")
def test_fingerprint_changes_with_what_a_consent_depends_on_and_nothing_else() -> None:
    def print_of(**change: Any) -> str:
        return fingerprint(URL, read_document(URL, {**DOCUMENT, **change}, POLICY))

    same = print_of()

    assert same == print_of(redirect_uris=list(reversed(DOCUMENT["redirect_uris"])))
    assert same == print_of(contacts=["a@b.example"], software_version="2", scope="openid")
    changes: list[dict[str, Any]] = [
        {"client_name": "Other"},
        {"redirect_uris": ["https://app.example/cb"]},
        {"client_uri": "https://other.example"},
        {"jwks": {"keys": [{"kty": "RSA"}]}},
        {"jwks_uri": "https://app.example/jwks"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/jwks"},
    ]
    assert len({same, *(print_of(**change) for change in changes)}) == 1 + len(changes)
