"""Requests in more detail than scopes can say, from the request to the token (row 20.1)."""

import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from portico.feature import Feature
from portico.oauth.protocol.rfc9396_authorization_details import DetailsField, DetailsType, FieldKind
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.types import ClientSource
from tests.oauth.keyed import Keyed, refused
from tests.oauth.kit import CALLBACK, House, TestClient, claims_of, returned

pytestmark = [pytest.mark.anyio, pytest.mark.bar("A20-20.1")]

MCP = "https://api.example.com/mcp"
PAYMENT = DetailsType(
    name="payment_initiation",
    title="Pay from your account",
    fields={
        "actions": DetailsField(
            kind=FieldKind.TEXTS, allowed=frozenset({"initiate", "status", "cancel"}), label="It may"
        ),
        "locations": DetailsField(kind=FieldKind.URIS),
        "creditor": DetailsField(kind=FieldKind.TEXT, is_required=True, label="To whom"),
        "amount": DetailsField(kind=FieldKind.INTEGER, label="How much"),
    },
)
CALENDAR = DetailsType(name="calendar", title="See your calendar")
LASTING_FEATURES = [Feature(name="bank", contributes={DetailsType: [PAYMENT, CALENDAR]})]
ASKED: list[dict[str, Any]] = [
    {
        "type": "payment_initiation",
        "actions": ["initiate", "status"],
        "creditor": "Merchant <A&B>",
        "amount": 12,
    }
]


@pytest.fixture
def house(lasting_house: House) -> House:
    return lasting_house


def said(details: Any) -> str:
    return details if isinstance(details, str) else json.dumps(details)


async def tokens_of(house: House, client: TestClient, details: Any = ASKED, **more: Any) -> dict[str, Any]:
    return await house.tokens(
        client, scope="openid tools:read", resource=MCP, authorization_details=said(details), **more
    )


async def test_what_was_asked_for_stands_in_answer_and_token(house: House) -> None:
    client = await house.client()

    tokens = await tokens_of(house, client)

    assert tokens["authorization_details"] == ASKED
    assert claims_of(tokens["access_token"])["authorization_details"] == ASKED


async def test_the_person_is_asked_in_plain_words(house: House) -> None:
    client = await house.client()
    asked = await house.ask(client, authorization_details=said(ASKED))

    page = await house.get(asked.headers["location"])

    for words in ("Pay from your account", "It may", "initiate, status", "To whom", "How much", "12"):
        assert words in page.text, words
    assert "Merchant &lt;A&amp;B&gt;" in page.text
    assert "<A&B>" not in page.text


async def test_consent_to_one_payment_is_none_to_another(house: House) -> None:
    client = await house.client()
    await tokens_of(house, client)

    same = await house.ask(client, scope="openid tools:read", resource=MCP, authorization_details=said(ASKED))
    more = [{**ASKED[0], "amount": 13}]
    another = await house.ask(
        client, scope="openid tools:read", resource=MCP, authorization_details=said(more)
    )

    assert "code=" in same.headers["location"]
    assert another.headers["location"].startswith("/oauth/consent")


@pytest.mark.parametrize(
    "details",
    [
        "not json",
        "{}",
        "[]",
        "[1]",
        [{"creditor": "x"}],
        [{"type": "unknown"}],
        [{"type": 7}],
        [{"type": "payment_initiation"}],
        [{"type": "payment_initiation", "creditor": "x", "unknown": 1}],
        [{"type": "payment_initiation", "creditor": ["x"]}],
        [{"type": "payment_initiation", "creditor": "x", "amount": "12"}],
        [{"type": "payment_initiation", "creditor": "x", "actions": ["destroy"]}],
        [{"type": "payment_initiation", "creditor": "x", "locations": ["javascript:alert(1)"]}],
        [{"type": "calendar"}] * 30,
    ],
    ids=lambda details: said(details)[:60],
)
async def test_what_nobody_understands_is_refused_everywhere(house: House, details: Any) -> None:
    device = "urn:ietf:params:oauth:grant-type:device_code"
    keyed = await Keyed.register(house, grant_types=["authorization_code", device])
    error = "invalid_authorization_details"

    asked = returned(await house.ask(keyed.client, authorization_details=said(details)))
    pushed = await keyed.try_push(authorization_details=said(details))
    begun = await keyed.post(
        "/oauth/device_authorization", {"authorization_details": said(details), **keyed.proved()}
    )

    assert asked["error"] == error
    refused(pushed, error)
    refused(begun, error)


