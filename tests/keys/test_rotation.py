"""Rotation: published before use, kept after use, once however many ask for it."""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from portico.app import default_features
from portico.audit.models import AuditEntry
from portico.audit.types import Outcome
from portico.composition import compose, migrator_of, opened
from portico.coordination.models import Revocation
from portico.core import failpoints
from portico.core.crypto import b64decode
from portico.core.failpoints import Failure
from portico.core.settings import Environment, Settings
from portico.keys.events import SigningKeysRotated
from portico.keys.jobs import follow_keys, rotate_old_keys
from portico.keys.models import SigningKey
from portico.keys.services import Keyring, ensure_key, ensure_keys, list_keys, rotate_keys
from portico.keys.settings import KeysSettings
from portico.keys.types import KeyPurpose
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.jobs import do_job
from tests.keys.signing import ACCESS, TYP, claims, header_of, rows, verify

pytestmark = pytest.mark.anyio

LEAD, LIFE, SKEW = timedelta(minutes=15), timedelta(hours=24), timedelta(seconds=60)
SECOND = timedelta(seconds=1)


def published(keyring: Keyring) -> set[str]:
    return {key["kid"] for key in keyring.jwks()["keys"]}


def signing_kid(runtime: Runtime, keyring: Keyring) -> str:
    return header_of(keyring.sign(claims(runtime), purpose=ACCESS, typ=TYP))["kid"]


@pytest.mark.bar("P31", "ASVS-11.2.2")
async def test_successor_is_published_at_once_and_signs_after_the_lead(
    runtime: Runtime, keyring: Keyring, clock: FrozenClock
) -> None:
    old = signing_kid(runtime, keyring)
    rotated = await rotate_keys(runtime, runtime.unit())

    assert (rotated.is_new, rotated.signs_from) == (True, clock.now() + LEAD)
    assert published(keyring) == {old, rotated.kid}
    assert signing_kid(runtime, keyring) == old
    clock.advance(LEAD - timedelta(microseconds=1))
    assert signing_kid(runtime, keyring) == old
    clock.advance(timedelta(microseconds=1))
    assert signing_kid(runtime, keyring) == rotated.kid


@pytest.mark.bar("P31")
async def test_old_key_verifies_until_its_last_token_is_over(
    runtime: Runtime, keyring: Keyring, clock: FrozenClock
) -> None:
    old = signing_kid(runtime, keyring)
    await rotate_keys(runtime, runtime.unit())
    clock.advance(LEAD - SECOND)
    longest = int((clock.now() + LIFE).timestamp())
    last = keyring.sign(claims(runtime, exp=longest), purpose=ACCESS, typ=TYP)
    assert header_of(last)["kid"] == old
    clock.advance(LIFE - SECOND)
    verify(keyring, last)
    assert old in published(keyring)
    clock.advance(2 * SECOND + SKEW)

    assert old not in published(keyring)
    await do_job(runtime, rotate_old_keys)
    assert old not in {row.kid for row in await rows(runtime)}
    await follow_keys(runtime)
    verify(keyring, keyring.sign(claims(runtime), purpose=ACCESS, typ=TYP))


async def test_rotation_is_told_to_other_nodes_and_to_whoever_listens(
    runtime: Runtime, keyring: Keyring, heard: list[SigningKeysRotated]
) -> None:
    old = signing_kid(runtime, keyring)
    rotated = await rotate_keys(runtime, runtime.unit())
    async with runtime.reads() as session:
        subjects = (await session.scalars(select(Revocation.subject))).all()

    assert set(subjects) == {f"key:{old}", f"key:{rotated.kid}"}
    assert [(one.purpose, one.kid, one.retired_kids) for one in heard] == [(ACCESS, rotated.kid, (old,))]


async def test_rotation_is_on_the_trail_in_its_own_transaction(runtime: Runtime) -> None:
    rotated = await rotate_keys(runtime, runtime.unit())
    async with runtime.reads() as session:
        (entry,) = (await session.scalars(select(AuditEntry))).all()

    assert (entry.action, entry.outcome) == ("key.rotated", Outcome.SUCCESS)
    assert (entry.details["purpose"], entry.details["kid"]) == ("access_token", rotated.kid)


async def test_second_rotation_leaves_it_to_the_key_that_waits(
    runtime: Runtime, clock: FrozenClock, heard: list[SigningKeysRotated]
) -> None:
    first = await rotate_keys(runtime, runtime.unit())
    second = await rotate_keys(runtime, runtime.unit())
    assert (second.kid, second.is_new, len(heard)) == (first.kid, False, 1)
    clock.advance(LEAD)

    assert (await rotate_keys(runtime, runtime.unit())).is_new


@pytest.mark.bar("P31", "P12")
async def test_ten_rotations_at_once_make_one_key(runtime: Runtime) -> None:
    failpoints.armed["keys.rotate.between_writes"] = failpoints.delaying(0.01)
    rotated = await asyncio.gather(*(rotate_keys(runtime, runtime.unit()) for _ in range(10)))

    assert sum(one.is_new for one in rotated) == 1
    assert len({one.kid for one in rotated}) == 1
    assert len(await rows(runtime)) == 2


