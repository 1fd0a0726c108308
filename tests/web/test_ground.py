"""Assets, flash, languages, and pages for refusals, on an application without features."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from portico.core.errors import PorticoError
from portico.http.problems import Problem
from portico.web.problems import EXPLANATIONS, ProblemPages
from portico.web.rendering import render, see_other
from tests.web.ground import make_ground

pytestmark = pytest.mark.anyio


@pytest.fixture
async def reader(ground: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with visitor(ground) as client:
        yield client


def visitor(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost:8000")


def page_of(app: FastAPI, path: str = "/", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "scheme": "http",
            "server": ("localhost", 8000),
            "headers": raw,
            "app": app,
        }
    )


async def test_assets_are_kept_for_ever_under_the_hash_of_their_content(reader: httpx2.AsyncClient) -> None:
    page = await reader.get("/")
    paths = re.findall(r'"(/_assets/[^"]+)"', page.text)

    assert {path.rpartition(".")[2] for path in paths} == {"css", "js", "svg"}
    for path in paths:
        answer = await reader.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert re.search(r"\.[0-9a-f]{12}\.", path)


@pytest.mark.parametrize(
    "path", ["/_assets/portico.css", "/_assets/portico.000000000000.css", "/_assets/pages.py"]
)
async def test_an_asset_under_another_name_does_not_exist(reader: httpx2.AsyncClient, path: str) -> None:
    with pytest.raises(PorticoError) as refused:
        await reader.get(path)

    assert refused.value.status == 404


@pytest.mark.bar("ASVS-3.6.1")
async def test_no_page_and_no_asset_asks_another_origin(reader: httpx2.AsyncClient) -> None:
    page = await reader.get("/")
    texts = [page.text] + [
        (await reader.get(path)).text for path in re.findall(r'"(/_assets/[^"]+)"', page.text)
    ]

    for text in texts:
        addresses = set(re.findall(r"https?://[^\s\"')>]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}  # a name of XML, never fetched


async def test_the_language_is_that_of_the_browser(reader: httpx2.AsyncClient) -> None:
    page = await reader.get("/", headers={"Accept-Language": "de-CH,de;q=0.9,en;q=0.5"})

    assert '<html lang="de">' in page.text
    assert page.headers["content-language"] == "de"


async def test_a_chosen_language_is_remembered(reader: httpx2.AsyncClient) -> None:
    await reader.get("/?lang=de")

    page = await reader.get("/", headers={"Accept-Language": "en"})

    assert page.headers["content-language"] == "de"


async def test_a_language_that_we_do_not_speak_changes_nothing(reader: httpx2.AsyncClient) -> None:
    page = await reader.get("/?lang=%22%3E%3Cscript%3E")

    assert page.headers["content-language"] == "en"
    assert "set-cookie" not in page.headers


async def test_the_language_of_the_person_beats_cookie_and_browser(ground: FastAPI) -> None:
    request = page_of(ground, cookie="portico_language=en", accept_language="en")

    page = render(request, "web/welcome.html.jinja", language="de", addresses=())

    assert page.headers["content-language"] == "de"


async def test_the_switch_keeps_what_else_the_address_says(reader: httpx2.AsyncClient) -> None:
    page = await reader.get("/?next=%2Faccount")

    assert 'href="?next=%2Faccount&amp;lang=de"' in page.text


async def test_no_page_is_kept_by_a_cache(reader: httpx2.AsyncClient) -> None:
    assert (await reader.get("/")).headers["cache-control"] == "no-store"


async def test_a_flash_is_shown_once_and_taken_back(ground: FastAPI) -> None:
    left = see_other(page_of(ground), "/account", "Your profile was saved.")
    assert left.status_code == 303
    cookie = left.headers["set-cookie"].split(";")[0]
    async with visitor(ground) as client:
        page = await client.get("/", headers={"Cookie": cookie})

    assert '<div class="notice good" role="status">' in page.text
    assert "Your profile was saved." in page.text
    assert page.headers["set-cookie"].startswith('portico_flash=""; expires=')


@pytest.mark.parametrize("cookie", ["x", "AAAA", "WW91IHdvbiEgQ2FsbCAwODAw", "!", "é"])
async def test_nobody_else_can_put_words_on_a_page(reader: httpx2.AsyncClient, cookie: str) -> None:
    page = await reader.get("/", headers=[(b"cookie", f"portico_flash={cookie}".encode())])

    assert page.status_code == 200
    assert 'role="status"' not in page.text


@pytest.mark.bar("ASVS-3.3.1", "ASVS-3.3.3")
async def test_the_flash_cookie_is_of_this_host_where_there_is_tls(tmp_path: Path) -> None:
    app = make_ground(tmp_path, public_url="https://id.example")

    cookie = see_other(page_of(app), "/", "Saved.").headers["set-cookie"].lower()

    assert cookie.startswith("__host-portico_flash=")
    for attribute in ("; secure", "; httponly", "; samesite=lax", "; path=/"):
        assert attribute in cookie
    assert "domain" not in cookie


def problem(status: int) -> Problem:
    return Problem(status=status, code="some_code", title="inner title", detail="inner words <b>")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 413, 418, 429, 500, 503])
async def test_a_refusal_is_a_page_with_a_way_out(ground: FastAPI, status: int, language: str) -> None:
    request = page_of(ground, "/somewhere", accept_language=language)

    page = await ProblemPages().render(request, problem(status))

    text = bytes(page.body).decode()
    assert page.status_code == status
    assert 'href="/"' in text
    assert "inner" not in text


async def test_each_explanation_is_its_own() -> None:
    assert len({explanation.title for explanation in EXPLANATIONS.values()}) == len(EXPLANATIONS)


@pytest.mark.parametrize(
    ("path", "next_page"),
    [("/account/devices", "%2Faccount%2Fdevices"), ("//evil.example", "%2Faccount")],
)
async def test_whoever_must_sign_in_again_is_led_there_and_back(
    ground: FastAPI, path: str, next_page: str
) -> None:
    answer = await ProblemPages().render(page_of(ground, path), problem(401))

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={next_page}"


async def test_a_refusal_speaks_german(ground: FastAPI) -> None:
    page = await ProblemPages().render(page_of(ground, accept_language="de"), problem(410))

    assert "This link is no longer good" not in bytes(page.body).decode()


@pytest.mark.bar("ASVS-3.4.5", "R14")
@pytest.mark.anyio
async def test_addresses_that_may_hold_a_token_are_never_sent_on(client: httpx2.AsyncClient) -> None:
    policies = {
        path: (await client.get(path, headers={"Accept": "text/html"})).headers["referrer-policy"]
        for path in ("/login", "/login?next=/account", "/reset?token=x", "/verify?token=x", "/setup?token=x")
    }

    assert policies == dict.fromkeys(policies, "no-referrer") | {"/login": "same-origin"}
