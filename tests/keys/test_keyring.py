"""The ring signs and verifies from memory, and follows what other processes do to the keys."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import event

from portico.core import failpoints
from portico.core.crypto import SealBroken, b64decode, b64encode
from portico.core.failpoints import Failure
from portico.keys.errors import TokenRejected
from portico.keys.services import Keyring, ensure_key, rotate_keys
from portico.keys.services.keyring import FOLLOW, PRIVATE_KEY
from portico.keys.types import KeyPurpose, SigningAlgorithm, TokenFault
from portico.messaging.periodic import PeriodicRunner
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from tests.keys.signing import ACCESS, TYP, claims, header_of, rows, verify

pytestmark = pytest.mark.anyio


async def test_start_makes_one_key_for_access_tokens_and_no_rsa_key(runtime: Runtime) -> None:
    (row,) = await rows(runtime)

    assert (row.purpose, row.algorithm) == (ACCESS, SigningAlgorithm.ES256)
    assert (row.signs_until, row.verifies_until) == (None, None)


async def test_sign_makes_a_token_that_verifies(runtime: Runtime, keyring: Keyring) -> None:
    (row,) = await rows(runtime)
    token = keyring.sign(claims(runtime), purpose=ACCESS, typ=TYP)

    assert verify(keyring, token) == claims(runtime)
    assert header_of(token) == {"alg": "ES256", "kid": row.kid, "typ": TYP}


async def test_kid_is_the_thumbprint_of_the_key(runtime: Runtime) -> None:
    """RFC 7638, section 3: SHA-256 over the required members in lexical order."""
    from hashlib import sha256

    (row,) = await rows(runtime)
    required = {name: row.public_jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()

    assert row.kid == b64encode(sha256(canonical).digest())


@pytest.mark.bar("ASVS-9.2.1")
async def test_token_dies_when_its_time_is_over(
    runtime: Runtime, keyring: Keyring, clock: FrozenClock
) -> None:
    token = keyring.sign(claims(runtime), purpose=ACCESS, typ=TYP)
    clock.advance(timedelta(seconds=899))
    verify(keyring, token)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenRejected) as rejected:
        verify(keyring, token)

    assert (rejected.value.fault, rejected.value.status) == (TokenFault.EXPIRED, 401)


@pytest.mark.bar("ASVS-9.2.2", "ASVS-9.2.4", "CHECK-4")
async def test_keys_of_two_purposes_never_stand_in_for_each_other(runtime: Runtime, keyring: Keyring) -> None:
    await ensure_key(runtime, KeyPurpose.ID_TOKEN)
    id_token = keyring.sign(claims(runtime), purpose=KeyPurpose.ID_TOKEN, typ="JWT")
    disguised = keyring.sign(claims(runtime), purpose=KeyPurpose.ID_TOKEN, typ=TYP)

    assert header_of(id_token)["alg"] == "RS256"
    assert verify(keyring, id_token, KeyPurpose.ID_TOKEN, "JWT")["sub"] == "ada"
    for token, typ, fault in (
        (id_token, TYP, TokenFault.TYPE),
        (id_token, "JWT", TokenFault.UNKNOWN_KEY),
        (disguised, TYP, TokenFault.UNKNOWN_KEY),
    ):
        with pytest.raises(TokenRejected) as rejected:
            verify(keyring, token, ACCESS, typ)
        assert rejected.value.fault is fault


async def test_sign_without_a_key_for_the_purpose_says_so(runtime: Runtime, keyring: Keyring) -> None:
    with pytest.raises(LookupError):
        keyring.sign(claims(runtime), purpose=KeyPurpose.ID_TOKEN, typ="JWT")


async def test_sign_refuses_a_token_that_would_outlive_its_key(runtime: Runtime, keyring: Keyring) -> None:
    exp = int((runtime.clock.now() + timedelta(hours=24, seconds=1)).timestamp())
    with pytest.raises(ValueError, match="longest_token_life"):
        keyring.sign(claims(runtime, exp=exp), purpose=ACCESS, typ=TYP)


async def test_verify_asks_no_database(runtime: Runtime, keyring: Keyring) -> None:
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    for engine in (runtime.database.reader, runtime.database.writer):
        event.listen(engine.sync_engine, "before_cursor_execute", note)
    verify(keyring, keyring.sign(claims(runtime), purpose=ACCESS, typ=TYP))
    keyring.jwks()
    with pytest.raises(TokenRejected):
        verify(keyring, "a.b.c")

    assert statements == []


@pytest.mark.bar("ASVS-11.3.3", "CHECK-23")
async def test_private_key_is_sealed_to_its_kid(runtime: Runtime) -> None:
    (row,) = await rows(runtime)
    der = runtime.secret.open(PRIVATE_KEY, row.sealed_private_key, context=row.kid.encode())

    assert der not in row.sealed_private_key
    assert "d" not in row.public_jwk
    with pytest.raises(SealBroken):
        runtime.secret.open(PRIVATE_KEY, row.sealed_private_key, context=b"another")


async def test_jwks_shows_public_members_only(runtime: Runtime, keyring: Keyring) -> None:
    await ensure_key(runtime, KeyPurpose.ID_TOKEN)
    keys = {key["alg"]: key for key in keyring.jwks()["keys"]}

    assert set(keys["ES256"]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert set(keys["RS256"]) == {"kty", "n", "e", "kid", "use", "alg"}
    assert len(b64decode(keys["RS256"]["n"])) * 8 == 3072


class Wakes(PeriodicRunner):
    """A runner that notes who was woken."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime, [])
        self.woken: list[str] = []

    def wake(self, name: str, *, within: float = 0.0) -> None:
        self.woken.append(name)


