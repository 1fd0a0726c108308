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
