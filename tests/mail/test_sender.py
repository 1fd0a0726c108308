"""Sending by real SMTP: once, later, or never, and what is written down of it (P9)."""

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy import text, update

from portico.composition import compose, opened
from portico.core import failpoints
from portico.core.settings import Settings
from portico.mail.captured import read_mail
from portico.mail.feature import check_mail
from portico.mail.jobs import sweep_mail
from portico.mail.models import MailMessage
from portico.mail.sender import without_addresses
from portico.mail.services import Mailer
from portico.mail.transports import TransportDown
from portico.mail.types import MailStatus
from portico.messaging import Jobs, JobStatus
from portico.messaging.execution import recover_lost
from portico.messaging.models import JobRecord
from portico.messaging.runner import JobRunner
from portico.messaging.types import JobView
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from portico.testing.mail import capture_mail, flush_mail
from tests.mail.acts import CODE, RESET, context, only_row, rows, write_mail
from tests.mail.sink import Sink

pytestmark = pytest.mark.anyio


class Died(BaseException):
    """The process is gone: nothing after it runs."""


async def die(_: str) -> None:
    raise Died


async def jobs_of_mail(runtime: Runtime) -> list[JobView]:
    """Return the jobs that send, oldest first."""
    return (await runtime.get(Jobs).list_newest(queue="mail"))[::-1]


async def lose_leases(runtime: Runtime) -> None:
    """Let the leases of all runs under way be over, as they are half a minute after a process died."""
    async with runtime.unit() as unit:
        await unit.session.execute(
            update(JobRecord).values(claimed_until=runtime.clock.now() - timedelta(days=1))
        )
    await recover_lost(runtime)


@pytest.fixture
def settings_overrides(sink: Sink) -> dict[str, Any]:
    return {"mail": {"url": sink.url, "timeout": 1, "message_timeout": 2}}


@pytest.mark.bar("P9")
async def test_committed_mail_is_sent_once(runtime: Runtime, sink: Sink) -> None:
    await write_mail(runtime)

    await flush_mail(runtime)
    await flush_mail(runtime)

    [received] = sink.received
    row = await only_row(runtime)
    assert received.recipients == ["ada@example.com"]
    assert received.message["Message-ID"] == row.message_id == f"<{row.id}@localhost>"
    assert RESET in read_mail(row.id, received.content).text
    assert row.status is MailStatus.SENT
    assert row.sent_at == runtime.clock.now()
    assert row.sealed_content is None


@pytest.mark.bar("P9")
async def test_rolled_back_act_sends_nothing(runtime: Runtime, sink: Sink) -> None:
    mails = capture_mail(runtime)

    with pytest.raises(ZeroDivisionError):
        async with runtime.unit() as unit:
            runtime.get(Mailer).enqueue(
                unit, template="reset_password", to="ada@example.com", locale="en", context=context(runtime)
            )
            raise ZeroDivisionError

    assert await flush_mail(runtime) == 0
    assert len(mails) == 0
    assert await rows(runtime) == []


@pytest.mark.bar("P9")
async def test_mail_of_a_process_that_died_is_sent_by_the_next(
    runtime: Runtime, sink: Sink, settings: Settings, features: Any, clock: FrozenClock
) -> None:
    await write_mail(runtime)
    failpoints.armed["mail.sender.after_claim"] = die
    with pytest.raises(Died):
        await flush_mail(runtime)
    failpoints.armed.clear()

    async with opened(compose(settings, features, clock=clock)) as successor:
        assert await flush_mail(successor) == 0, "the claim of the dead process still holds"
        await lose_leases(successor)
        await flush_mail(successor)

    assert len(sink.received) == 1


@pytest.mark.bar("P9")
async def test_death_after_the_server_took_it_repeats_the_same_message(
    runtime: Runtime, sink: Sink, clock: FrozenClock
) -> None:
    await write_mail(runtime)
    failpoints.armed["mail.sender.after_send"] = die
    with pytest.raises(Died):
        await flush_mail(runtime)
    failpoints.armed.clear()
    await lose_leases(runtime)

    await flush_mail(runtime)

    first, second = sink.received
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.content == second.content


