"""Sign-up: who may, what is written, what is mailed, and what a stranger learns."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from portico.access.services import roles_of
from portico.access.types import PlatformRole
from portico.core import failpoints
from portico.credentials.errors import (
    InvitationInvalid,
    InvitationRequired,
    PasswordRejected,
    PasswordUnreadable,
    RegistrationClosed,
)
from portico.credentials.models import PasswordCredential
from portico.credentials.services import Registration, RegistrationTokens
from portico.mail.models import MailMessage
from portico.runtime import Runtime
from portico.testing.mail import CapturedMails
from portico.tokens.models import OneTimeToken
from portico.users.errors import EmailTaken, UsernameTaken
from portico.users.models import EmailAddress, User
from portico.users.services import EmailAddresses
from tests.credentials.acts import (
    ADA,
    OTHER_PASSWORD,
    PASSWORD,
    Work,
    account_of,
    count,
    knows_password,
    measured,
    register,
    trail,
    under,
    wish,
)

pytestmark = pytest.mark.anyio
REQUIRED = {"users": {"email_verification": "required"}}


async def test_registering_makes_an_account_and_mails_a_proof(runtime: Runtime, mails: CapturedMails) -> None:
    account = await Registration(runtime, runtime.unit()).register(
        wish(username="ada", full_name="Ada Lovelace", locale="de")
    )

    assert account is not None
    assert (account.email, account.username, account.full_name) == (ADA, "ada", "Ada Lovelace")
    assert (account.locale, account.email_verified) == ("de", False)
    assert await knows_password(runtime, ADA, PASSWORD)
    [mail] = mails.to(ADA)
    assert mail.links[0].startswith("http://localhost:8000/verify?token=ptk_")
    assert mail.code
    assert ("user.created", "success", None) in await trail(runtime)


async def test_sign_up_with_a_taken_address_is_refused_where_proof_is_optional(
    runtime: Runtime, mails: CapturedMails
) -> None:
    account = await register(runtime)
    await EmailAddresses(runtime, runtime.unit()).verify(_token(mails))
    mails.clear()

    with pytest.raises(EmailTaken):
        await register(runtime, ADA.upper(), OTHER_PASSWORD)

    assert list(mails) == []
    assert await knows_password(runtime, ADA, PASSWORD)
    assert (await account_of(runtime)).id == account.id


@pytest.mark.bar("CHECK-10", "GHSA-qq9h-g4jm-xgf3")
async def test_whoever_proves_a_taken_unproven_address_gets_the_account(
    runtime: Runtime, mails: CapturedMails
) -> None:
    squatter = await register(runtime, password=PASSWORD, username="squatter", full_name="Eve")
    with pytest.raises(EmailTaken):
        await register(runtime, password=OTHER_PASSWORD, username="adal", full_name="Ada")

    proven = await EmailAddresses(runtime, runtime.unit()).verify(_token(mails))

    assert proven.id == squatter.id
    assert (proven.username, proven.full_name, proven.email_verified) == ("adal", "Ada", True)
    assert await knows_password(runtime, ADA, OTHER_PASSWORD)
    assert not await knows_password(runtime, ADA, PASSWORD)


@pytest.mark.bar("CHECK-10")
async def test_proving_with_the_first_link_keeps_what_was_set_and_voids_the_others(
    runtime: Runtime, mails: CapturedMails
) -> None:
    await register(runtime, password=PASSWORD, username="adal")
    first = _token(mails)
    with pytest.raises(EmailTaken):
        await register(runtime, password=OTHER_PASSWORD, username="eve")
    planted = _token(mails)

    await EmailAddresses(runtime, runtime.unit()).verify(first)
    with pytest.raises(Exception, match="used or replaced"):
        await EmailAddresses(runtime, runtime.unit()).verify(planted)

    assert (await account_of(runtime)).username == "adal"
    assert await knows_password(runtime, ADA, PASSWORD)


@under(**REQUIRED)
@pytest.mark.bar("CHECK-15", "ASVS-6.3.8", "CVE-2026-23511")
@pytest.mark.parametrize("state", ["unproven", "proven"])
async def test_sign_up_costs_the_same_whether_or_not_the_address_is_taken(
    runtime: Runtime, mails: CapturedMails, state: str
) -> None:
    await register(runtime)
    if state == "proven":
        await EmailAddresses(runtime, runtime.unit()).verify(_token(mails))
    mails.clear()

    async with measured(runtime) as taken:
        answer = await Registration(runtime, runtime.unit()).register(wish(password=OTHER_PASSWORD))
    async with measured(runtime) as free:
        other = await Registration(runtime, runtime.unit()).register(
            wish("eve@example.com", password=OTHER_PASSWORD)
        )

    assert answer is other is None
    assert _amount(taken) == _amount(free)
    assert taken.hashes == free.hashes == 1
    assert [mail.to for mail in mails] == [ADA, "eve@example.com"]


@under(**REQUIRED)
async def test_a_taken_address_is_told_by_mail_only(runtime: Runtime, mails: CapturedMails) -> None:
    await register(runtime)
    await EmailAddresses(runtime, runtime.unit()).verify(_token(mails))

    await Registration(runtime, runtime.unit()).register(wish(password=OTHER_PASSWORD))

    assert "already have" in mails.last().subject
    assert mails.last().code is None
    assert await knows_password(runtime, ADA, PASSWORD)


@under(**REQUIRED)
async def test_mails_to_one_address_are_limited_and_nothing_tells(
    runtime: Runtime, mails: CapturedMails
) -> None:
    await register(runtime)
    mails.clear()

    for _ in range(10):
        await Registration(runtime, runtime.unit()).register(wish(password=OTHER_PASSWORD))

    assert len(mails) == 2  # three a minute, and the first went out with the account


async def test_a_taken_username_is_refused_whoever_has_the_address(runtime: Runtime) -> None:
    await register(runtime, username="ada")

    for email in (ADA, "eve@example.com"):
        with pytest.raises(UsernameTaken):
            await Registration(runtime, runtime.unit()).register(wish(email, username="ada"))
    with pytest.raises(UsernameTaken):
        await Registration(runtime, runtime.unit()).register(
            wish("eve@example.com", username="adа".replace("а", "a"))
        )

    assert await count(runtime, User) == 1


@pytest.mark.bar("CVE-2021-3424")
async def test_a_look_alike_username_is_taken(runtime: Runtime) -> None:
    await register(runtime, username="modern")

    with pytest.raises(UsernameTaken):
        await register(runtime, "eve@example.com", username="rnodern")


async def test_the_same_address_raced_by_many_makes_one_account(
    runtime: Runtime, mails: CapturedMails
) -> None:
    attempts = [Registration(runtime, runtime.unit()).register(wish()) for _ in range(8)]
    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert {type(result).__mro__[1] for result in results if isinstance(result, Exception)} == {EmailTaken}
    assert await count(runtime, User) == await count(runtime, PasswordCredential) == 1


async def test_a_password_that_the_policy_refuses_leaves_nothing(
    runtime: Runtime, subtests: pytest.Subtests
) -> None:
    for password in ("short", "password", "iloveyou1", "portico2026", ADA, "aaaaaaaaaaaa"):
        with subtests.test(password=password):
            with pytest.raises(PasswordRejected) as refusal:
                await Registration(runtime, runtime.unit()).register(wish(password=password))
            assert refusal.value.errors

    assert await count(runtime, User) == await count(runtime, MailMessage) == 0


@pytest.mark.bar("P27", "ASVS-6.2.9")
async def test_a_huge_password_is_refused_before_it_is_hashed(runtime: Runtime) -> None:
    async with measured(runtime) as work:
        with pytest.raises(PasswordUnreadable):
            await Registration(runtime, runtime.unit()).register(wish(password="a" * 1_000_000))

    assert work.hashes == 0


async def test_a_failing_commit_leaves_nothing_and_mails_nothing(
    runtime: Runtime, mails: CapturedMails
) -> None:
    failpoints.armed["db.unit.before_commit"] = failpoints.raising()
    try:
        with pytest.raises(failpoints.Failure):
            await Registration(runtime, runtime.unit()).register(wish())
    finally:
        failpoints.armed.clear()

    assert list(mails) == []
    for model in (User, EmailAddress, PasswordCredential, OneTimeToken, MailMessage):
        assert await count(runtime, model) == 0


@under(users={"registration": "closed"})
@pytest.mark.bar("CVE-2024-49757", "CVE-2026-29193")
async def test_nobody_signs_up_where_it_is_closed(runtime: Runtime) -> None:
    token = await RegistrationTokens(runtime, runtime.unit()).create_token()

    for invitation in (None, token.secret):
        with pytest.raises(RegistrationClosed):
            await Registration(runtime, runtime.unit()).register(wish(invitation=invitation))


@under(users={"registration": "invite"})
class TestByInvitation:
    async def test_an_invitation_is_needed(self, runtime: Runtime) -> None:
        with pytest.raises(InvitationRequired):
            await register(runtime)

    async def test_an_invitation_gives_its_role(self, runtime: Runtime) -> None:
        token = await RegistrationTokens(runtime, runtime.unit()).create_token(role=PlatformRole.SUPERUSER)

        account = await register(runtime, invitation=token.secret)

        async with runtime.reads() as session:
            assert await roles_of(session, account.id) == [PlatformRole.SUPERUSER]
        assert account.roles == (PlatformRole.SUPERUSER,)

    @pytest.mark.bar("CVE-2026-27840")
    async def test_an_altered_invitation_is_refused(self, runtime: Runtime) -> None:
        secret = (await RegistrationTokens(runtime, runtime.unit()).create_token()).secret

        for altered in (secret[:-1], secret + "a", secret.upper(), "ptr_", f" {secret}"):
            with pytest.raises(InvitationInvalid):
                await register(runtime, invitation=altered)

    async def test_an_expired_or_withdrawn_invitation_is_refused(self, runtime: Runtime, clock: Any) -> None:
        tokens = RegistrationTokens(runtime, runtime.unit())
        expired, withdrawn = await tokens.create_token(), None
        withdrawn = await RegistrationTokens(runtime, runtime.unit()).create_token()
        await RegistrationTokens(runtime, runtime.unit()).revoke_token(withdrawn.id)
        with pytest.raises(InvitationInvalid):
            await register(runtime, invitation=withdrawn.secret)

        clock.jump(expired.expires_at - clock.now())

        with pytest.raises(InvitationInvalid):
            await register(runtime, invitation=expired.secret)

    @pytest.mark.bar("P7", "ASVS-2.3.4", "CHECK-12")
    async def test_racers_never_get_more_accounts_than_uses(self, runtime: Runtime) -> None:
        token = await RegistrationTokens(runtime, runtime.unit()).create_token(max_uses=3)
        attempts = [
            Registration(runtime, runtime.unit()).register(wish(f"p{n}@example.com", invitation=token.secret))
            for n in range(10)
        ]

        results = await asyncio.gather(*attempts, return_exceptions=True)

        assert sum(not isinstance(result, Exception) for result in results) == 3
        assert await count(runtime, User) == 3

    async def test_a_refused_sign_up_gives_the_use_back(self, runtime: Runtime) -> None:
        token = await RegistrationTokens(runtime, runtime.unit()).create_token()
        await_taken = wish(username="taken", invitation=token.secret)
        with pytest.raises(PasswordRejected):
            await register(runtime, password="password", invitation=token.secret)

        assert await Registration(runtime, runtime.unit()).register(await_taken) is not None


def _token(mails: CapturedMails) -> str:
    return mails.last().links[0].partition("token=")[2]


def _amount(work: Work) -> Counter[str]:
    """Count what was done; taking a savepoint back is the same work as letting it go."""
    words = (word.split(" sa_savepoint")[0].replace("ROLLBACK TO", "RELEASE") for word in work.statements)
    return Counter(word.replace("rollback_savepoint", "release_savepoint") for word in words)
