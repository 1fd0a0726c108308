"""`/.well-known/jwks.json`: from memory, cacheable, and never with a private member."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI

from portico.keys.routes import router
from portico.keys.services import Keyring, rotate_keys
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock

pytestmark = pytest.mark.anyio

PATH = "/.well-known/jwks.json"


@pytest.fixture
async def http(runtime: Runtime) -> AsyncIterator[httpx2.AsyncClient]:
    """Return a client of an application that has this one route."""
    app = FastAPI()
    app.include_router(router)
    app.state.runtime = runtime
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


async def test_key_set_is_public_json_that_may_be_cached(http: httpx2.AsyncClient, keyring: Keyring) -> None:
    answer = await http.get(PATH)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.json() == keyring.jwks()
    assert [set(key) for key in answer.json()["keys"]] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}]


async def test_key_set_answers_304_to_its_etag_until_the_keys_change(
    http: httpx2.AsyncClient, runtime: Runtime, clock: FrozenClock
) -> None:
    etag = (await http.get(PATH)).headers["etag"]
    for sent in (etag, f'"other", {etag}', f"W/{etag}"):
        unchanged = await http.get(PATH, headers={"If-None-Match": sent})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    await rotate_keys(runtime, runtime.unit())
    changed = await http.get(PATH, headers={"If-None-Match": etag})

    assert changed.status_code == 200
    assert len(changed.json()["keys"]) == 2
    clock.advance(timedelta(days=2))
    assert len((await http.get(PATH)).json()["keys"]) == 1


async def test_openapi_describes_what_is_answered(http: httpx2.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    answers = document["paths"][PATH]["get"]["responses"]

    assert set(answers) == {"200", "304"}
    assert answers["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/KeySet"}