@pytest.mark.bar("P9")
async def test_two_senders_never_send_the_same_mail(runtime: Runtime, sink: Sink) -> None:
    for number in range(10):
        await write_mail(runtime, f"person{number}@example.com")
    failpoints.armed["mail.sender.after_claim"] = failpoints.delaying(0.02)

    try:
        await asyncio.gather(*(flush_mail(runtime) for _ in range(3)))
    finally:
        failpoints.armed.clear()

    recipients = [address for received in sink.received for address in received.recipients]
    assert sorted(recipients) == [f"person{number}@example.com" for number in range(10)]


@pytest.mark.bar("P9")
@pytest.mark.parametrize("answer", ["450 4.2.1 mailbox busy", "451 4.7.1 greylisted", "452 4.3.1 no space"])
async def test_message_put_off_goes_later_with_the_same_id(
    runtime: Runtime, sink: Sink, clock: FrozenClock, answer: str
) -> None:
    sink.rcpt_answers = [answer]
    await write_mail(runtime)

    await flush_mail(runtime)
    row = await only_row(runtime)
    [waiting] = await jobs_of_mail(runtime)
    clock.advance(timedelta(seconds=31))
    await flush_mail(runtime)

    assert row.status is MailStatus.QUEUED
    assert waiting.attempts == 1
    assert waiting.last_error == answer
    assert timedelta(seconds=24) <= waiting.run_at - row.created_at <= timedelta(seconds=30)
    assert [received.message["Message-ID"] for received in sink.received] == [row.message_id]
    assert [(job.status, job.last_error) for job in await jobs_of_mail(runtime)] == [(JobStatus.DONE, None)]


@pytest.mark.bar("P9")
@pytest.mark.parametrize("where", ["rcpt_answers", "data_answers"])
async def test_message_refused_for_good_is_kept_as_failed(runtime: Runtime, sink: Sink, where: str) -> None:
    setattr(sink, where, ["550 5.1.1 <ada@example.com> unknown, see ada@example.com"])
    await write_mail(runtime)
    await write_mail(runtime, "bob@example.com")

    await flush_mail(runtime)

    failed, sent = await rows(runtime)
    dead, _ = await jobs_of_mail(runtime)
    assert failed.status is MailStatus.FAILED
    assert (dead.status, dead.last_error) == (JobStatus.DEAD, "550 5.1.1 <address> unknown, see <address>")
    assert sent.status is MailStatus.SENT
    assert len(sink.received) == 1


@pytest.mark.bar("P9")
async def test_dead_letter_goes_out_when_somebody_tries_it_again(runtime: Runtime, sink: Sink) -> None:
    sink.data_answers = ["554 5.7.1 blocked for now"]
    await write_mail(runtime)
    await flush_mail(runtime)
    [dead] = await jobs_of_mail(runtime)

    await runtime.get(Jobs).retry(runtime.unit(), dead.id)
    await flush_mail(runtime)

    assert (await only_row(runtime)).status is MailStatus.SENT
    assert [received.message["Message-ID"] for received in sink.received] == [
        (await only_row(runtime)).message_id
    ]


@pytest.mark.bar("P9")
async def test_closing_server_holds_up_everything_and_counts_for_nobody(
    runtime: Runtime, sink: Sink, clock: FrozenClock
) -> None:
    sink.rcpt_answers = ["421 4.3.2 shutting down"]
    await write_mail(runtime)

    await flush_mail(runtime)
    [held] = await jobs_of_mail(runtime)
    clock.advance(timedelta(seconds=1))
    await flush_mail(runtime)

    assert held.attempts == 0
    assert held.run_at == held.created_at + timedelta(seconds=1)
    assert (await only_row(runtime)).status is MailStatus.SENT


@pytest.mark.bar("P9")
async def test_mail_of_an_hour_without_a_server_is_out_within_a_minute(
    runtime: Runtime, sink: Sink, clock: FrozenClock
) -> None:
    await sink.stop()
    for number in range(5):
        await write_mail(runtime, f"person{number}@example.com")
    for _ in range(720):
        await _tick(runtime, clock)
    waiting = await jobs_of_mail(runtime)

    await sink.start()
    for _ in range(12):
        await _tick(runtime, clock)

    assert all(job.status is JobStatus.QUEUED and job.attempts == 0 for job in waiting)
    assert any("onnect" in (job.last_error or "") for job in waiting)
    assert len(sink.received) == 5


