"""Under which names we answer, and where pages asked for under another one lead."""

import httpx2
import pytest
from fastapi import FastAPI

from portico.core.settings import Settings
from portico.http.edge.hosts import HostPolicy, HostVerdict
from tests.http.shop import client_of

OURS = [
    b"example.com",
    b"EXAMPLE.com",
    b"example.com:443",
    b"api.example.com",
    b"a.b.tenants.example.net",
    b"x.tenants.example.net:8443",
]
FOREIGN = [
    b"evil.test", b"example.com.evil.test", b"evilexample.com", b"example.com:8443", b"tenants.example.net",
    b"eviltenants.example.net", b"127.0.0.1", b"[::1]", b"[::1]:8000", b"localhost", b"example.co",
]  # fmt: skip
MALFORMED = [
    b"", b" ", b"example.com/", b"example.com/../evil", b"example.com?x", b"example.com#x", b"user@example.com",
    b"example.com\\evil", b"example.com,evil.test", b"example.com evil.test", b"exa\x00mple.com", b"example.com:",
    b"example.com:99999999", b"example.com:80a", b".example.com", b"example..com", b"example.com.", b"-example.com",
    b"\xc3\xa9xample.com", b"<script>", b"example.com\r\nx: y", b"[::1", b"%65xample.com", b"a" * 300, b"{}", b"*",
]  # fmt: skip


def policy() -> HostPolicy:
    http = {"allowed_hosts": ("api.example.com", "*.tenants.example.net")}
    return HostPolicy(Settings(environment="test", public_url="https://example.com", http=http))


@pytest.mark.parametrize("host", OURS)
def test_name_of_ours_is_answered(host: bytes) -> None:
    assert policy().judge(host) is HostVerdict.OURS


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.bar("CHECK-13")
def test_name_of_others_is_foreign(host: bytes) -> None:
    assert policy().judge(host) is HostVerdict.FOREIGN


@pytest.mark.parametrize("host", MALFORMED)
@pytest.mark.bar("CVE-2026-48710", "CHECK-13")
def test_name_that_is_none_is_malformed(host: bytes) -> None:
    assert policy().judge(host) is HostVerdict.MALFORMED


def test_many_names_are_not_all_remembered() -> None:
    judge = policy()
    for number in range(5_000):
        judge.judge(b"host%d.test" % number)

    assert len(judge._verdicts) <= 512


@pytest.mark.parametrize("host", ["evil.test", "localhost:9999", "localhost:8000/../x", "a b"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.bar("CVE-2026-48710", "CHECK-13")
async def test_api_under_another_name_is_refused(client: httpx2.AsyncClient, host: str, method: str) -> None:
    answer = await client.request(method, "/api/v1/shop/open", headers={"Host": host})

    assert answer.status_code == 400
    assert answer.json()["code"] == "host_refused"
    assert host not in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.bar("CHECK-13")
async def test_page_under_another_name_leads_to_the_public_url(app: FastAPI, method: str) -> None:
    async with client_of(app, base_url="http://127.0.0.1:8000") as client:
        answer = await client.request(
            method, "/account/a%20b?x=1&next=//evil", headers={"Accept": "text/html"}
        )

    assert answer.status_code == 308
    assert answer.headers["location"] == "http://localhost:8000/account/a%20b?x=1&next=//evil"


@pytest.mark.parametrize(
    "path", ["//evil.test", "/\\evil.test", "/@evil.test", "/.evil.test", "/%2f%2fevil.test"]
)
@pytest.mark.bar("CHECK-13", "ASVS-3.7.2")
async def test_redirect_to_the_public_url_never_leaves_it(app: FastAPI, path: str) -> None:
    async with client_of(app, base_url="http://other.test") as client:
        answer = await client.get("http://other.test" + path)

    assert answer.status_code == 308
    assert answer.headers["location"].startswith("http://localhost:8000/")


async def test_redirect_is_not_remembered_by_browsers(app: FastAPI) -> None:
    async with client_of(app, base_url="http://127.0.0.1:8000") as client:
        answer = await client.get("/plain?x=1")

    assert answer.headers["location"] == "http://localhost:8000/plain?x=1"
    assert answer.headers["cache-control"] == "no-store"


async def test_form_under_another_name_is_refused(app: FastAPI) -> None:
    async with client_of(app, base_url="http://127.0.0.1:8000") as client:
        answer = await client.post("/account", data={"name": "x"})

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "whatever", "", "a b"])
async def test_health_answers_under_any_name(client: httpx2.AsyncClient, path: str, host: str) -> None:
    answer = await client.get(path, headers={"Host": host})

    assert answer.status_code == 200


@pytest.mark.bar("CHECK-13", "CVE-2025-64101", "CVE-2025-71401")
async def test_forwarded_host_changes_nothing(client: httpx2.AsyncClient) -> None:
    poison = {
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.test",
        "X-Host": "e",
    }

    answer = await client.get("/account", headers={"Accept": "text/html", **poison})

    assert answer.headers["location"] == "/login?next=/account"
    assert "evil" not in str(answer.headers)
