"""Proving addresses and changing them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from portico.access.services import Grants
from portico.access.types import PlatformRole
from portico.core import failpoints
from portico.core.ids import PrincipalId
from portico.credentials.errors import PasswordIncorrect
from portico.messaging.wake import Wake
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.mail import CapturedMails, flush_mail
from portico.tokens.errors import CodeInvalid, TokenExpired, TokenInvalid, TokenUsed
from portico.users.addresses import parse_address
from portico.users.errors import EmailTaken, ReauthenticationRequired, TooManyCodeTries
from portico.users.services import EmailAddresses, ProfileChanges, Users
from tests.credentials.acts import ADA, PASSWORD, account_of, measured, principal_of, register, trail
from tests.credentials.test_changes import token_in
from tests.credentials.test_registration import _amount

pytestmark = pytest.mark.anyio
NEW = "lovelace@example.com"


async def verify(runtime: Runtime, token: str) -> Any:
    return await EmailAddresses(runtime, runtime.unit()).verify(token)


async def verify_code(runtime: Runtime, email: str, code: str) -> Any:
    return await EmailAddresses(runtime, runtime.unit()).verify_by_code(parse_address(email), code)


async def resend(runtime: Runtime, email: str = ADA) -> None:
    await EmailAddresses(runtime, runtime.unit()).resend(parse_address(email))


async def change(
    runtime: Runtime, email: str = NEW, password: str | None = PASSWORD, **principal: Any
) -> None:
    caller = principal_of(await account_of(runtime), **principal)
    await EmailAddresses(runtime, runtime.unit()).request_change(caller, parse_address(email), password)


class TestProof:
    async def test_by_link(self, runtime: Runtime, mails: CapturedMails) -> None:
        before = await register(runtime)

        account = await verify(runtime, token_in(mails))

        assert account.email_verified
        assert account.version > before.version
        assert ("email.verified", "success", None) in await trail(runtime)

    async def test_by_code(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)

        account = await verify_code(runtime, ADA.upper(), mails.last().code or "")

        assert account.email_verified

    @pytest.mark.bar("P7", "CHECK-12")
    async def test_raced_by_many_it_happens_once(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)
        token = token_in(mails)
        failpoints.armed["tokens.redeem.before_write"] = failpoints.delaying(0.002)
        try:
            results = await asyncio.gather(
                *(verify(runtime, token) for _ in range(20)), return_exceptions=True
            )
        finally:
            failpoints.armed.clear()

        assert sum(not isinstance(result, Exception) for result in results) == 1
        assert {type(result) for result in results if isinstance(result, Exception)} == {TokenUsed}

    async def test_a_link_is_good_for_a_day(
        self, runtime: Runtime, mails: CapturedMails, clock: FrozenClock
    ) -> None:
        await register(runtime)
        clock.advance(timedelta(hours=24))

        with pytest.raises(TokenExpired):
            await verify(runtime, token_in(mails))

    @pytest.mark.bar("CVE-2026-27840")
    async def test_an_altered_link_is_none(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)
        token = token_in(mails)

        for altered in (token[:-1], token + "A", token.swapcase(), "", "ptk_", token[:20]):
            with pytest.raises(TokenInvalid):
                await verify(runtime, altered)
        assert (await verify(runtime, token)).email_verified

    @pytest.mark.bar("ASVS-6.6.3", "CHECK-14")
    async def test_a_code_is_void_after_five_tries_and_the_link_is_not(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        await register(runtime)
        code = mails.last().code or ""
        wrong = f"{(int(code) + 1) % 10**8:08}"

        for _ in range(5):
            with pytest.raises(CodeInvalid):
                await verify_code(runtime, ADA, wrong)
        with pytest.raises(CodeInvalid):
            await verify_code(runtime, ADA, code)
        assert (await verify(runtime, token_in(mails))).email_verified

    @pytest.mark.bar("ASVS-6.6.3", "CHECK-14")
    async def test_codes_of_one_address_are_tried_ten_times_an_hour(
        self, runtime: Runtime, mails: CapturedMails, clock: FrozenClock
    ) -> None:
        """A stranger can have any number of codes mailed to an address; he cannot try them all."""
        await register(runtime)
        for _ in range(10):
            with pytest.raises(CodeInvalid):
                await verify_code(runtime, ADA, "00000000")

        with pytest.raises(TooManyCodeTries) as refusal:
            await verify_code(runtime, ADA, mails.last().code or "")

        assert int(refusal.value.headers["Retry-After"]) > 60

    async def test_a_link_of_a_deleted_person_is_none(self, runtime: Runtime, mails: CapturedMails) -> None:
        account = await register(runtime)
        token = token_in(mails)
        await Users(runtime, runtime.unit()).delete_account(account.id)

        with pytest.raises(TokenInvalid):
            await verify(runtime, token)

    async def test_a_claim_takes_away_roles(self, runtime: Runtime, mails: CapturedMails) -> None:
        squatter = await register(runtime)
        grants = Grants(runtime, runtime.unit())
        await grants.grant_role(PrincipalId(squatter.id), PlatformRole.SUPERUSER)
        other = await register(runtime, "root@example.com")
        await Grants(runtime, runtime.unit()).grant_role(PrincipalId(other.id), PlatformRole.SUPERUSER)
        with pytest.raises(EmailTaken):
            await register(runtime)

        assert (await verify(runtime, token_in(mails))).roles == ()

    async def test_a_claimed_username_that_is_gone_is_left_out(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        await register(runtime)
        with pytest.raises(EmailTaken):
            await register(runtime, username="ada", full_name="Ada")
        token = token_in(mails)
        await register(runtime, "eve@example.com", username="ada")

        account = await verify(runtime, token)

        assert (account.username, account.full_name, account.email_verified) == (None, "Ada", True)


class TestResend:
    async def test_sends_a_new_link_and_voids_the_old(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)
        first = token_in(mails)
        await resend(runtime)

        with pytest.raises(TokenUsed):
            await verify(runtime, first)
        assert (await verify(runtime, token_in(mails))).email_verified

    @pytest.mark.bar("ASVS-2.4.1")
    async def test_once_a_minute_and_five_times_an_hour(
        self, runtime: Runtime, mails: CapturedMails, clock: FrozenClock
    ) -> None:
        await register(runtime)
        mails.clear()

        await resend(runtime)
        await resend(runtime)
        assert len(mails) == 1
        for _ in range(30):
            clock.advance(timedelta(seconds=65))
            await resend(runtime, ADA.upper())
        assert len(mails) == 5

    @pytest.mark.bar("CHECK-15", "ASVS-6.3.8")
    @pytest.mark.parametrize("state", ["unproven", "proven"])
    async def test_costs_the_same_for_nobody(
        self, runtime: Runtime, mails: CapturedMails, state: str
    ) -> None:
        await register(runtime)
        if state == "proven":
            await verify(runtime, token_in(mails))
        mails.clear()
        runtime.provide(Wake, Wake(runtime))

        async with measured(runtime) as somebody:
            await resend(runtime)
        async with measured(runtime) as nobody:
            await resend(runtime, "nobody@example.com")

        assert _amount(somebody) == _amount(nobody)
        await flush_mail(runtime)
        assert len(mails) == (state == "unproven")


class TestChange:
    async def test_is_confirmed_at_the_new_address_and_told_to_the_old(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        before = await register(runtime)
        await verify(runtime, token_in(mails))
        await change(runtime)
        assert (await account_of(runtime)).id == before.id

        account = await verify(runtime, token_in(mails, NEW))

        assert (account.id, account.email, account.email_verified) == (before.id, NEW, True)
        assert NEW in mails.last(to=ADA).text
        assert await Users(runtime, runtime.unit()).find_by_identifier(ADA) is None

    async def test_by_code(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)
        await change(runtime)

        account = await verify_code(runtime, NEW, mails.last(to=NEW).code or "")

        assert account.email == NEW

    @pytest.mark.bar("ASVS-7.5.1", "CHECK-21")
    async def test_needs_the_password_or_a_fresh_sign_in(
        self, runtime: Runtime, mails: CapturedMails, clock: FrozenClock
    ) -> None:
        await register(runtime)
        signed_in = clock.now()
        with pytest.raises(PasswordIncorrect):
            await change(runtime, password="wrong")
        with pytest.raises(ReauthenticationRequired):
            await change(runtime, password=None)

        clock.advance(timedelta(minutes=10))
        await change(runtime, password=None, auth_time=signed_in)
        clock.advance(timedelta(seconds=1))
        with pytest.raises(ReauthenticationRequired):
            await change(runtime, password=None, auth_time=signed_in)

    async def test_is_refused_to_somebody_who_impersonates(self, runtime: Runtime) -> None:
        account = await register(runtime)

        with pytest.raises(ReauthenticationRequired):
            await change(runtime, auth_time=runtime.clock.now(), actor_id=account.id)

    @pytest.mark.bar("CHECK-15", "ASVS-6.3.8")
    async def test_to_a_taken_address_gets_the_same_answer(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        await register(runtime)
        await register(runtime, "eve@example.com")
        mails.clear()
        runtime.provide(Wake, Wake(runtime))

        async with measured(runtime) as taken:
            await change(runtime, "eve@example.com")
        async with measured(runtime) as free:
            await change(runtime, NEW)

        assert _amount(taken) == _amount(free)
        await flush_mail(runtime)
        assert [mail.to for mail in mails] == [NEW]

    @pytest.mark.bar("ASVS-2.3.4")
    async def test_raced_for_one_address_the_index_decides(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        ada = await register(runtime)
        eve = await register(runtime, "eve@example.com")
        tokens = []
        for account in (ada, eve):
            caller = principal_of(account, auth_time=runtime.clock.now())
            addresses = EmailAddresses(runtime, runtime.unit())
            await addresses.request_change(caller, parse_address(NEW), None)
            tokens.append(token_in(mails, NEW))

        results = await asyncio.gather(*(verify(runtime, token) for token in tokens), return_exceptions=True)

        assert sorted(type(result).__name__ for result in results) == ["Account", "EmailTaken"]
        assert (await account_of(runtime, NEW)).id in {ada.id, eve.id}

    async def test_a_second_wish_voids_the_first(self, runtime: Runtime, mails: CapturedMails) -> None:
        await register(runtime)
        await change(runtime, NEW)
        await change(runtime, "third@example.com")

        with pytest.raises(TokenUsed):
            await verify(runtime, token_in(mails, NEW))
        assert (await verify(runtime, token_in(mails, "third@example.com"))).email == "third@example.com"

    async def test_a_wish_dies_when_the_address_changed_meanwhile(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        account = await register(runtime)
        await change(runtime, NEW)
        stale = token_in(mails, NEW)
        async with runtime.unit() as unit:
            from portico.users.repositories import EmailAddressRepository

            row = await EmailAddressRepository(unit.session).get_primary(account.id)
            row.address = row.normal_form = "elsewhere@example.com"

        with pytest.raises(TokenInvalid):
            await verify(runtime, stale)

    async def test_the_mail_that_proves_the_old_address_is_void(
        self, runtime: Runtime, mails: CapturedMails
    ) -> None:
        await register(runtime)
        old = token_in(mails, ADA)
        await change(runtime)
        await verify(runtime, token_in(mails, NEW))

        with pytest.raises((TokenInvalid, TokenUsed)):
            await verify(runtime, old)


async def test_profile_changes_do_not_touch_the_proof(runtime: Runtime, mails: CapturedMails) -> None:
    account = await register(runtime)
    changed = await Users(runtime, runtime.unit()).update_profile(account.id, ProfileChanges(full_name="Ada"))

    assert not changed.email_verified