async def _tick(runtime: Runtime, clock: FrozenClock) -> None:
    """Let five seconds pass, and do what is due then."""
    clock.advance(timedelta(seconds=5))
    await flush_mail(runtime)


@pytest.mark.bar("P9")
async def test_message_that_hangs_does_not_hold_up_the_others(runtime: Runtime, sink: Sink) -> None:
    sink.data_hangs_for = lambda message: message["To"] == "slow@example.com"
    await write_mail(runtime, "slow@example.com")
    runner = running(runtime)
    await write_mail(runtime, "ada@example.com")
    await sink.wait_for(1, seconds=0.9)
    await write_mail(runtime, "bob@example.com")
    await sink.wait_for(2, seconds=0.9)
    while runner.running:  # noqa: ASYNC110 - the runner tells nobody
        await asyncio.sleep(0.02)
    await runner.stop()

    slow, *_ = await jobs_of_mail(runtime)
    assert slow.status is JobStatus.QUEUED
    assert slow.attempts == 1
    assert slow.last_error == "Timed out waiting for server response"


def running(runtime: Runtime) -> JobRunner:
    """Start what a server does jobs with."""
    runner = JobRunner(runtime)
    runtime.provide(JobRunner, runner)
    runner.start()
    return runner


async def test_message_is_given_up_after_days_of_putting_off(
    runtime: Runtime, sink: Sink, clock: FrozenClock
) -> None:
    sink.rcpt_answers = ["450 4.2.1 not now"] * 2
    await write_mail(runtime)
    await flush_mail(runtime)
    clock.advance(timedelta(days=4))

    await flush_mail(runtime)

    [dead] = await jobs_of_mail(runtime)
    assert (await only_row(runtime)).status is MailStatus.FAILED
    assert dead.last_error == "given up after the last answer: 450 4.2.1 not now"


async def test_international_address_reaches_a_server_that_takes_it(runtime: Runtime, sink: Sink) -> None:
    await write_mail(runtime, "jürgen@bücher.example")

    await flush_mail(runtime)

    assert sink.received[0].recipients == ["jürgen@xn--bcher-kva.example"]


async def test_international_address_fails_at_a_server_that_does_not(runtime: Runtime, sink: Sink) -> None:
    sink.utf8 = False
    await write_mail(runtime, "jürgen@example.com")

    await flush_mail(runtime)

    assert (await only_row(runtime)).status is MailStatus.FAILED


@pytest.mark.bar("ASVS-1.3.11", "CVE-2022-35924")
async def test_every_mail_has_exactly_one_rcpt(runtime: Runtime, sink: Sink) -> None:
    await write_mail(
        runtime, "o'brien+tag@example.com", name="Ada\r\nBcc: eve@evil.example\r\n.\r\nRCPT TO:<x@y.zz>"
    )

    await flush_mail(runtime)

    assert sink.rcpt_lines == ["o'brien+tag@example.com"]
    assert sink.received[0].message["Bcc"] is None


async def test_content_is_sealed_at_rest(runtime: Runtime, sink: Sink) -> None:
    await write_mail(runtime, name="Secret Name")

    async with runtime.reads() as session:
        row = (await session.execute(text("SELECT * FROM portico_mail_messages"))).one()

    stored = repr(tuple(row)) + bytes(row.sealed_content).decode("latin-1")
    assert RESET not in stored
    assert CODE not in stored
    assert "Secret Name" not in stored


async def test_content_moved_to_another_row_does_not_open(runtime: Runtime, sink: Sink) -> None:
    await write_mail(runtime, "ada@example.com")
    await write_mail(runtime, "eve@evil.example")
    first, second = await rows(runtime)
    async with runtime.unit() as unit:
        await unit.session.execute(
            update(MailMessage).where(MailMessage.id == second.id).values(sealed_content=first.sealed_content)
        )

    await flush_mail(runtime)

    assert [received.recipients for received in sink.received] == [["ada@example.com"]]
    assert [row.status for row in await rows(runtime)] == [MailStatus.SENT, MailStatus.FAILED]