async def test_a_token_request_names_only_what_was_granted(house: House) -> None:
    client = await house.client()
    back = await house.authorize(client, authorization_details=said(ASKED))
    more = [{**ASKED[0], "actions": ["initiate", "cancel"]}]
    less = [{**ASKED[0], "actions": ["status"]}]

    refused(
        await house.exchanged(client, back, authorization_details=said(more)), "invalid_authorization_details"
    )
    tokens = await house.exchange(client, back, authorization_details=said(less))
    assert tokens["authorization_details"] == less


async def test_refreshing_narrows_and_never_widens(house: House) -> None:
    client = await house.client()
    tokens = await tokens_of(house, client)
    less = [{**ASKED[0], "actions": ["status"]}]
    more = [{**ASKED[0], "amount": 1_000}]
    unlimited = [{name: value for name, value in ASKED[0].items() if name != "amount"}]

    narrowed = await house.refreshed(client, tokens["refresh_token"], authorization_details=said(less))
    token = narrowed.json()["refresh_token"]
    wider = await house.refreshed(client, token, authorization_details=said(more))
    boundless = await house.refreshed(client, token, authorization_details=said(unlimited))
    again = await house.refreshed(client, token)

    assert claims_of(narrowed.json()["access_token"])["authorization_details"] == less
    refused(wider, "invalid_authorization_details")
    refused(boundless, "invalid_authorization_details")
    assert (
        again.json()["authorization_details"] == ASKED
    )  # what the person granted, not what was asked for last


async def test_introspection_tells_them(house: House) -> None:
    client = await house.client()
    tokens = await tokens_of(house, client)

    answer = await introspected(house, client, tokens["access_token"])

    assert answer.json()["authorization_details"] == ASKED


async def introspected(house: House, client: TestClient, token: str) -> httpx2.Response:
    house.http.cookies.clear()
    return await house.http.post("/oauth/introspect", data={"token": token}, headers=client.basic)


@pytest.mark.bar("A13-13.1")
async def test_they_may_be_pushed_and_signed(house: House) -> None:
    keyed = await Keyed.register(house, require_signed_request_object=True)
    signed = keyed.request_object(authorization_details=ASKED)
    pushed = await keyed.try_push({"request": signed})

    tokens = await keyed.exchange(await keyed.authorize(pushed.json()["request_uri"]))

    assert tokens["authorization_details"] == ASKED


async def test_a_client_may_ask_for_the_types_that_it_registered(house: House) -> None:
    metadata = replace((await house.client()).metadata, authorization_details_types=("calendar",))
    registry = ClientRegistry(house.runtime, house.runtime.unit())
    made = await registry.register_client(metadata, ClientSource.ADMINISTRATOR)
    client = TestClient(made.client_id, made.key, None, metadata, CALLBACK)

    payment = returned(await house.ask(client, authorization_details=said(ASKED)))
    calendar = await house.authorize(client, authorization_details=said([{"type": "calendar"}]))

    assert payment["error"] == "invalid_authorization_details"
    assert "code" in calendar


@pytest.mark.bar("A4-4.3", "A4-4.4")
async def test_the_types_are_told(house: House) -> None:
    told = (await house.http.get("/.well-known/oauth-authorization-server")).json()

    assert told["authorization_details_types_supported"] == ["payment_initiation", "calendar"]
