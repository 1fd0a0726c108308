"""The official MCP client connects from the URL alone; each person has notes of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from portico.testing.consent import consent
from portico.testing.people import People, Person

pytestmark = pytest.mark.anyio

URL = "http://localhost:8000/mcp"
CALLBACK = "http://127.0.0.1:33418/callback"


class Memory:
    """Where the client keeps what it was given."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@asynccontextmanager
async def connected(
    app: FastAPI, browser: httpx2.AsyncClient, person: Person, memory: Memory | None = None
) -> AsyncIterator[Client]:
    """Connect as this person, who signs in and approves when asked."""
    came_back: list[httpx2.QueryParams] = []

    async def open_browser(url: str) -> None:
        came_back.append(httpx2.URL(await consent(browser, url, person.email, person.password)).params)

    async def wait_for_answer() -> AuthorizationCodeResult:
        answer = came_back.pop()
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])

    provider = OAuthClientProvider(
        URL,
        OAuthClientMetadata(
            client_name="Test", redirect_uris=[AnyUrl(CALLBACK)], token_endpoint_auth_method="none"
        ),
        memory or Memory(),
        open_browser,
        wait_for_answer,
    )
    transport = httpx2.ASGITransport(app=app)
    async with (
        httpx2.AsyncClient(transport=transport, auth=provider) as http,
        Client(streamable_http_client(URL, http_client=http)) as client,
    ):
        yield client


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool and return what it returned."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    assert result.structured_content is not None
    return result.structured_content["result"]


async def test_connects_from_the_url_alone(app: FastAPI, client: httpx2.AsyncClient, people: People) -> None:
    ada = await people.sign_up("ada@example.com")
    async with connected(app, client, ada) as mcp:
        tools = [tool.name for tool in (await mcp.list_tools()).tools]
        count = await called(mcp, "add_note", text="Buy milk")
        notes = await called(mcp, "read_notes")

    assert (tools, count, notes) == (["read_notes", "add_note"], 1, ["Buy milk"])


async def test_asks_for_more_when_a_tool_needs_it(
    app: FastAPI, client: httpx2.AsyncClient, people: People
) -> None:
    ada, memory = await people.sign_up("ada@example.com"), Memory()
    async with connected(app, client, ada, memory) as mcp:
        await called(mcp, "read_notes")
        before = scopes(memory)
        await called(mcp, "add_note", text="Buy milk")

    assert before == {"notes:read", "offline_access"}
    assert scopes(memory) == {"notes:read", "notes:write", "offline_access"}


def scopes(memory: Memory) -> set[str]:
    """Return what the client may do."""
    return set((memory.tokens.scope or "").split()) if memory.tokens else set()


async def test_each_person_has_own_notes(app: FastAPI, client: httpx2.AsyncClient, people: People) -> None:
    ada, bob = await people.sign_up("ada@example.com"), await people.sign_up("bob@example.com")
    async with connected(app, client, ada) as hers:
        await called(hers, "add_note", text="Buy milk")
    async with connected(app, client, bob) as his:
        assert await called(his, "read_notes") == []


async def test_nothing_without_a_token(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/mcp", json={})

    assert answer.status_code == 401
    assert (
        'resource_metadata="http://localhost:8000/.well-known/oauth-protected-resource/mcp"'
        in (answer.headers["www-authenticate"])
    )
