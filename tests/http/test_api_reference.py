"""The API reference: only where it is wanted, and with nothing from elsewhere."""

import gzip
import hashlib
import re
from importlib.resources import files
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.http.shop import client_of

PATHS = ["/docs", "/redoc", "/openapi.json"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
@pytest.mark.bar("ASVS-3.6.1", "ASVS-14.2.3")
async def test_page_asks_for_nothing_from_another_origin(client: httpx2.AsyncClient, path: str) -> None:
    page = (await client.get(path)).text

    assert re.findall(r"https?://", page) == []
    assets = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert assets
    for asset in assets:
        answer = await client.get(asset)

        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert len(answer.content) > 100_000


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
@pytest.mark.bar("ASVS-3.4.3")
async def test_every_script_has_the_nonce(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    (nonce,) = set(re.findall(r'<script nonce="([^"]+)"', answer.text))

    assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce}"')
    assert f"script-src 'nonce-{nonce}';" in answer.headers["content-security-policy"]


async def test_file_is_sent_as_it_lies_there_or_unpacked(client: httpx2.AsyncClient) -> None:
    path = re.findall(r'src="(/[^"]+)"', (await client.get("/docs")).text)[0]
    packed = await client.get(path, headers={"Accept-Encoding": "gzip"})
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content


@pytest.mark.parametrize(
    "path", ["/_assets/reference/x.js", "/_assets/reference/", "/_assets/reference/../../pyproject.toml"]
)
@pytest.mark.bar("ASVS-13.4.3", "CVE-2023-29159")
async def test_other_files_are_not_served(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_document_is_sent_packed_or_plain(client: httpx2.AsyncClient) -> None:
    packed = await client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/openapi.json", headers={"Accept-Encoding": "identity"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()


@pytest.mark.bar("CHECK-25")
def test_vendored_files_are_what_the_list_says() -> None:
    folder = files("portico.http") / "reference"
    rows = re.findall(r"\| `([\w.-]+)` \|.*`([0-9a-f]{64})` \|", (folder / "VENDORED.md").read_text())

    assert len(rows) == 3
    for name, checksum in rows:
        content = gzip.decompress((folder / f"{name}.gz").read_bytes())
        original = content.replace(b'src:"data:,"', b'src:"https://cdn.redoc.ly/redoc/logo-mini.svg"')

        assert hashlib.sha256(original).hexdigest() == checksum


class TestSwitchedOff:
    """Production, or by setting."""

    @pytest.fixture
    def settings_overrides(self) -> dict[str, Any]:
        return {"http": {"api_reference": False}}

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.bar("ASVS-13.4.5", "CVE-2026-7500")
    async def test_nothing_of_it_exists(self, app: FastAPI, path: str) -> None:
        async with client_of(app) as client:
            assert (await client.get(path)).status_code == 404
