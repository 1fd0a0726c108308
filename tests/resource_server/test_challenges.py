"""What a client is told that does not get in: status, scheme, error, scopes, and where to go on."""

from typing import Any

import pytest

from tests.resource_server.conftest import Api, Declaring, Issuer

pytestmark = pytest.mark.anyio

POINTER = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/notes"'


@pytest.mark.bar("A2-2.1", "A30-30.20", "A30-30.21", "A5-5.3")
async def test_no_token_is_no_error(small_api: Api) -> None:
    answer = await small_api.read()

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer scope="notes:read", {POINTER}'


@pytest.mark.parametrize("header", ["Basic YTpi", "Digest x", "Negotiate"])
async def test_another_scheme_is_no_token(small_api: Api, header: str) -> None:
    answer = await small_api.read(headers={"Authorization": header})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        401,
        f'Bearer scope="notes:read", {POINTER}',
    )


@pytest.mark.bar("A2-2.4")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_scheme_is_read_in_any_case(small_api: Api, issuer: Issuer, scheme: str) -> None:
    assert (await small_api.read(issuer.token(), scheme=scheme)).status_code == 200


@pytest.mark.bar("A2-2.3", "A30-30.24")
async def test_token_in_the_query_is_not_looked_at(small_api: Api, issuer: Issuer) -> None:
    answer = await small_api.read(params={"access_token": issuer.token()})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (
        401,
        f'Bearer scope="notes:read", {POINTER}',
    )


MALFORMED: dict[str, dict[str, Any]] = {
    "no token": {"headers": {"Authorization": "Bearer"}},
    "a space for a token": {"headers": {"Authorization": "Bearer "}},
    "two words": {"headers": {"Authorization": "Bearer one two"}},
    "two credentials": {"headers": {"Authorization": "Bearer one, Basic YTpi"}},
    "no scheme": {"headers": {"Authorization": '"Bearer" one'}},
    "two headers": {"headers": [("Authorization", "Bearer one"), ("Authorization", "Bearer two")]},
    "header and query": {"headers": {"Authorization": "Bearer one"}, "params": {"access_token": "two"}},
    "header and an endless query": {
        "headers": {"Authorization": "Bearer one"},
        "params": [("a", "b")] * 200 + [("access_token", "x")],
    },
}


@pytest.mark.bar("A2-2.2", "A2-2.3")
@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED.keys())
async def test_credentials_that_could_be_read_in_two_ways(small_api: Api, request_: dict[str, Any]) -> None:
    answer = await small_api.client.get("/notes", **request_)

    assert answer.status_code == 400
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_request"')


@pytest.mark.bar("A2-2.2", "A30-30.23")
async def test_narrow_token_is_told_all_that_it_lacks(small_api: Api, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(scope='notes:read')}"}
    answer = await small_api.client.post("/notes", headers=headers)

    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", error_description="The access token is not good for this", '
        f'scope="notes:write", {POINTER}'
    )


@pytest.mark.bar("A30-30.23")
async def test_scope_that_implies_another_is_enough(small_api: Api, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(scope='notes:all')}"}

    assert (await small_api.client.post("/notes", headers=headers)).status_code == 200


@pytest.mark.bar("A30-30.24")
async def test_each_request_is_asked_anew(small_api: Api, issuer: Issuer) -> None:
    statuses = [(await small_api.read(token)).status_code for token in (issuer.token(), None, issuer.token())]

    assert statuses == [200, 401, 200]


@pytest.mark.bar("A30-30.24")
@pytest.mark.parametrize(
    "host", ["evil.example", "api.example.com.evil.example", "api.example.com:8443", "", "a b"]
)
async def test_another_host_is_not_ours(small_api: Api, issuer: Issuer, host: str) -> None:
    assert (await small_api.read(issuer.token(), headers={"Host": host})).status_code == 421


@pytest.mark.bar("A30-30.24")
@pytest.mark.parametrize("origin", ["https://evil.example", "http://api.example.com", "null", "file://", ""])
async def test_pages_elsewhere_may_not_call(small_api: Api, issuer: Issuer, origin: str) -> None:
    assert (await small_api.read(issuer.token(), headers={"Origin": origin})).status_code == 403


async def test_own_and_listed_names_may(declared: Declaring, issuer: Issuer) -> None:
    notes = declared(allowed_hosts=["inside.example:8443"], allowed_origins=["https://app.example.com"])
    api, headers = Api(notes), {"Authorization": f"Bearer {issuer.token()}"}
    statuses = [
        (await api.client.get("/notes", headers={**headers, **more})).status_code
        for more in (
            {"Host": "API.example.com:443"},
            {"Host": "inside.example:8443"},
            {"Origin": "https://api.example.com"},
            {"Origin": "https://app.example.com"},
        )
    ]
    await notes.close()

    assert statuses == [200, 200, 200, 200]
