"""The API of webhooks, as administrators use it. Who may is in the access matrix."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select

from portico.audit.models import AuditEntry
from portico.messaging.draining import run_due_jobs
from portico.runtime import Runtime
from portico.testing.people import People
from portico.testing.sinks import answering
from tests.webhooks.conftest import MakeEndpoint, endpoint_row, send

pytestmark = pytest.mark.anyio

BASE = "/api/v1/admin/webhooks"
STAGING = {
    "environment": "staging",
    "secret_key": "k7k7k7abcdefghijklmnopqrstuvwxyz0123",
    "public_url": "https://shop.example",
    "mail": {"url": "smtp://localhost"},
}


@pytest.fixture
async def api(client: httpx2.AsyncClient, people: People) -> httpx2.AsyncClient:
    """Return a client that an administrator uses."""
    root = await people.sign_up("root@example.com", superuser=True)
    client.headers.update(root.headers)
    return client


async def create(api: httpx2.AsyncClient, **given: Any) -> httpx2.Response:
    wanted = {"url": "https://hooks.example.com/in", "event_names": ["user.*"], **given}
    return await api.post(BASE, json=wanted)


async def test_endpoint_is_made_and_its_secret_shown_once(api: httpx2.AsyncClient) -> None:
    made = await create(api, description="the shop")

    assert made.status_code == 201
    endpoint = made.json()["endpoint"]
    assert made.json()["secret"].startswith("whsec_")
    assert made.headers["location"] == f"{BASE}/{endpoint['id']}"
    seen = await api.get(f"{BASE}/{endpoint['id']}")
    listed = await api.get(BASE)
    assert seen.json() == endpoint == listed.json()["data"][0]
    assert seen.headers["etag"] == '"1"'
    assert "whsec_" not in seen.text + listed.text


@pytest.mark.bar("CHECK-16", "ASVS-1.3.6", "CVE-2026-5469")
@pytest.mark.parametrize("settings_overrides", [{}])
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/", "https://0x7f.1/", "https://2130706433/", "ftp://example.com/",
        "https://user:pw@example.com/", "https://example.com:22/", "https://example.com/#x", "nonsense",
    ],
)  # fmt: skip
async def test_address_that_is_not_ours_to_call_is_refused(
    api: httpx2.AsyncClient, url: str, settings_overrides: dict[str, Any]
) -> None:
    made = await create(api, url=url)

    assert (made.status_code, made.json()["code"]) == (422, "webhook_endpoint_invalid")
    assert made.json()["errors"][0]["field"] == "url"
    assert (await api.get(BASE)).json()["data"] == []


@pytest.mark.parametrize("settings_overrides", [{"webhooks": {"allow_http": False}}])
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_endpoint_without_tls_is_refused_where_it_is_not_allowed(
    api: httpx2.AsyncClient, settings_overrides: dict[str, Any]
) -> None:
    assert (await create(api, url="http://hooks.example.com/")).status_code == 422
    assert (await create(api, url="https://hooks.example.com/")).status_code == 201


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("names", [["user.craeted"], ["usr.*"], []])
async def test_misspelt_event_is_refused(api: httpx2.AsyncClient, names: list[str]) -> None:
    assert (await create(api, event_names=names)).status_code == 422


async def test_change_needs_the_present_version(api: httpx2.AsyncClient) -> None:
    path = f"{BASE}/{(await create(api)).json()['endpoint']['id']}"

    changed = await api.patch(path, json={"event_names": ["*"]}, headers={"If-Match": '"1"'})
    late = await api.patch(path, json={"event_names": ["user.created"]}, headers={"If-Match": '"1"'})
    late_delete = await api.delete(path, headers={"If-Match": '"1"'})

    assert (changed.status_code, changed.json()["event_names"]) == (200, ["*"])
    assert changed.headers["etag"] == '"2"'
    assert (late.status_code, late_delete.status_code) == (412, 412)
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404


async def test_deliveries_leave_the_version_alone(
    api: httpx2.AsyncClient, runtime: Runtime, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint(answering(500))
    before = (await endpoint_row(runtime, endpoint.id)).version
    await send(runtime, 1)
    await run_due_jobs(runtime)

    row = await endpoint_row(runtime, endpoint.id)
    assert row.failing_since is not None
    assert row.version == before


async def test_log_is_listed_filtered_and_replayed(
    api: httpx2.AsyncClient, runtime: Runtime, make_endpoint: MakeEndpoint
) -> None:
    well, ill = await make_endpoint(), await make_endpoint(answering(503, b"later"))
    await send(runtime, 1, 2)
    await run_due_jobs(runtime)

    everything = (await api.get(f"{BASE}/deliveries")).json()
    of_ill = (await api.get(f"{BASE}/deliveries", params={"endpoint_id": str(ill.id)})).json()["data"]
    pending = (await api.get(f"{BASE}/deliveries", params={"status": "pending"})).json()["data"]
    assert everything["pagination"]["total"] == 4
    assert {row["id"] for row in of_ill} == {row["id"] for row in pending}
    assert (await api.get(f"{BASE}/deliveries", params={"event_name": "user.created"})).json()["data"] == []

    details = (await api.get(f"{BASE}/deliveries/{of_ill[0]['id']}")).json()
    assert json.loads(details["body"])["type"] == "parcel.sent"
    assert (details["tries"][0]["status_code"], details["tries"][0]["response_body"]) == (503, "later")

    delivered = next(row for row in everything["data"] if row["endpoint_id"] == str(well.id))
    again = await api.post(f"{BASE}/deliveries/{delivered['id']}/replay")
    await run_due_jobs(runtime)
    assert (again.status_code, again.json()) == (202, {"delivery_id": delivered["id"]})
    assert len(well.sink.received) == 3


async def test_pages_follow_each_other_by_cursor(
    api: httpx2.AsyncClient, runtime: Runtime, make_endpoint: MakeEndpoint
) -> None:
    await make_endpoint()
    await send(runtime, *range(5))
    await run_due_jobs(runtime)

    seen, cursor = [], None
    while True:
        params = {"page_size": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(f"{BASE}/deliveries", params=params)).json()
        seen += [row["id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break

    assert len(seen) == len(set(seen)) == 5


async def test_test_event_arrives(
    api: httpx2.AsyncClient, runtime: Runtime, make_endpoint: MakeEndpoint
) -> None:
    await run_due_jobs(runtime)  # what happened before
    endpoint = await make_endpoint(events=("user.created",))

    asked = await api.post(f"{BASE}/{endpoint.id}/test")
    await run_due_jobs(runtime)

    assert asked.status_code == 202
    (request,) = endpoint.sink.received
    assert json.loads(request.body)["type"] == "webhook.test"
    delivery = (await api.get(f"{BASE}/deliveries/{asked.json()['delivery_id']}")).json()
    assert delivery["status"] == "delivered"


async def test_switched_off_endpoint_hears_nothing_and_then_what_waited(
    api: httpx2.AsyncClient, runtime: Runtime, make_endpoint: MakeEndpoint, clock: Any
) -> None:
    endpoint = await make_endpoint(answering(500))
    await send(runtime, 1)
    await run_due_jobs(runtime)
    off = await api.post(f"{BASE}/{endpoint.id}/disable")
    clock.advance(timedelta(minutes=10))
    await send(runtime, 2)
    await run_due_jobs(runtime)
    refused = await api.post(f"{BASE}/{endpoint.id}/test")
    tries = len(endpoint.sink.received)
    endpoint.sink.behaviour = answering(204)
    on = await api.post(f"{BASE}/{endpoint.id}/enable")
    await run_due_jobs(runtime)

    assert (off.json()["status"], off.json()["disabled_reason"]) == ("disabled", "administrator")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_endpoint_disabled")
    assert on.json()["status"] == "enabled"
    assert (tries, endpoint.numbers) == (1, [1, 1])


@pytest.mark.bar("CHECK-23")
async def test_secrets_are_sealed_and_acts_are_on_the_trail(
    api: httpx2.AsyncClient, runtime: Runtime
) -> None:
    made = (await create(api, url="https://hooks.example.com/T0KEN")).json()
    path = f"{BASE}/{made['endpoint']['id']}"
    rotated = (await api.post(f"{path}/rotate-secret")).json()
    await api.post(f"{path}/test")
    await api.delete(path)

    assert rotated["secret"] != made["secret"]
    assert rotated["previous_until"] is not None
    async with runtime.reads() as session:
        of_endpoints = select(AuditEntry).where(AuditEntry.action.like("webhook_endpoint.%"))
        entries = (await session.scalars(of_endpoints.order_by(AuditEntry.id))).all()
    assert [entry.action.partition(".")[2] for entry in entries] == [
        "created",
        "secret_rotated",
        "tested",
        "deleted",
    ]
    assert all(entry.actor_id for entry in entries)
    assert "T0KEN" not in str([entry.details for entry in entries])


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_unknown_ids_are_not_found(api: httpx2.AsyncClient) -> None:
    nobody = uuid4()
    for method, path in [
        ("GET", f"{nobody}"),
        ("PATCH", f"{nobody}"),
        ("DELETE", f"{nobody}"),
        ("POST", f"{nobody}/test"),
        ("POST", f"{nobody}/enable"),
        ("POST", f"{nobody}/rotate-secret"),
        ("GET", f"deliveries/{nobody}"),
        ("POST", f"deliveries/{nobody}/replay"),
    ]:
        answer = await api.request(method, f"{BASE}/{path}", json={} if method == "PATCH" else None)
        assert answer.status_code == 404, path


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestCatchAll:
    async def test_what_is_posted_is_shown(self, client: httpx2.AsyncClient) -> None:
        body = {"type": "user.created", "data": {"name": "<script>alert(1)</script>"}}
        caught = await client.post("/dev/webhooks", json=body, headers={"webhook-id": "msg_1"})
        listed = (await client.get("/dev/webhooks.json")).json()
        page = await client.get("/dev/webhooks")

        assert caught.status_code == 204
        assert (listed[0]["event_name"], listed[0]["headers"]["webhook-id"]) == ("user.created", "msg_1")
        assert "msg_1" in page.text
        assert "<script>alert" not in page.text

    @pytest.mark.parametrize(
        "settings_overrides",
        [STAGING],
    )
    async def test_there_is_none_outside_development(
        self, client: httpx2.AsyncClient, settings_overrides: dict[str, Any]
    ) -> None:
        assert (await client.post("/dev/webhooks", json={})).status_code == 404
        assert (await client.get("/dev/webhooks")).status_code == 404