@pytest.mark.bar("P31")
async def test_ten_starts_at_once_make_one_key(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        await unit.session.execute(delete(SigningKey))
    failpoints.armed["db.unit.before_commit"] = failpoints.delaying(0.01)
    await asyncio.gather(*(ensure_key(runtime, ACCESS) for _ in range(10)))

    assert len(await rows(runtime)) == 1


@pytest.mark.bar("P31")
async def test_workers_that_start_at_once_agree_on_one_key(settings: Settings) -> None:
    assert settings.database.url is not None
    order = json.dumps({"url": settings.database.url.get_secret_value(), "data_dir": str(settings.data_dir)})
    script = str(Path(__file__).with_name("starter.py"))
    settings.data_dir.mkdir(exist_ok=True)
    (settings.data_dir / "go").unlink(missing_ok=True)
    starters = [
        await asyncio.create_subprocess_exec(sys.executable, script, order, stdout=asyncio.subprocess.PIPE)
        for _ in range(3)
    ]
    assert [await starter.stdout.readline() for starter in starters if starter.stdout] == [b"ready\n"] * 3
    (settings.data_dir / "go").touch()
    kids = {(await starter.communicate())[0] for starter in starters}

    assert len(kids) == 1
    assert len(json.loads(kids.pop())) == 1


@pytest.mark.bar("P31", "P3")
@pytest.mark.parametrize(
    "point", ["keys.rotate.between_writes", "db.unit.before_commit", "db.unit.after_commit"]
)
async def test_rotation_that_fails_happens_whole_or_not_at_all(
    runtime: Runtime, keyring: Keyring, clock: FrozenClock, point: str
) -> None:
    old = signing_kid(runtime, keyring)
    failpoints.armed[point] = failpoints.raising()
    with pytest.raises(Failure):
        await rotate_keys(runtime, runtime.unit())
    failpoints.armed.clear()
    await keyring.reload()
    states = [(row.kid == old, row.signs_until) for row in await rows(runtime)]

    happened = point == "db.unit.after_commit"
    assert states == ([(True, clock.now() + LEAD), (False, None)] if happened else [(True, None)])
    clock.advance(LEAD)
    assert (signing_kid(runtime, keyring) == old) is not happened


@pytest.mark.bar("P31")
async def test_rotation_under_load_refuses_no_token_and_signs_with_no_unpublished_key(
    runtime: Runtime, clock: FrozenClock
) -> None:
    """Two nodes sign and verify while keys rotate; a third party caches the JWKS as long as it may."""
    settings = runtime.section(KeysSettings)
    nodes = [Keyring(runtime) for _ in range(2)]
    tokens: list[str] = []
    cached: set[str] = set()
    for minute in range(4 * 60):
        if minute == 30:
            await rotate_keys(runtime, runtime.unit())
        if minute % int(settings.jwks_max_age.total_seconds() // 60) == 0:
            cached = published(nodes[1])  # of the node that hears of everything last
        await nodes[0].reload()
        if minute % 2 == 0:
            await nodes[1].reload()
        for node in nodes:
            token = node.sign(claims(runtime), purpose=ACCESS, typ=TYP)
            tokens.append(token)
            assert minute < 5 or header_of(token)["kid"] in cached, "signed by a key that nobody could know"
        clock.advance(timedelta(minutes=1))
        tokens = tokens[-28:]  # of the last 14 minutes: none has expired
        for node in nodes:
            for token in tokens:
                verify(node, token)


async def test_key_of_the_configured_age_is_rotated_and_no_younger_one(
    runtime: Runtime, keyring: Keyring, clock: FrozenClock, heard: list[SigningKeysRotated]
) -> None:
    clock.advance(timedelta(days=90) - SKEW - SECOND)
    await do_job(runtime, rotate_old_keys)
    assert heard == []
    clock.advance(SECOND)
    await do_job(runtime, rotate_old_keys)
    await do_job(runtime, rotate_old_keys)

    assert len(heard) == 1
    assert len(published(keyring)) == 2


async def test_each_purpose_rotates_by_itself(runtime: Runtime, keyring: Keyring) -> None:
    await ensure_key(runtime, KeyPurpose.ID_TOKEN)
    await rotate_keys(runtime, runtime.unit(), purpose=KeyPurpose.ID_TOKEN)
    states = await list_keys(runtime)

    assert [state.purpose for state in states].count(ACCESS) == 1
    assert [state.purpose for state in states].count(KeyPurpose.ID_TOKEN) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"publication_lead": timedelta(minutes=6), "jwks_max_age": timedelta(minutes=5)},
        {"jwks_max_age": timedelta(minutes=14)},
    ],
)
def test_settings_refuse_a_lead_shorter_than_the_caches(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="publication_lead"):
        KeysSettings(**given)


async def test_new_rsa_keys_are_as_long_as_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(environment=Environment.TEST, data_dir=tmp_path, keys={"rsa_bits": "2048"})
    features = default_features()
    await migrator_of(settings, features).upgrade()

    async with opened(compose(settings, features), follows=False) as runtime:
        await ensure_keys(runtime, [KeyPurpose.ID_TOKEN])
        published = json.loads(runtime.get(Keyring).key_set_document().body)["keys"]

    assert [len(b64decode(key["n"])) * 8 for key in published if key["kty"] == "RSA"] == [2048]
