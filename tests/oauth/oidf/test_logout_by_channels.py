"""The modules of the OpenID Foundation's plans for back-channel and front-channel logout, by their names."""

import html
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from portico.testing.jobs import run_due_jobs
from portico.testing.sinks import HttpSink
from tests.integration.ground import enter
from tests.oauth.kit import House, claims_of
from tests.oauth.presenting import verified

pytestmark = pytest.mark.anyio

LEAVING = "https://app.example/signed-out"
LASTING_OUTBOUND = {"allow_loopback": True}


@pytest.fixture
async def house(lasting_house: House) -> House:
    """The house of the module; everybody is signed in anew."""
    for name, person in list(lasting_house.people.items()):
        lasting_house.people[name] = await enter(lasting_house.runtime, person.account)
    return lasting_house


@pytest.mark.bar("A27-27.1", "A29-29.1")
async def test_oidcc_backchannel_logout_discovery_endpoint_verification(house: House) -> None:
    document = (await house.http.get("/.well-known/openid-configuration")).json()

    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True


@pytest.mark.bar("A27-27.1")
async def test_oidcc_backchannel_rp_initiated_logout(house: House) -> None:
    async with HttpSink() as sink:
        rp = await house.client(
            post_logout_redirect_uris=[LEAVING],
            backchannel_logout_uri=sink.url,
            backchannel_logout_session_required=True,
        )
        hint = (await house.tokens(rp))["id_token"]

        asked = {"id_token_hint": hint, "post_logout_redirect_uri": LEAVING, "state": "xyz"}
        answer = await house.get(f"/oauth/logout?{urlencode(asked)}")
        await run_due_jobs(house.runtime)

        assert answer.headers["location"] == f"{LEAVING}?state=xyz"
        [request] = sink.received
        header, claims = await verified(house, parse_qs(request.body.decode())["logout_token"][0])
        assert header["typ"] == "logout+jwt"
        assert (claims["sub"], claims["sid"]) == (claims_of(hint)["sub"], claims_of(hint)["sid"])
        assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
        assert 0 < claims["exp"] - claims["iat"] <= 120
        assert "nonce" not in claims


@pytest.mark.bar("A28-28.1", "A29-29.1")
async def test_oidcc_frontchannel_logout_discovery_endpoint_verification(house: House) -> None:
    document = (await house.http.get("/.well-known/openid-configuration")).json()

    assert document["frontchannel_logout_supported"] is True
    assert document["frontchannel_logout_session_supported"] is True
    assert (
        "check_session_iframe" not in document
    )  # browsers that keep foreign cookies apart would always say "changed"


@pytest.mark.bar("A28-28.1")
async def test_oidcc_frontchannel_rp_initiated_logout(house: House) -> None:
    rp = await house.client(
        post_logout_redirect_uris=[LEAVING],
        frontchannel_logout_uri="https://app.example/front",
        frontchannel_logout_session_required=True,
    )
    hint = (await house.tokens(rp))["id_token"]

    asked = {"id_token_hint": hint, "post_logout_redirect_uri": LEAVING, "state": "xyz"}
    answer = await house.get(f"/oauth/logout?{urlencode(asked)}")

    [frame] = re.findall(r'<iframe src="([^"]+)"', answer.text)
    told = parse_qs(urlsplit(html.unescape(frame)).query)
    assert told == {"iss": ["http://localhost:8000"], "sid": [claims_of(hint)["sid"]]}
    assert answer.headers["refresh"] == f"2; url={LEAVING}?state=xyz"
