"""The shop on both databases: each test runs twice, on SQLite and on PostgreSQL."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from portico.composition import migrator_of
from portico.core.settings import Settings
from portico.feature import Feature
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from portico.testing.mail import CapturedMails
from portico.testing.people import People
from shop.jobs import close_stale_orders
from shop.repositories import OrderRepository
from shop.types import OrderStatus

pytestmark = pytest.mark.anyio

ORDERS = "/api/v1/orders"
TEAPOT = {"product": "teapot", "quantity": 2}


async def test_order_is_placed_and_listed_for_its_owner_only(
    client: httpx2.AsyncClient, people: People
) -> None:
    ada, bob = await people.sign_up("ada@example.com"), await people.sign_up("bob@example.com")
    placed = await client.post(ORDERS, json=TEAPOT, headers=ada.headers)
    hers = await client.get(ORDERS, headers=ada.headers)
    his = await client.get(ORDERS, headers=bob.headers)

    assert (placed.status_code, placed.json()["status"]) == (201, "open")
    assert [order["product"] for order in hers.json()["data"]] == ["teapot"]
    assert his.json()["data"] == []


async def test_order_is_confirmed_by_mail(
    client: httpx2.AsyncClient, people: People, mails: CapturedMails
) -> None:
    ada = await people.sign_up("ada@example.com")
    await client.post(ORDERS, json=TEAPOT, headers=ada.headers)

    mail = mails.last(to="ada@example.com")
    assert mail.subject == "Your order: 2 × teapot"
    assert "2 × teapot" in mail.text


async def test_tenth_order_is_thanked_for_once(
    client: httpx2.AsyncClient, people: People, mails: CapturedMails
) -> None:
    ada = await people.sign_up("ada@example.com")
    for _ in range(10):
        await client.post(ORDERS, json=TEAPOT, headers=ada.headers)

    assert [mail.subject for mail in mails.to("ada@example.com")].count("Your tenth order") == 1


async def test_orders_that_nobody_ships_are_cancelled(
    client: httpx2.AsyncClient, people: People, runtime: Runtime, clock: FrozenClock
) -> None:
    ada = await people.sign_up("ada@example.com")
    await client.post(ORDERS, json=TEAPOT, headers=ada.headers)
    clock.advance(timedelta(days=61))

    await do_job(runtime, close_stale_orders)

    async with runtime.reads() as session:
        [order] = await OrderRepository(session).list_of(ada.id)
    assert order.status is OrderStatus.CANCELLED


async def test_closing_the_account_cancels_open_orders(
    client: httpx2.AsyncClient, people: People, runtime: Runtime
) -> None:
    ada = await people.sign_up("ada@example.com")
    await client.post(ORDERS, json=TEAPOT, headers=ada.headers)
    await client.request("DELETE", "/api/v1/users/me", json={"password": ada.password}, headers=ada.headers)

    async with runtime.reads() as session:
        orders = await OrderRepository(session).list_of(ada.id)
    assert [order.status for order in orders] == [OrderStatus.CANCELLED]


async def test_strangers_order_nothing(client: httpx2.AsyncClient) -> None:
    answer = await client.post(ORDERS, json=TEAPOT)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_only_superusers_ship(client: httpx2.AsyncClient, people: People) -> None:
    ada, root = (
        await people.sign_up("ada@example.com"),
        await people.sign_up("root@example.com", superuser=True),
    )
    order = (await client.post(ORDERS, json=TEAPOT, headers=ada.headers)).json()
    refused = await client.post(f"{ORDERS}/{order['id']}/ship", headers=ada.headers)
    shipped = await client.post(f"{ORDERS}/{order['id']}/ship", headers=root.headers)
    again = await client.post(f"{ORDERS}/{order['id']}/ship", headers=root.headers)

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert (shipped.status_code, shipped.json()["status"]) == (200, "shipped")
    assert (again.status_code, again.json()["code"]) == (409, "order_closed")


async def test_repeated_request_places_one_order(client: httpx2.AsyncClient, people: People) -> None:
    ada = await people.sign_up()
    headers = {**ada.headers, "Idempotency-Key": "4f8d2c1e"}
    first = await client.post(ORDERS, json=TEAPOT, headers=headers)
    second = await client.post(ORDERS, json=TEAPOT, headers=headers)

    assert second.json() == first.json()
    assert len((await client.get(ORDERS, headers=ada.headers)).json()["data"]) == 1


@pytest.mark.parametrize("settings_overrides", [{"shop": {"max_open_orders": 1}}])
async def test_open_orders_are_limited_by_a_setting(client: httpx2.AsyncClient, people: People) -> None:
    ada = await people.sign_up()
    await client.post(ORDERS, json=TEAPOT, headers=ada.headers)
    answer = await client.post(ORDERS, json=TEAPOT, headers=ada.headers)

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_open_orders")


async def test_export_holds_the_orders(client: httpx2.AsyncClient, people: People) -> None:
    ada = await people.sign_up()
    await client.post(ORDERS, json=TEAPOT, headers=ada.headers)
    export: dict[str, Any] = (await client.get("/api/v1/users/me/export", headers=ada.headers)).json()

    assert export["orders"][0]["product"] == "teapot"


async def test_migrations_make_what_the_models_say(settings: Settings, features: Sequence[Feature]) -> None:
    assert await migrator_of(settings, features).drift() == []
