"""Two at once: one rotation wins, limits hold, and who is switched off meanwhile is nobody's deadlock."""

import asyncio

import pytest
from sqlalchemy import func, select

from portico.api_keys.models import ApiKey
from portico.api_keys.services import ApiKeys
from portico.api_keys.types import NewKey
from portico.http.models import IdempotentAnswer
from portico.runtime import Runtime
from portico.users.errors import UserNotFound
from portico.users.services import Users
from tests.api_keys.conftest import SELF, House

pytestmark = pytest.mark.anyio


async def test_of_many_rotations_one_wins(house: House) -> None:
    made = await house.make("ada")
    path = f"/api-keys/{made['id']}/rotate"

    answers = await asyncio.gather(*(house.by("ada", "POST", path) for _ in range(5)))
    listed = (await house.by("ada", "GET", "/api-keys")).json()

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert listed["pagination"]["total"] == 2


@pytest.mark.parametrize("settings_overrides", [{"api_keys": {"max_keys": 3}}])
async def test_the_limit_holds_for_many_at_once(house: House) -> None:
    wish = {"name": "x", "scopes": SELF}

    answers = await asyncio.gather(*(house.by("ada", "POST", "/api-keys", wish) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409, 409]


async def test_rotating_while_the_account_is_switched_off(house: House, runtime: Runtime) -> None:
    keys = [await house.make("ada") for _ in range(4)]

    answers = await asyncio.gather(
        *(house.by("ada", "POST", f"/api-keys/{made['id']}/rotate") for made in keys),
        Users(runtime, runtime.unit()).deactivate_user(house.people["ada"].id),
    )
    async with runtime.reads() as session:
        living = select(func.count()).select_from(ApiKey).where(ApiKey.revoked_at.is_(None))
        left = await session.scalar(living)

    assert left == 0
    assert {answer.status_code for answer in answers if answer is not None} <= {200, 401, 404, 409}


async def test_nothing_is_made_for_somebody_who_was_switched_off_meanwhile(
    house: House, runtime: Runtime
) -> None:
    ada = house.people["ada"].id
    await Users(runtime, runtime.unit()).deactivate_user(ada)
    keys = ApiKeys(runtime, runtime.unit())

    with pytest.raises(UserNotFound):
        await keys.create_for_person(ada, NewKey(name="x", scopes=SELF), actor=None)


async def test_no_answer_with_a_key_is_kept(house: House, runtime: Runtime) -> None:
    headers = {**house.people["ada"].bearer, "Idempotency-Key": "the same one, twice"}
    wish = {"name": "x", "scopes": SELF}

    first = await house.ask("POST", "/api-keys", headers, wish)
    second = await house.ask("POST", "/api-keys", headers, wish)
    async with runtime.reads() as session:
        kept = await session.scalar(select(func.count()).select_from(IdempotentAnswer))

    assert (first.status_code, second.status_code, kept) == (201, 201, 0)
    assert first.json()["key"] != second.json()["key"]