@pytest.mark.bar("P43")
async def test_flood_of_unknown_kids_reloads_once_in_five_seconds(
    runtime: Runtime, keyring: Keyring, clock: FrozenClock
) -> None:
    wakes = Wakes(runtime)
    runtime.provide(PeriodicRunner, wakes)
    good = keyring.sign(claims(runtime), purpose=ACCESS, typ=TYP)
    _, payload, signature = good.split(".")

    def flood() -> None:
        for number in range(2000):
            header = b64encode(json.dumps({"alg": "ES256", "kid": f"k{number}", "typ": TYP}).encode())
            with pytest.raises(TokenRejected):
                verify(keyring, f"{header}.{payload}.{signature}")

    flood()
    assert wakes.woken == [FOLLOW]
    clock.advance(timedelta(seconds=4.9))
    flood()
    assert wakes.woken == [FOLLOW]
    clock.advance(timedelta(seconds=0.1))
    flood()
    assert wakes.woken == [FOLLOW, FOLLOW]


async def test_ring_hears_of_keys_and_of_nothing_else(runtime: Runtime, keyring: Keyring) -> None:
    wakes = Wakes(runtime)
    runtime.provide(PeriodicRunner, wakes)
    keyring.hear(["session:1", "user:2"])
    assert wakes.woken == []
    keyring.hear(["user:2", "key:3"])
    keyring.hear(["*"])

    assert wakes.woken == [FOLLOW, FOLLOW]


async def test_ring_of_another_process_learns_by_reloading(runtime: Runtime, keyring: Keyring) -> None:
    other = Keyring(runtime)
    await other.reload()
    rotated = await rotate_keys(runtime, runtime.unit())
    assert len(other.jwks()["keys"]) == 1
    await other.reload()

    assert [key["kid"] for key in other.jwks()["keys"]] == [key["kid"] for key in keyring.jwks()["keys"]]
    assert rotated.kid in {key["kid"] for key in other.jwks()["keys"]}


@pytest.mark.bar("P3")
async def test_first_key_that_fails_to_be_written_is_made_at_the_next_try(runtime: Runtime) -> None:
    failpoints.armed["db.unit.before_commit"] = failpoints.raising()
    with pytest.raises(Failure):
        await ensure_key(runtime, KeyPurpose.ID_TOKEN)
    failpoints.armed.clear()
    assert len(await rows(runtime)) == 1
    await ensure_key(runtime, KeyPurpose.ID_TOKEN)

    assert len(await rows(runtime)) == 2


@pytest.mark.bar("P21", "P22")
async def test_a_process_whose_clock_is_behind_signs_with_the_oldest_key(
    runtime: Runtime, keyring: Keyring, clock: FrozenClock
) -> None:
    """The first key was made by a clock that is ahead, or ours was set back: sign-in goes on all the same."""
    (row,) = await rows(runtime)
    await rotate_keys(runtime, runtime.unit())
    await keyring.reload()
    clock.jump(timedelta(minutes=-20))

    token = keyring.sign(claims(runtime), purpose=ACCESS, typ=TYP)

    assert header_of(token)["kid"] == row.kid
    verify(keyring, token)
