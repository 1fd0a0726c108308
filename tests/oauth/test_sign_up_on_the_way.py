"""A new person comes from a client, signs up, proves his address where he must, and ends where he was going."""

from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from tests.oauth.kit import House, TestClient
from tests.oauth.opening import SETTINGS
from tests.oauth.pages import fields_of, words_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_kind", ["sqlite"])]

ADDRESS = "newcomer@example.org"
PASSWORD = "a loom of many threads"
SESSION = "portico_session"


class Newcomer:
    """A browser with a jar of cookies, of somebody who has no account."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._jar: dict[str, str] = {}

    async def get(self, path: str) -> httpx2.Response:
        return self._kept(await self._http.get(path, headers=self._cookies(), follow_redirects=False))

    async def post(self, page: httpx2.Response, action: str, **typed: str) -> httpx2.Response:
        fields = {**fields_of(page, action), **typed}
        return self._kept(
            await self._http.post(action, data=fields, headers=self._cookies(), follow_redirects=False)
        )

    def _cookies(self) -> dict[str, str]:
        self._http.cookies.clear()
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._jar.items())}

    def _kept(self, answered: httpx2.Response) -> httpx2.Response:
        self._jar.update(answered.cookies)
        return answered


@pytest.fixture
def is_proof_required() -> bool:
    return False


@pytest.fixture
def settings_overrides(is_proof_required: bool) -> dict[str, Any]:
    proof = "required" if is_proof_required else "optional"
    return {**SETTINGS, "users": {"email_verification": proof}}


@pytest.fixture
def house(runtime: Runtime, client: httpx2.AsyncClient, clock: FrozenClock) -> House:
    return House(runtime, client, clock)


@pytest.fixture
async def app_client(house: House) -> TestClient:
    return await house.client()


@pytest.fixture
def newcomer(client: httpx2.AsyncClient) -> Newcomer:
    return Newcomer(client)


async def sign_up_page(house: House, client: TestClient, newcomer: Newcomer) -> httpx2.Response:
    """Come from the client, choose sign-up at the page of sign-in."""
    asked = await house.ask(client, None)
    sign_in = await newcomer.get(asked.headers["location"])
    link = sign_in.text.partition('href="/signup')[2].partition('"')[0]
    return await newcomer.get(f"/signup{link.replace('&amp;', '&')}")


async def ends_at_consent(newcomer: Newcomer, led: httpx2.Response) -> bool:
    assert led.status_code == 303, led.text
    assert urlsplit(led.headers["location"]).path == "/oauth/resume"
    resumed = await newcomer.get(led.headers["location"])
    page = await newcomer.get(resumed.headers["location"])
    return "Connect Test application ?" in words_of(page)


async def test_who_signs_up_ends_at_the_question(
    house: House, app_client: TestClient, newcomer: Newcomer
) -> None:
    page = await sign_up_page(house, app_client, newcomer)

    led = await newcomer.post(page, "/signup", email=ADDRESS, password=PASSWORD)

    assert await ends_at_consent(newcomer, led)


async def test_a_mistake_in_the_form_loses_nothing(
    house: House, app_client: TestClient, newcomer: Newcomer
) -> None:
    page = await sign_up_page(house, app_client, newcomer)
    again = await newcomer.post(page, "/signup", email=ADDRESS, password="x")

    led = await newcomer.post(again, "/signup", email=ADDRESS, password=PASSWORD)

    assert again.status_code == 400
    assert await ends_at_consent(newcomer, led)


async def test_the_way_back_to_sign_in_keeps_it_too(
    house: House, app_client: TestClient, newcomer: Newcomer
) -> None:
    page = await sign_up_page(house, app_client, newcomer)

    assert f'href="/login?{urlencode({"next": fields_of(page, "/signup")["next"]})}"' in page.text


@pytest.mark.bar("ASVS-3.7.2")
@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"]
)
async def test_nobody_is_led_elsewhere(newcomer: Newcomer, target: str) -> None:
    page = await newcomer.get(f"/signup?{urlencode({'next': target})}")

    led = await newcomer.post(page, "/signup", email=ADDRESS, password=PASSWORD, next=target)

    assert led.headers["location"] == "/account"


@pytest.mark.parametrize("is_proof_required", [True])
class TestWithProof:
    """Where the address must be proven first."""

    async def test_the_link_of_the_message_leads_on(
        self, house: House, app_client: TestClient, newcomer: Newcomer, mails: CapturedMails
    ) -> None:
        page = await sign_up_page(house, app_client, newcomer)
        waiting = await newcomer.post(page, "/signup", email=ADDRESS, password=PASSWORD)
        assert waiting.status_code == 200
        link = urlsplit(mails.last(to=ADDRESS).links[0])

        proof = await newcomer.get(f"{link.path}?{link.query}")
        led = await newcomer.post(proof, "/verify", password=PASSWORD)

        assert await ends_at_consent(newcomer, led)

    async def test_the_code_of_the_message_leads_on(
        self, house: House, app_client: TestClient, newcomer: Newcomer, mails: CapturedMails
    ) -> None:
        page = await sign_up_page(house, app_client, newcomer)
        await newcomer.post(page, "/signup", email=ADDRESS, password=PASSWORD)
        code = mails.last(to=ADDRESS).code
        assert code is not None

        form = await newcomer.get("/verify")
        led = await newcomer.post(form, "/verify", email=ADDRESS, code=code, password=PASSWORD)

        assert await ends_at_consent(newcomer, led)

    @pytest.mark.bar("CHECK-22")
    async def test_another_browser_is_led_nowhere(
        self,
        house: House,
        app_client: TestClient,
        newcomer: Newcomer,
        mails: CapturedMails,
        client: httpx2.AsyncClient,
    ) -> None:
        """Somebody signs a stranger's address up: its owner is not led to the other's request."""
        page = await sign_up_page(house, app_client, newcomer)
        await newcomer.post(page, "/signup", email=ADDRESS, password=PASSWORD)
        link = urlsplit(mails.last(to=ADDRESS).links[0])
        owner = Newcomer(client)

        proof = await owner.get(f"{link.path}?{link.query}")
        led = await owner.post(proof, "/verify", new_password="another loom altogether")

        assert led.headers["location"] == "/account"

    async def test_it_is_done_once(
        self, house: House, app_client: TestClient, newcomer: Newcomer, mails: CapturedMails
    ) -> None:
        """A later visit to the same browser leads nowhere any more."""
        page = await sign_up_page(house, app_client, newcomer)
        await newcomer.post(page, "/signup", email=ADDRESS, password=PASSWORD)
        link = urlsplit(mails.last(to=ADDRESS).links[0])
        proof = await newcomer.get(f"{link.path}?{link.query}")

        led = await newcomer.post(proof, "/verify", password=PASSWORD)

        gone = [each for each in led.headers.get_list("set-cookie") if each.startswith("portico_onward")]
        assert len(gone) == 1
        assert "Max-Age=0" in gone[0]
