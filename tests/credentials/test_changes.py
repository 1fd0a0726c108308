"""Changing and recovering passwords."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from portico.core import failpoints
from portico.core.ids import SessionId, new_id
from portico.credentials.errors import PasswordIncorrect, PasswordRejected, TooManyAttempts
from portico.credentials.events import PasswordChanged
from portico.credentials.models import PasswordCredential
from portico.credentials.services import AddressProofs, PasswordChange, PasswordRecovery, Registration
from portico.mail.models import MailMessage
from portico.messaging import Event, EventBus, on
from portico.messaging.wake import Wake
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails, flush_mail
from portico.tokens.errors import CodeInvalid, TokenExpired, TokenInvalid, TokenUsed
from portico.tokens.models import OneTimeToken
from portico.users.addresses import parse_address
from portico.users.errors import EmailTaken
from portico.users.services import EmailAddresses, Users
from tests.credentials.acts import (
    ADA,
    OTHER_PASSWORD,
    PASSWORD,
    account_of,
    count,
    knows_password,
    measured,
    principal_of,
    register,
    sign_in,
    trail,
    wish,
)
from tests.credentials.test_registration import _amount

pytestmark = pytest.mark.anyio
NEW = "orange magnet velvet otter"


@pytest.fixture
def heard(runtime: Runtime) -> list[Event]:
    """Return the `PasswordChanged` events of the test, in order."""
    events: list[Event] = []

    async def note(event: PasswordChanged, unit: Any, runtime: Runtime) -> None:
        events.append(event)

    bus = runtime.get(EventBus)
    for subscription in (on(PasswordChanged, note),):
        bus._handlers.setdefault(subscription.event, []).append(subscription.handler)
    return events


async def ask(runtime: Runtime, email: str = ADA) -> None:
    await PasswordRecovery(runtime, runtime.unit()).request_reset(parse_address(email))


def token_in(mails: CapturedMails, to: str = ADA) -> str:
    return mails.last(to=to).links[0].partition("token=")[2]


@pytest.mark.bar("ASVS-6.2.2", "ASVS-7.4.3", "ASVS-6.3.7", "CHECK-21")
async def test_a_change_keeps_this_session_only_and_is_told_by_mail(
    runtime: Runtime, mails: CapturedMails, heard: list[Any]
) -> None:
    account = await register(runtime)
    session = SessionId(new_id())

    await PasswordChange(runtime, runtime.unit()).change_password(
        principal_of(account, session_id=session), PASSWORD, NEW
    )

    assert await knows_password(runtime, ADA, NEW)
    assert not await knows_password(runtime, ADA, PASSWORD)
    assert [(event.user_id, event.keep_session_id) for event in heard] == [(account.id, session)]
    assert "was changed" in mails.last(to=ADA).subject


@pytest.mark.bar("ASVS-6.2.3")
async def test_a_change_needs_the_present_password(
    runtime: Runtime, mails: CapturedMails, heard: list[Any]
) -> None:
    account = await register(runtime)
    mails.clear()

    with pytest.raises(PasswordIncorrect):
        await PasswordChange(runtime, runtime.unit()).change_password(principal_of(account), "wrong", NEW)

    assert await knows_password(runtime, ADA, PASSWORD)
    assert heard == []
    assert len(mails) == 0
    assert ("password.refused", "refused", "wrong_password") in await trail(runtime)


async def test_a_change_keeps_to_the_policy(runtime: Runtime, subtests: pytest.Subtests) -> None:
    account = await register(runtime)

    for new in (PASSWORD, "short", "password123", "example1", ADA):
        with subtests.test(new=new):
            with pytest.raises(PasswordRejected) as refusal:
                await PasswordChange(runtime, runtime.unit()).change_password(
                    principal_of(account), PASSWORD, new
                )
            assert {fault.field for fault in refusal.value.errors} == {"new_password"}

    assert await knows_password(runtime, ADA, PASSWORD)


async def test_a_failing_commit_changes_and_mails_nothing(runtime: Runtime, mails: CapturedMails) -> None:
    account = await register(runtime)
    mails.clear()
    change = PasswordChange(runtime, runtime.unit())
    failpoints.armed["db.unit.before_commit"] = failpoints.raising()
    try:
        with pytest.raises(failpoints.Failure):
            await change.change_password(principal_of(account), PASSWORD, NEW)
    finally:
        failpoints.armed.clear()

    assert await knows_password(runtime, ADA, PASSWORD)
    assert len(mails) == 0


@pytest.mark.bar("ASVS-6.4.1", "CHECK-13", "N11")
async def test_a_link_sets_a_new_password_once(
    runtime: Runtime, mails: CapturedMails, heard: list[Any]
) -> None:
    account = await register(runtime)
    await ask(runtime)
    mail = mails.last(to=ADA)
    token = token_in(mails)

    await PasswordRecovery(runtime, runtime.unit()).reset_password(token, NEW)

    assert mail.links[0].startswith("http://localhost:8000/reset?token=ptk_")
    assert mail.code
    assert await knows_password(runtime, ADA, NEW)
    assert [(event.user_id, event.keep_session_id) for event in heard] == [(account.id, None)]
    assert "was changed" in mails.last(to=ADA).subject
    with pytest.raises(TokenUsed):
        await PasswordRecovery(runtime, runtime.unit()).reset_password(token, OTHER_PASSWORD)
    with pytest.raises(CodeInvalid):
        await PasswordRecovery(runtime, runtime.unit()).reset_password_by_code(
            parse_address(ADA), mail.code, OTHER_PASSWORD
        )


async def test_a_code_sets_a_new_password(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    await ask(runtime)
    code = mails.last(to=ADA).code
    assert code is not None

    await PasswordRecovery(runtime, runtime.unit()).reset_password_by_code(parse_address(ADA), code, NEW)

    assert await knows_password(runtime, ADA, NEW)


async def test_a_link_is_good_for_half_an_hour(
    runtime: Runtime, mails: CapturedMails, clock: FrozenClock
) -> None:
    await register(runtime)
    await ask(runtime)
    clock.advance(timedelta(minutes=30))

    with pytest.raises(TokenExpired):
        await PasswordRecovery(runtime, runtime.unit()).reset_password(token_in(mails), NEW)


async def test_a_newer_link_voids_the_older(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    await ask(runtime)
    older = token_in(mails)
    await ask(runtime)

    with pytest.raises(TokenUsed):
        await PasswordRecovery(runtime, runtime.unit()).reset_password(older, NEW)
    await PasswordRecovery(runtime, runtime.unit()).reset_password(token_in(mails), NEW)


async def test_a_refused_password_leaves_the_link_good(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    await ask(runtime)

    with pytest.raises(PasswordRejected):
        await PasswordRecovery(runtime, runtime.unit()).reset_password(token_in(mails), "password")

    await PasswordRecovery(runtime, runtime.unit()).reset_password(token_in(mails), NEW)
    assert await knows_password(runtime, ADA, NEW)


@pytest.mark.bar("P7", "CHECK-12", "ASVS-6.5.1")
async def test_fifty_racers_set_one_password(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    await ask(runtime)
    token = token_in(mails)
    failpoints.armed["credentials.reset.before_write"] = failpoints.delaying(0.005)
    try:
        attempts = [
            PasswordRecovery(runtime, runtime.unit()).reset_password(token, f"{NEW} {n}") for n in range(50)
        ]
        results = await asyncio.gather(*attempts, return_exceptions=True)
    finally:
        failpoints.armed.clear()

    winners = [n for n, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(winners) == 1
    assert {type(result) for result in results if isinstance(result, BaseException)} <= {TokenUsed}
    assert await knows_password(runtime, ADA, f"{NEW} {winners[0]}")


@pytest.mark.bar("CVE-2026-18963", "CVE-2026-4325", "ASVS-2.3.1", "ASVS-6.6.2")
async def test_a_token_of_another_purpose_opens_nothing(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    verification = token_in(mails)
    await ask(runtime)
    reset = token_in(mails)

    with pytest.raises(TokenInvalid):
        await PasswordRecovery(runtime, runtime.unit()).reset_password(verification, NEW)
    with pytest.raises(TokenInvalid):
        await EmailAddresses(runtime, runtime.unit()).verify(reset)

    await PasswordRecovery(runtime, runtime.unit()).reset_password(reset, NEW)
    with pytest.raises(TokenInvalid):
        await EmailAddresses(runtime, runtime.unit()).verify(reset)
    with pytest.raises(TokenUsed):
        await PasswordRecovery(runtime, runtime.unit()).reset_password(reset, OTHER_PASSWORD)


async def test_a_code_of_one_address_opens_no_other(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    await register(runtime, "eve@example.com")
    await ask(runtime, "eve@example.com")
    code = mails.last(to="eve@example.com").code
    assert code is not None

    with pytest.raises(CodeInvalid):
        await PasswordRecovery(runtime, runtime.unit()).reset_password_by_code(parse_address(ADA), code, NEW)


@pytest.mark.bar("CHECK-15", "ASVS-6.3.8")
@pytest.mark.parametrize("known", ["proven", "unproven", "deactivated"])
async def test_asking_costs_the_same_whether_or_not_somebody_has_the_address(
    runtime: Runtime, mails: CapturedMails, known: str
) -> None:
    account = await register(runtime)
    if known == "proven":
        await EmailAddresses(runtime, runtime.unit()).verify(token_in(mails))
    if known == "deactivated":
        await Users(runtime, runtime.unit()).deactivate_user(account.id)
    mails.clear()
    runtime.provide(Wake, Wake(runtime))  # as in a server: sent by another task, after the answer

    async with measured(runtime) as somebody:
        await ask(runtime)
    async with measured(runtime) as nobody:
        await ask(runtime, "nobody@example.com")

    assert _amount(somebody) == _amount(nobody)
    assert somebody.hashes == nobody.hashes == 0
    await flush_mail(runtime)
    assert [mail.to for mail in mails] == ([] if known == "deactivated" else [ADA])
    assert await count(runtime, OneTimeToken) == len(mails) + 1


async def test_asking_for_nobody_leaves_only_a_line_on_the_trail(
    runtime: Runtime, mails: CapturedMails
) -> None:
    await ask(runtime, "nobody@example.com")

    assert await count(runtime, OneTimeToken) == await count(runtime, MailMessage) == 0
    assert await trail(runtime) == [("password.reset_requested", "refused", None)]


async def test_one_address_gets_a_few_mails_only(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    mails.clear()

    for _ in range(10):
        await ask(runtime)

    assert len(mails) == 3


@pytest.mark.bar("CHECK-10", "CHECK-3")
async def test_recovery_of_an_unproven_account_wipes_what_a_stranger_set(
    runtime: Runtime, mails: CapturedMails
) -> None:
    await register(runtime, username="squatter", full_name="Eve")
    await ask(runtime)

    account = await PasswordRecovery(runtime, runtime.unit()).reset_password(token_in(mails), NEW)

    assert (account.username, account.full_name, account.email_verified) == (None, None, True)
    assert await knows_password(runtime, ADA, NEW)
    assert not await knows_password(runtime, ADA, PASSWORD)


async def test_recovery_of_a_proven_account_keeps_the_profile(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime, username="ada", full_name="Ada")
    await EmailAddresses(runtime, runtime.unit()).verify(token_in(mails))
    await ask(runtime)

    account = await PasswordRecovery(runtime, runtime.unit()).reset_password(token_in(mails), NEW)

    assert (account.username, account.full_name) == ("ada", "Ada")


async def test_a_link_dies_with_the_address_it_was_sent_to(runtime: Runtime, mails: CapturedMails) -> None:
    account = await register(runtime)
    await ask(runtime)
    link = token_in(mails)
    principal = principal_of(account, auth_time=runtime.clock.now())
    await EmailAddresses(runtime, runtime.unit()).request_change(
        principal, parse_address("new@example.com"), None
    )
    await EmailAddresses(runtime, runtime.unit()).verify(token_in(mails, "new@example.com"))

    with pytest.raises((TokenInvalid, TokenUsed)):
        await PasswordRecovery(runtime, runtime.unit()).reset_password(link, NEW)


@pytest.mark.bar("CHECK-13", "CVE-2025-64101", "GHSA-93m4-mfpg-c3xf")
async def test_links_begin_with_the_configured_address(runtime: Runtime, mails: CapturedMails) -> None:
    """Services know no headers: whatever a request says of its host cannot reach a mail."""
    await register(runtime)
    await ask(runtime)

    assert {urlsplit(link)[:2] for mail in mails for link in mail.links} == {("http", "localhost:8000")}


class TestLinkOnAnUnknownDevice:
    async def test_the_password_of_the_attempt_is_asked_for(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        await register(runtime)
        token = token_in(mails)

        with pytest.raises(Exception, match="name or the password"):
            await AddressProofs(runtime, runtime.unit()).verify_with_password(token, "wrong")
        assert not (await account_of(runtime)).email_verified

        await AddressProofs(runtime, runtime.unit()).verify_with_password(token, PASSWORD)
        assert (await account_of(runtime)).email_verified

    async def test_of_a_claim_it_is_the_claims(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)
        with pytest.raises(EmailTaken):
            await Registration(runtime, runtime.unit()).register(wish(password=OTHER_PASSWORD))
        token = token_in(mails)

        with pytest.raises(Exception, match="name or the password"):
            await AddressProofs(runtime, runtime.unit()).verify_with_password(token, PASSWORD)
        await AddressProofs(runtime, runtime.unit()).verify_with_password(token, OTHER_PASSWORD)

        assert await knows_password(runtime, ADA, OTHER_PASSWORD)

    @pytest.mark.bar("CHECK-10")
    async def test_a_new_password_wipes_what_was_set(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime, username="squatter", full_name="Eve")

        account = await AddressProofs(runtime, runtime.unit()).verify_with_new_password(token_in(mails), NEW)

        assert (account.username, account.full_name, account.email_verified) == (None, None, True)
        assert await knows_password(runtime, ADA, NEW)
        assert not await knows_password(runtime, ADA, PASSWORD)

    @pytest.mark.bar("CHECK-10")
    async def test_afresh_leaves_no_password_at_all(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)

        await EmailAddresses(runtime, runtime.unit()).verify(token_in(mails), afresh=True)

        assert await count(runtime, PasswordCredential) == 0

    async def test_guesses_at_it_are_counted(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)
        token = token_in(mails)
        for _ in range(10):
            with pytest.raises(Exception, match="name or the password"):
                await AddressProofs(runtime, runtime.unit()).verify_with_password(token, "wrong")

        with pytest.raises(TooManyAttempts):
            await AddressProofs(runtime, runtime.unit()).verify_with_password(token, PASSWORD)
        with pytest.raises(TooManyAttempts):
            await sign_in(runtime, ADA, PASSWORD)
