"""Events reach endpoints at least once, signed, in the schedule of retries."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from portico.core import failpoints
from portico.db.unit import Unit
from portico.messaging.draining import run_due_jobs
from portico.messaging.relay import relay_events
from portico.messaging.repositories.jobs import JobRepository
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails
from portico.testing.people import People
from portico.testing.sinks import Behaviour, HttpSink, answering, breaking_off, endless, hanging
from portico.webhooks.services import Deliveries, Endpoints
from portico.webhooks.services.delivering import BATCH
from portico.webhooks.types import DeliveryStatus, DisabledReason, EndpointStatus
from tests.webhooks.conftest import (
    MakeEndpoint,
    ParcelLost,
    attempts_of,
    deliveries_of,
    emit,
    endpoint_row,
    send,
    waits,
)

pytestmark = pytest.mark.anyio


class TestSignature:
    @pytest.fixture
    def clock(self) -> FrozenClock:
        """The other implementation asks the machine for the time."""
        return FrozenClock(datetime.now(UTC).replace(microsecond=0))

    @pytest.mark.bar("P10", "ASVS-4.1.5")
    async def test_other_implementation_verifies_it(
        self, runtime: Runtime, make_endpoint: MakeEndpoint
    ) -> None:
        endpoint = await make_endpoint()
        await send(runtime, 7)
        await run_due_jobs(runtime)

        (request,) = endpoint.sink.received
        message = Webhook(endpoint.secret).verify(request.body, dict(request.headers))
        assert message["type"] == "parcel.sent"
        assert message["data"] == {"number": 7}
        assert request.headers["content-type"] == "application/json"
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint.secret).verify(request.body + b" ", dict(request.headers))

    @pytest.mark.bar("P10", "ASVS-4.1.5")
    async def test_both_secrets_sign_while_they_overlap(
        self, runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
    ) -> None:
        endpoint = await make_endpoint()
        issued = await Endpoints(runtime, runtime.unit()).rotate_secret(endpoint.id)
        await send(runtime, 1)
        await run_due_jobs(runtime)
        (during,) = endpoint.sink.received
        clock.jump(timedelta(days=1, seconds=1))
        await send(runtime, 2)
        await run_due_jobs(runtime)
        after = endpoint.sink.received[1]

        for secret in (endpoint.secret, issued.secret):
            Webhook(secret).verify(during.body, dict(during.headers))
        assert len(during.headers["webhook-signature"].split(" ")) == 2
        assert len(after.headers["webhook-signature"].split(" ")) == 1


async def test_endpoint_hears_what_it_subscribed_to(runtime: Runtime, make_endpoint: MakeEndpoint) -> None:
    sent_only = await make_endpoint(events=("parcel.sent",))
    kind = await make_endpoint(events=("parcel.*",))
    everything = await make_endpoint(events=("*",))
    other = await make_endpoint(events=("user.*",))

    now = runtime.clock.now()
    await send(runtime, 1)
    await emit(runtime, ParcelLost(at=now, number=2))
    await run_due_jobs(runtime)

    assert sent_only.numbers == [1]
    assert sorted(kind.numbers) == sorted(everything.numbers) == [1, 2]
    assert other.numbers == []


@pytest.mark.bar("P8")
async def test_what_is_rolled_back_is_heard_by_nobody(runtime: Runtime, make_endpoint: MakeEndpoint) -> None:
    endpoint = await make_endpoint()

    with pytest.raises(failpoints.Failure):
        failpoints.armed["db.unit.before_commit"] = failpoints.raising()
        await send(runtime, 1)
    failpoints.armed.clear()
    await run_due_jobs(runtime)

    assert endpoint.numbers == []
    assert await deliveries_of(runtime, endpoint.id) == []


async def test_log_tells_request_answer_and_time(runtime: Runtime, make_endpoint: MakeEndpoint) -> None:
    endpoint = await make_endpoint(
        answering(200, b"ok \x00\xff", {"X-Trace": "abc", "Set-Cookie": "session=secret"})
    )
    await send(runtime, 1)
    await run_due_jobs(runtime)

    (delivery,) = await deliveries_of(runtime, endpoint.id)
    (attempt,) = await attempts_of(runtime, delivery.id)
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == (
        DeliveryStatus.DELIVERED,
        1,
        None,
    )
    assert (attempt.status_code, attempt.error) == (200, None)
    assert attempt.request_headers["webhook-id"] == delivery.message_id
    assert attempt.request_headers["webhook-signature"] == "v1,…"
    assert attempt.response_headers["x-trace"] == "abc"
    assert "secret" not in json.dumps(attempt.response_headers)
    assert attempt.response_body == "ok \ufffd\ufffd"


BAD: dict[str, Behaviour] = {
    "500": answering(500, b"out of order"),
    "redirect": answering(307, b"", {"Location": "http://169.254.169.254/latest/meta-data/"}),
    "hang": hanging(),
    "reset-at-once": breaking_off(0),
    "reset-in-the-middle": breaking_off(2_000),
}


@pytest.mark.bar("P10")
@pytest.mark.parametrize("behaviour", BAD.values(), ids=BAD)
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_failed_message_is_tried_again_as_the_same(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock, behaviour: Behaviour
) -> None:
    endpoint = await make_endpoint(behaviour)
    await send(runtime, 1)
    await run_due_jobs(runtime)
    (pending,) = await deliveries_of(runtime, endpoint.id)
    endpoint.sink.behaviour = answering(204)
    clock.advance(timedelta(seconds=6))
    await run_due_jobs(runtime)

    first, second = endpoint.sink.received
    (delivery,) = await deliveries_of(runtime, endpoint.id)
    assert (pending.status, pending.attempts) == (DeliveryStatus.PENDING, 1)
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    row = await endpoint_row(runtime, endpoint.id)
    assert (row.failing_since, row.failed_runs, row.resting_until) == (None, 0, None)


@pytest.mark.bar("P10")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_endless_answer_is_a_success_of_which_little_is_kept(
    runtime: Runtime, make_endpoint: MakeEndpoint
) -> None:
    endpoint = await make_endpoint(endless())
    await send(runtime, 1)
    await run_due_jobs(runtime)

    (delivery,) = await deliveries_of(runtime, endpoint.id)
    (attempt,) = await attempts_of(runtime, delivery.id)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert (len(attempt.response_body), attempt.is_cut) == (4_096, True)


@pytest.mark.bar("CHECK-16", "ASVS-1.3.6", "CVE-2026-5469")
@pytest.mark.parametrize("settings_overrides", [{}])
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_address_inside_gets_no_packet_and_the_log_says_why(
    runtime: Runtime, clock: FrozenClock, settings_overrides: dict[str, Any]
) -> None:
    """An endpoint whose name came to lead inside after it was made."""
    async with HttpSink() as canary:
        from portico.webhooks.services import NewEndpoint

        new = NewEndpoint(url=f"http://localhost:{canary.port}/", event_names=["*"])
        row, _ = await Endpoints(runtime, runtime.unit()).create_endpoint(new)
        await send(runtime, 1)
        await run_due_jobs(runtime)

        (delivery,) = await deliveries_of(runtime, row.id)
        (attempt,) = await attempts_of(runtime, delivery.id)
        assert canary.connections == 0
        assert attempt.error.startswith("address_forbidden")
        assert delivery.status is DeliveryStatus.PENDING


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_retries_follow_the_schedule_and_end(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
) -> None:
    endpoint = await make_endpoint(answering(500))
    await send(runtime, 1)

    made = await waits(runtime, clock, timedelta(days=4))

    (delivery,) = await deliveries_of(runtime, endpoint.id)
    tries = await attempts_of(runtime, delivery.id)
    gaps = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(tries)]
    planned = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.FAILED, 10)
    assert all(plan <= gap <= plan * 1.1 + 5 for plan, gap in zip(planned, gaps, strict=True))
    assert timedelta(days=3) < tries[-1].at - tries[0].at < timedelta(days=4)
    assert made


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_receiver_can_ask_for_time(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
) -> None:
    endpoint = await make_endpoint(answering(429, b"", {"Retry-After": "600"}))
    await send(runtime, 1)
    await run_due_jobs(runtime)

    (delivery,) = await deliveries_of(runtime, endpoint.id)
    assert delivery.next_attempt_at == clock.now() + timedelta(minutes=10)


async def test_gone_endpoint_is_switched_off_and_told_of(
    runtime: Runtime, make_endpoint: MakeEndpoint, people: People, mails: CapturedMails
) -> None:
    await people.sign_up("root@example.com", superuser=True)
    endpoint = await make_endpoint(answering(410))
    listener = await make_endpoint(events=("webhook_endpoint.*",))
    await send(runtime, 1)
    await run_due_jobs(runtime)
    await send(runtime, 2)
    await run_due_jobs(runtime)

    row = await endpoint_row(runtime, endpoint.id)
    assert (row.status, row.disabled_reason) == (EndpointStatus.DISABLED, DisabledReason.GONE)
    assert endpoint.numbers == [1]
    assert json.loads(listener.sink.received[0].body)["data"] == {
        "endpoint_id": str(endpoint.id),
        "reason": "gone",
    }
    mail = mails.last(to="root@example.com")
    assert endpoint.sink.url in mail.text
    assert "410" in mail.text


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_endpoint_that_fails_for_days_is_switched_off_and_keeps_what_waits(
    runtime: Runtime,
    make_endpoint: MakeEndpoint,
    clock: FrozenClock,
    people: People,
    mails: CapturedMails,
) -> None:
    await people.sign_up("root@example.com", superuser=True)
    endpoint = await make_endpoint(answering(500))
    for day in range(6):
        await send(runtime, day)
        await waits(runtime, clock, timedelta(days=1))

    row = await endpoint_row(runtime, endpoint.id)
    assert (row.status, row.disabled_reason) == (EndpointStatus.DISABLED, DisabledReason.FAILING)
    assert "took no event for days" in mails.last(to="root@example.com").text

    endpoint.sink.behaviour = answering(200)
    endpoint.sink.received.clear()
    await Endpoints(runtime, runtime.unit()).enable_endpoint(endpoint.id)
    await waits(runtime, clock, timedelta(days=2))

    assert set(endpoint.numbers) >= {3, 4}
    assert (await endpoint_row(runtime, endpoint.id)).failing_since is None


async def test_replay_sends_the_same_message_again(runtime: Runtime, make_endpoint: MakeEndpoint) -> None:
    endpoint = await make_endpoint()
    await send(runtime, 1)
    await run_due_jobs(runtime)
    (delivery,) = await deliveries_of(runtime, endpoint.id)
    await Deliveries(runtime, runtime.unit()).replay(delivery.id)
    await run_due_jobs(runtime)

    first, second = endpoint.sink.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert len(await attempts_of(runtime, delivery.id)) == 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_many_messages_take_several_runs(runtime: Runtime, make_endpoint: MakeEndpoint) -> None:
    endpoint = await make_endpoint()
    await send(runtime, *range(2 * BATCH + 7))
    await run_due_jobs(runtime)

    assert sorted(endpoint.numbers) == list(range(2 * BATCH + 7))


@pytest.mark.bar("P8", "P10")
async def test_process_that_dies_after_sending_sends_again_under_the_same_id(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
) -> None:
    endpoint = await make_endpoint()
    await send(runtime, 1)
    failpoints.armed["webhooks.deliver.after_send"] = failpoints.raising()
    try:
        await run_due_jobs(runtime)
    finally:
        failpoints.armed.clear()
    (left,) = await deliveries_of(runtime, endpoint.id)
    await waits(runtime, clock, timedelta(minutes=2))

    first, second = endpoint.sink.received
    (delivery,) = await deliveries_of(runtime, endpoint.id)
    assert left.status is DeliveryStatus.PENDING
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert delivery.status is DeliveryStatus.DELIVERED


async def test_event_while_a_retry_waits_is_sent_at_once(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
) -> None:
    """The job that waits for the retry must not stand in for the one that is needed now."""
    picky = answering(204)

    async def refuse_first(request: Any, writer: Any) -> None:
        is_first = json.loads(request.body)["data"]["number"] == 1
        await (answering(400) if is_first else picky)(request, writer)

    endpoint = await make_endpoint(refuse_first)
    await send(runtime, 1)
    await run_due_jobs(runtime)
    clock.advance(timedelta(seconds=6))
    await run_due_jobs(runtime)
    clock.advance(timedelta(seconds=11))
    await send(runtime, 2)
    await run_due_jobs(runtime)

    assert endpoint.numbers == [1, 1, 2]


async def test_cancelled_job_is_made_up_for(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
) -> None:
    """The safety net: deliveries that are due and have no job."""
    from sqlalchemy import delete

    from portico.messaging.models import JobRecord
    from portico.messaging.relay import relay_events
    from portico.webhooks.jobs import look_after

    endpoint = await make_endpoint()
    await send(runtime, 1)
    await relay_events(runtime)
    async with runtime.unit() as unit:
        await unit.session.execute(delete(JobRecord))
    clock.advance(timedelta(minutes=2))
    await look_after(runtime)
    await run_due_jobs(runtime)

    assert endpoint.numbers == [1]


async def test_two_runs_do_not_deliver_to_one_endpoint(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
) -> None:
    from portico.core.ids import new_id
    from portico.webhooks.repositories import EndpointRepository

    endpoint, first, second = await make_endpoint(), new_id(), new_id()
    now = clock.now()

    async def claim(unit: Unit, job_id: Any, at: datetime) -> bool:
        async with unit:
            endpoints = EndpointRepository(unit.session)
            return await endpoints.claim(endpoint.id, job_id, at, at + timedelta(seconds=30)) is not None

    assert await claim(runtime.unit(), first, now)
    assert not await claim(runtime.unit(), second, now)
    assert await claim(runtime.unit(), first, now)  # the same job, after its process was lost
    assert await claim(runtime.unit(), second, now + timedelta(seconds=31))


@pytest.mark.bar("P10")
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_endpoints_that_work_go_before_those_that_fail(
    runtime: Runtime, make_endpoint: MakeEndpoint, clock: FrozenClock
) -> None:
    """With one slot, the retry of a dead endpoint that is due longer waits for the message of a healthy one."""
    failing = await make_endpoint(answering(500))
    await send(runtime, 1)
    await run_due_jobs(runtime)
    clock.advance(timedelta(seconds=10))
    healthy = await make_endpoint()
    await send(runtime, 2)
    await relay_events(runtime)
    names = ["webhooks.deliver"]

    order = []
    async with runtime.unit() as unit:
        jobs = JobRepository(unit.session)
        for _ in range(2):
            (claimed,) = await jobs.claim_due(
                "webhooks", names, worker="w", now=clock.now(), lease=timedelta(seconds=30), limit=1
            )
            order.append(claimed.arguments["endpoint_id"])

    assert order == [str(healthy.id), str(failing.id)]
