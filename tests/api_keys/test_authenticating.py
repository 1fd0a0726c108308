"""How keys are presented and limited: two headers, one at a time; networks, rates, quotas; honeytokens."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from portico.api_keys.models import ApiKey
from portico.api_keys.services import note_use
from portico.api_keys.services.believed import ASK_AGAIN, SLICES
from portico.audit.models import AuditEntry
from portico.core import failpoints
from portico.core.masking import masked_text
from portico.messaging.models import OutboxRecord
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.api_keys.conftest import House, by_key, code_of
from tests.integration.ground import API

pytestmark = pytest.mark.anyio

REJECTED = (401, "api_key_rejected")


async def entries(runtime: Runtime, action: str) -> Sequence[AuditEntry]:
    async with runtime.reads() as session:
        query = select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
        return (await session.scalars(query)).all()


async def row_of(runtime: Runtime, made: dict[str, Any]) -> ApiKey:
    async with runtime.reads() as session:
        return (await session.scalars(select(ApiKey).where(ApiKey.secret_hash.is_not(None)))).one()


@pytest.mark.bar("CHECK-4")
async def test_a_key_opens_by_either_header_and_never_by_both(house: House) -> None:
    text = await house.key("ada")
    ways = {
        "bearer": {"Authorization": f"Bearer {text}"},
        "lower case": {"Authorization": f"bearer {text}"},
        "its own": {"X-API-Key": text},
        "both": {"Authorization": f"Bearer {text}", "X-API-Key": text},
        "beside a token": {"X-API-Key": text, **house.people["bob"].bearer},
        "two spaces": {"Authorization": f"Bearer  {text}"},
        "basic": {"Authorization": f"Basic {text}"},
        "bare": {"Authorization": text},
        "twice": {"X-API-Key": f"{text}, {text}"},
        "longer": {"X-API-Key": f"{text}A"},
        "no key of ours": {"X-API-Key": "abc"},
    }
    answers = {name: await house.ask("GET", "/users/me", headers) for name, headers in ways.items()}

    assert {name for name, answer in answers.items() if answer.status_code == 200} == {
        "bearer",
        "lower case",
        "its own",
    }
    assert {answer.status_code for answer in answers.values()} == {200, 401}
    assert code_of(answers["both"]) == code_of(answers["beside a token"]) == (401, "ambiguous_credential")


@pytest.mark.bar("CHECK-4")
async def test_neither_query_nor_cookie_nor_body_carries_a_key(house: House) -> None:
    text = await house.key("ada")

    query = await house.ask("GET", f"/users/me?api_key={text}&access_token={text}")
    cookie = await house.ask("GET", "/users/me", {"Cookie": f"portico_session={text}"})

    assert query.status_code == cookie.status_code == 401


@pytest.mark.bar("CHECK-4")
async def test_a_key_is_no_other_token_and_no_other_token_a_key(house: House) -> None:
    text, ada = await house.key("ada"), house.people["ada"]

    refresh = await house.ask("POST", "/auth/refresh", body={"refresh_token": text})
    session = await house.ask("GET", "/auth/sessions", by_key(text))
    by_token = [
        await house.ask("GET", "/users/me", {"X-API-Key": other})
        for other in (ada.access_token, ada.refresh_token, f"pak_{ada.access_token}", str(ada.id))
    ]

    assert refresh.status_code == 401
    assert session.status_code == 403
    assert {answer.status_code for answer in by_token} == {401}


class TestNetworks:
    async def test_a_key_is_good_from_its_networks_only_and_says_nothing_elsewhere(
        self, house: House, app: Any, runtime: Runtime
    ) -> None:
        made = await house.make("ada", networks=["192.0.2.0/24", "2001:db8::/32"])

        async def ask_from(address: str) -> httpx2.Response:
            transport = httpx2.ASGITransport(app=app, client=(address, 4711))
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
                return await client.get(f"{API}/users/me", headers=by_key(made["key"]))

        inside = [await ask_from(address) for address in ("192.0.2.7", "2001:db8::5", "::ffff:192.0.2.9")]
        outside = [await ask_from(address) for address in ("198.51.100.1", "2001:db9::1", "198.51.100.1")]
        noted = await entries(runtime, "api_key.refused")

        assert {answer.status_code for answer in inside} == {200}
        assert {code_of(answer) for answer in outside} == {REJECTED}
        assert [(entry.reason, str(entry.subject_id)) for entry in noted] == [("network", made["id"])] * 2


class TestHoneytoken:
    @pytest.mark.bar("T4", "ASVS-16.3.4")
    async def test_using_one_is_refused_like_any_other_and_raises_the_alarm(
        self, house: House, runtime: Runtime, clock: FrozenClock
    ) -> None:
        wish = {"name": "in the wiki"}
        made = (await house.by("grace", "POST", "/admin/api-keys", wish)).json()

        answers = [await house.me(made["key"]) for _ in range(3)]
        at_once = len(await entries(runtime, "api_key.honeytoken_used"))
        clock.advance(timedelta(seconds=64))
        await house.me(made["key"])
        noted = await entries(runtime, "api_key.honeytoken_used")
        async with runtime.reads() as session:
            query = select(OutboxRecord.name).where(OutboxRecord.name == "api_key.honeytoken_used")
            told = (await session.scalars(query)).all()

        assert {code_of(answer) for answer in answers} == {REJECTED}
        assert at_once == 1
        assert [(str(entry.subject_id), entry.outcome) for entry in noted] == [(made["id"], "refused")] * 2
        assert len(told) == 2

    async def test_only_administrators_lay_them(self, house: House) -> None:
        answer = await house.by("ada", "POST", "/admin/api-keys", {"name": "x"})

        assert code_of(answer) == (403, "permission_denied")


class TestLimits:
    async def test_the_rate_of_a_key(self, house: House, clock: FrozenClock) -> None:
        text, other = await house.key("ada", rate_limit_per_minute=3), await house.key("ada")

        answers = [await house.me(text) for _ in range(5)]
        free = await house.me(other)
        clock.advance(timedelta(seconds=64))
        later = await house.me(text)

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[3].json()["code"] == "rate_limited"
        assert int(answers[3].headers["Retry-After"]) in range(1, 65)
        assert answers[3].headers["RateLimit-Policy"] == '"api-key-minute";q=3;w=60'
        assert answers[3].headers["RateLimit"].startswith('"api-key-minute";r=0;t=')
        assert (free.status_code, later.status_code) == (200, 200)

    async def test_the_quota_of_a_day_ends_at_midnight_utc(self, house: House, clock: FrozenClock) -> None:
        text = await house.key("ada", quota_per_day=3)

        answers = [await house.me(text) for _ in range(4)]
        wait = int(answers[3].headers["Retry-After"])
        clock.advance(timedelta(seconds=wait - 1))
        before = await house.me(text)
        clock.advance(timedelta(seconds=1))
        after = await house.me(text)

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert wait == 12 * 3_600
        assert (before.status_code, after.status_code) == (429, 200)

    @pytest.mark.bar("ASVS-2.3.4", "ASVS-5.2.4")
    @pytest.mark.parametrize("quota", [4, 120])
    async def test_two_nodes_together_never_use_more_than_a_quota(
        self, house: House, elsewhere: httpx2.AsyncClient, quota: int
    ) -> None:
        """Raced, without a flush: whatever one has taken the other has not; at most a slice each waits to be used."""
        text = await house.key("ada", quota_per_day=quota)
        nodes = (house.client, elsewhere)
        ask = [nodes[number % 2].get(f"{API}/users/me", headers=by_key(text)) for number in range(quota + 20)]

        statuses = Counter(answer.status_code for answer in await asyncio.gather(*ask))

        assert statuses.keys() == {200, 429}
        assert quota - 2 * (quota // SLICES) <= statuses[200] <= quota

    async def test_what_one_node_took_and_did_not_use_the_other_gets_after_a_flush(
        self, house: House, runtime: Runtime, elsewhere: httpx2.AsyncClient, clock: FrozenClock
    ) -> None:
        made = await house.make("ada", quota_per_day=80)  # two are taken at once
        text = made["key"]
        here = await house.me(text)
        there = await used_up(elsewhere, text)
        at_once = (await row_of(runtime, made)).used_today
        await note_use(runtime)
        given_back = (await row_of(runtime, made)).used_today
        clock.advance(ASK_AGAIN)
        last = [(await elsewhere.get(f"{API}/users/me", headers=by_key(text))).status_code for _ in range(2)]
        row = await row_of(runtime, made)

        assert (here.status_code, there) == (200, 78)
        assert (at_once, given_back, row.used_today) == (80, 79, 80)
        assert last == [200, 429]
        assert (row.use_count, row.version) == (1, 1)

    async def test_a_flush_that_fails_gives_nothing_back_twice(
        self, house: House, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = await house.make("ada", quota_per_day=120)
        await house.me(made["key"])
        with monkeypatch.context() as broken, pytest.raises(failpoints.Failure):
            broken.setitem(failpoints.armed, "db.unit.before_commit", failpoints.raising())
            await note_use(runtime)

        await house.me(made["key"])
        taken = (await row_of(runtime, made)).used_today
        await note_use(runtime)
        row = await row_of(runtime, made)

        assert (taken, row.used_today, row.use_count) == (3, 2, 2)

    async def test_a_quota_that_is_lifted_counts_what_was_used(self, house: House, runtime: Runtime) -> None:
        made = await house.make("ada", quota_per_day=2)
        statuses = [(await house.me(made["key"])).status_code for _ in range(3)]
        await house.by("ada", "PATCH", f"/api-keys/{made['id']}", {"quota_per_day": 4})
        statuses += [(await house.me(made["key"])).status_code for _ in range(3)]

        assert statuses == [200, 200, 429, 200, 200, 429]


async def used_up(client: httpx2.AsyncClient, text: str) -> int:
    """Use a key until it is refused; return how often it was not."""
    count = 0
    while (await client.get(f"{API}/users/me", headers=by_key(text))).status_code == 200:
        count += 1
    return count


async def test_use_is_noted_in_time_without_touching_the_version(
    house: House, runtime: Runtime, clock: FrozenClock
) -> None:
    made = await house.make("ada")
    clock.advance(timedelta(minutes=1))
    for _ in range(3):
        await house.me(made["key"])

    first = await note_use(runtime)
    again = await note_use(runtime)
    row = await row_of(runtime, made)

    assert (first, again) == (1, 0)
    assert (row.use_count, row.used_today, row.version) == (3, 3, 1)
    assert row.last_used_at == clock.now()
    assert row.last_used_address == "127.0.0.1"


@pytest.mark.bar("CHECK-23", "ASVS-16.2.5")
async def test_a_key_is_masked_wherever_it_stands(house: House) -> None:
    text = await house.key("ada")

    for line in (text, f"key={text} seen", f'{{"x": "{text}"}}', f"GET /?q={text}", f"X-API-Key: {text}"):
        assert text[8:] not in masked_text(line)


@pytest.mark.bar("CHECK-2", "ASVS-8.2.1")
async def test_what_one_key_was_answered_is_told_to_no_other(house: House) -> None:
    """The kept answer of `Idempotency-Key` is given before anybody asks what a key may do."""
    write, body = ["organization:self:create"], {"name": "Secret venture"}
    first, second = await house.key("ada", scopes=write), await house.key("ada", scopes=write)
    narrow, same = await house.key("ada"), {"Idempotency-Key": "1"}

    made = await house.ask("POST", "/organizations", {**by_key(first), **same}, body)
    again = await house.ask("POST", "/organizations", {**by_key(first), **same}, body)
    others = [
        await house.ask("POST", "/organizations", {**by_key(key), **same}, body) for key in (second, narrow)
    ]

    assert made.status_code == again.status_code == 201, made.text
    assert again.json() == made.json()
    assert others[0].json()["id"] != made.json()["id"]
    assert code_of(others[1]) == (403, "insufficient_scope")
