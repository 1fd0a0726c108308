"""The page on which a person answers what was raised about his account."""

from typing import Any

import httpx2
import pytest

from portico.alerts.types import AlertStatus
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from portico.users.models import EmailAddress
from tests.alerts.conftest import Follow, alerts_of, refuse_password
from tests.sessions.people import rows_of
from tests.web.browser import Browser
from tests.web.people import ADA, CHEAP, sign_up

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    """Name the database: pages know no SQL, and the services under them are tested on both."""
    return "sqlite"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {"credentials": CHEAP}


@pytest.fixture
def browser(client: httpx2.AsyncClient, mails: CapturedMails) -> Browser:
    return Browser(client)


@pytest.mark.bar("ASVS-6.3.5")
async def test_person_finds_what_was_raised_and_says_that_it_was_he(
    runtime: Runtime, browser: Browser, follow: Follow
) -> None:
    await sign_up(browser)
    before = await browser.open("/account/security")
    (address,) = await rows_of(runtime, EmailAddress, EmailAddress.normal_form == ADA)
    for _ in range(11):
        await refuse_password(runtime, address.user_id)
    await follow()
    page = await browser.open("/account/security")
    after = await browser.submit(page, "/account/security/resolve")
    (alert,) = await alerts_of(runtime, "failed_sign_ins")

    assert "Nothing unusual has happened" in before.root.words
    assert "Many failed sign-ins" in page.root.words
    assert "11 times" in page.root.words
    assert {"/account/password", "/account/devices"} <= {link.get("href") for link in page.root.all("a")}
    assert (after.path, "Nothing unusual" in after.root.words) == ("/account/security", True)
    assert (alert.status, alert.resolved_by) == (AlertStatus.RESOLVED, address.user_id)