@pytest.mark.bar("CHECK-23", "ASVS-16.2.5")
async def test_log_holds_no_link_code_address_or_password(
    runtime: Runtime, sink: Sink, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sink.rcpt_answers = [
        "450 <ada@example.com> later",
        "421 ada@example.com bye",
        "250 OK",
        "550 ada@example.com",
    ]
    with structlog.testing.capture_logs() as events:
        await write_mail(runtime, name="Ada Canary")
        for _ in range(3):
            await flush_mail(runtime)
            clock.advance(timedelta(seconds=31))
        await write_mail(runtime)
        await flush_mail(runtime)

    ours = [
        record.getMessage() for record in caplog.records if record.name != "mail.log"
    ]  # that is the server's
    written = json.dumps(events, default=str) + "\n".join(ours)
    assert {"mail_deferred", "mail_transport_down", "mail_sent", "mail_failed"} <= {
        event["event"] for event in events
    }
    for secret in (RESET, "CANARY", CODE, "ada@example.com", "Ada Canary"):
        assert secret not in written


async def test_settled_mail_is_forgotten_after_a_month(
    runtime: Runtime, sink: Sink, clock: FrozenClock
) -> None:
    sink.rcpt_answers = ["250 OK", "550 no"]
    await write_mail(runtime)
    await write_mail(runtime)
    await flush_mail(runtime)
    await sink.stop()
    await write_mail(runtime)
    clock.advance(timedelta(days=29))
    await do_job(runtime, sweep_mail)
    kept = await rows(runtime)

    clock.advance(timedelta(days=2))
    await do_job(runtime, sweep_mail)

    assert len(kept) == 3
    assert (await only_row(runtime)).status is MailStatus.QUEUED


async def test_mail_to_an_erased_address_is_removed(runtime: Runtime, sink: Sink) -> None:
    await write_mail(runtime, "Ada@example.com")
    await write_mail(runtime, "bob@example.com")

    async with runtime.unit() as unit:
        await runtime.get(Mailer).forget(unit, "ada@example.com", "not an address")

    assert [row.recipient for row in await rows(runtime)] == ["bob@example.com"]


async def test_commit_wakes_the_sender(runtime: Runtime, sink: Sink) -> None:
    runner = running(runtime)
    await asyncio.sleep(0.05)
    try:
        await write_mail(runtime)
        await sink.wait_for(1)
    finally:
        await runner.stop()


async def test_stop_lets_a_message_under_way_end(runtime: Runtime, sink: Sink) -> None:
    await write_mail(runtime)
    failpoints.armed["mail.sender.after_claim"] = failpoints.delaying(0.1)
    runner = running(runtime)
    try:
        await asyncio.sleep(0.05)
        await runner.stop()
    finally:
        failpoints.armed.clear()

    assert (await only_row(runtime)).status is MailStatus.SENT
    await write_mail(runtime)
    await asyncio.sleep(0.05)
    assert len(sink.received) == 1


async def test_health_says_where_mail_goes_and_what_waits(runtime: Runtime, sink: Sink) -> None:
    await write_mail(runtime)
    healthy = await check_mail(runtime)
    await sink.stop()

    with pytest.raises(TransportDown):
        await check_mail(runtime)

    assert healthy == f"127.0.0.1:{sink.port} answers, without TLS; 1 waiting, 0 failed"


def test_reason_is_one_short_line_without_addresses() -> None:
    reason = without_addresses("550 5.1.1\r\n<ada@example.com>: no such user " + "x" * 500)

    assert reason.startswith("550 5.1.1 <address> no such user")
    assert len(reason) == 300


@pytest.mark.bar("P9")
@pytest.mark.parametrize("greeting", [b"", b"220 slow"], ids=["silent", "drips"])
async def test_server_that_never_finishes_its_greeting_is_down(
    runtime: Runtime, sink: Sink, greeting: bytes
) -> None:
    await sink.stop()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in greeting:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(stall, "127.0.0.1", sink.port):
        await write_mail(runtime)
        await flush_mail(runtime)

    [held] = await jobs_of_mail(runtime)
    assert (held.status, held.attempts) == (JobStatus.QUEUED, 0)
    assert held.last_error == "Timed out waiting for server ready message"
