"""Where the metadata is found, and where not (rows 4.1, 4.2, 30.2)."""

from typing import Any

import pytest

from tests.oauth.kit import House

pytestmark = pytest.mark.anyio
DOCUMENTS = ("oauth-authorization-server", "openid-configuration")


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.mark.bar("A4-4.1", "A4-4.2", "A30-30.2")
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_both_documents_name_the_issuer_byte_for_byte(house: House, name: str) -> None:
    """RFC 8414, section 3.3; OpenID Connect Discovery 1.0, section 4.3."""
    answer = await house.http.get(f"/.well-known/{name}")

    assert answer.json()["issuer"] == "http://localhost:8000"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.bar("A4-4.1")
@pytest.mark.parametrize("name", DOCUMENTS)
async def test_another_issuers_address_is_not_ours(house: House, name: str) -> None:
    """RFC 8414, section 3.1: a client that looks under a path goes on to the next address if we have none there."""
    assert (await house.http.get(f"/.well-known/{name}/mcp")).status_code == 404


OF_EVERY_SERVER = {
    "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "scopes_supported",
    "response_types_supported", "response_modes_supported", "grant_types_supported",
    "token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
    "revocation_endpoint", "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported", "introspection_endpoint",
    "introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported", "authorization_response_iss_parameter_supported",
    "client_id_metadata_document_supported", "registration_endpoint", "pushed_authorization_request_endpoint",
    "device_authorization_endpoint", "end_session_endpoint", "dpop_signing_alg_values_supported",
    "mtls_endpoint_aliases", "userinfo_endpoint", "subject_types_supported",
    "id_token_signing_alg_values_supported", "claims_supported",
}  # fmt: skip
"""Row 4.3 and row 29.1, of a server on which everything is on."""


class TestWithEverything:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {
            "logging": {"access": False},
            "http": {"trusted_proxies": ["127.0.0.1"], "forwarded_header": "x-forwarded-for"},
            "oauth": {
                "dynamic_registration": "open",
                "tls_certificate_header": "X-Client-Cert",
                "tls_alias_url": "https://mtls.example",
            },
        }

    @pytest.mark.bar("A4-4.3", "A29-29.1", "A30-30.3", "A30-30.4", "A30-30.5", "A30-30.8")
    async def test_a_running_server_says_all_that_clients_look_for(self, house: House) -> None:
        first, second = [(await house.http.get(f"/.well-known/{name}")).json() for name in DOCUMENTS]

        assert first == second
        assert first.keys() >= OF_EVERY_SERVER
        assert first["code_challenge_methods_supported"] == ["S256"]
        assert first["authorization_response_iss_parameter_supported"] is True
        assert first["client_id_metadata_document_supported"] is True
        assert {"openid", "offline_access"} <= set(first["scopes_supported"])
        assert not [name for name, said in first.items() if "_alg_" in name and "none" in said]

    @pytest.mark.bar("A4-4.5")
    async def test_pages_of_every_origin_may_read_what_browser_apps_need(self, house: House) -> None:
        """By name, so that an address that is closed by mistake is noticed."""
        told = (await house.http.get("/.well-known/openid-configuration")).json()
        names = ("token", "revocation", "userinfo", "registration", "introspection")
        addresses = [told["jwks_uri"], *(told[f"{name}_endpoint"] for name in names)]
        documents = [f"/.well-known/{name}" for name in (*DOCUMENTS, "oauth-protected-resource")]

        for address in (*documents, *addresses):
            method = "GET" if "well-known" in address else "POST"
            headers = {"Origin": "https://spa.example", "Access-Control-Request-Method": method}
            asked = await house.http.options(address, headers=headers)
            answer = await house.http.request(method, address, headers={"Origin": "https://spa.example"})
            assert asked.status_code == 204, address
            assert {each.headers["access-control-allow-origin"] for each in (asked, answer)} == {"*"}, address


class TestWithAPath:
    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"public_url": "http://localhost:8000/auth", "logging": {"access": False}}

    @pytest.mark.bar("A4-4.1", "A30-30.2")
    @pytest.mark.parametrize("name", DOCUMENTS)
    async def test_the_path_of_the_issuer_is_inserted(self, house: House, name: str) -> None:
        """RFC 8414, section 3.1."""
        answer = await house.http.get(f"http://localhost:8000/.well-known/{name}/auth")

        assert answer.json()["issuer"] == "http://localhost:8000/auth"

    @pytest.mark.bar("A4-4.1", "A30-30.2")
    async def test_the_well_known_part_may_be_appended_to_it(self, house: House) -> None:
        """OpenID Connect Discovery 1.0, section 4.1: the proxy that serves us under a path takes the path away."""
        answers = [await house.http.get(f"http://localhost:8000/.well-known/{name}") for name in DOCUMENTS]

        assert [answer.json()["issuer"] for answer in answers] == ["http://localhost:8000/auth"] * 2
        token = answers[0].json()["token_endpoint"]
        assert token == "http://localhost:8000/auth/oauth/token"

    @pytest.mark.bar("A4-4.1")
    @pytest.mark.parametrize("path", ["/mcp", "/auth/mcp", "/aut", "/auth/"])
    async def test_another_path_is_another_issuers(self, house: House, path: str) -> None:
        for name in DOCUMENTS:
            answer = await house.http.get(f"http://localhost:8000/.well-known/{name}{path}")
            assert answer.status_code == 404
