"""The page that makes the first administrator."""

import pytest

from portico.credentials.services import issue_setup_link
from portico.runtime import Runtime
from tests.web.browser import Browser
from tests.web.people import ADA, OTHER_PASSWORD, PASSWORD, sign_up

pytestmark = pytest.mark.anyio


async def setup_path(runtime: Runtime) -> str:
    link = await issue_setup_link(runtime)
    assert link is not None
    return link.partition("localhost:8000")[2]


async def test_the_link_makes_the_first_administrator_and_signs_in(
    browser: Browser, runtime: Runtime
) -> None:
    page = await browser.open(await setup_path(runtime))
    page = await browser.submit(page, "/setup", email=ADA, password=PASSWORD, full_name="Ada")

    assert page.path == "/account"
    assert "Not confirmed" not in page.words
    assert await issue_setup_link(runtime) is None


@pytest.mark.bar("ASVS-3.5.3")
async def test_opening_the_link_does_not_spend_it(browser: Browser, runtime: Runtime) -> None:
    path = await setup_path(runtime)
    await browser.open(path)

    assert (await browser.open(path)).status == 200


@pytest.mark.bar("ASVS-6.4.1")
async def test_the_link_works_once(browser: Browser, other_browser: Browser, runtime: Runtime) -> None:
    path = await setup_path(runtime)
    page, late = await browser.open(path), await other_browser.open(path)
    await browser.submit(page, "/setup", email=ADA, password=PASSWORD)

    late = await other_browser.submit(late, "/setup", email="eve@example.com", password=OTHER_PASSWORD)

    assert late.status == 410
    assert (await other_browser.open(path)).status == 410


async def test_a_link_that_is_none_says_what_to_do(browser: Browser) -> None:
    for path in ("/setup", "/setup?token=x", "/setup?token=" + "x" * 3000):
        page = await browser.open(path)

        assert page.status == 400
        assert "portico create-admin" in page.words


async def test_an_address_with_an_account_is_told(
    browser: Browser, other_browser: Browser, runtime: Runtime
) -> None:
    await sign_up(other_browser)
    page = await browser.open(await setup_path(runtime))

    page = await browser.submit(page, "/setup", email=ADA, password=PASSWORD)

    assert page.status == 409
    assert "This e-mail address is already in use" in page.alert()
