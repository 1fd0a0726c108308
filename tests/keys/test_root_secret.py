"""The root secret is changed on a populated deployment: nobody is signed out, nothing is lost, the old one can go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import LargeBinary, func, select, update

from portico.app import assemble, default_features
from portico.audit.models import AuditEntry, AuditHead
from portico.audit.recording import batch_of
from portico.audit.types import Outcome
from portico.composition import compose, opened
from portico.core.crypto import RootSecret, SealBroken
from portico.core.ids import new_id
from portico.core.settings import Settings
from portico.db.base import Base
from portico.feature import FeatureSet
from portico.http.csrf import is_token_for, token_for
from portico.keys.models import StoredKey
from portico.keys.services import KeyMaker, reseal
from portico.keys.types import SealedColumn
from portico.mail.models import MailMessage
from portico.mail.sealing import open_content
from portico.oauth.protocol.jose.signing import sign_with_secret
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.testing.keys import PooledKeys
from portico.tokens.services import OneTimeTokens
from portico.tokens.types import TokenPurpose
from portico.webhooks.models import WebhookEndpoint
from portico.webhooks.services import Endpoints, NewEndpoint
from portico.webhooks.services.secrets import open_secret
from tests.audit.trail import NORTH, act, chain, verdict
from tests.integration.ground import API, Population, populate
from tests.sessions.people import FAST_HASHES, rows_of

pytestmark = [pytest.mark.anyio, pytest.mark.bar("ASVS-13.1.4", "ASVS-11.2.2")]

OLD, NEW, THIRD = (
    "the first of all secrets, 0123456789",
    "the second secret by now, 9876543210",
    "a third 0" * 5,
)
LONG = timedelta(days=1)
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    return {
        "credentials": FAST_HASHES,
        "secret_key": OLD,
        "audit": {"checkpoint_every": timedelta(minutes=1)},
        "oauth": {"client_secret_jwt": True},
        "logging": {"access": False},
    }


@dataclass
class Started:
    """The server as one of its starts left it."""

    runtime: Runtime
    http: httpx2.AsyncClient


@dataclass
class Deployment:
    """A database, and servers that are started on it one after the other."""

    settings: Settings
    clock: FrozenClock
    held: dict[str, Any] = field(default_factory=dict)
    """What clients keep from one start to the next."""

    @asynccontextmanager
    async def started(self, secret: str, *accepted: str) -> AsyncIterator[Started]:
        """Run a server with these secrets."""
        settings = self.settings.changed(secret_key=secret, accepted_secret_keys=accepted)
        composed = compose(settings, default_features(), clock=self.clock)
        composed.provide(KeyMaker, PooledKeys())
        async with opened(composed) as runtime:
            transport = httpx2.ASGITransport(app=assemble(runtime))
            async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as http:
                yield Started(runtime, http)


@pytest.fixture
async def deployment(settings: Settings, clock: FrozenClock) -> Deployment:
    """A deployment that has been at work under the first secret."""
    deployment = Deployment(settings, clock)
    async with deployment.started(OLD) as server:
        deployment.held = await at_work(server, await populate(server.runtime))
        await act(server.runtime, 3, organization_id=NORTH)
        await chain(server.runtime)
        clock.advance(timedelta(minutes=1))
        await chain(server.runtime)
    return deployment


async def at_work(server: Started, population: Population) -> dict[str, Any]:
    """Do a little of everything that leaves something under the root secret; return what clients keep of it."""
    runtime, ada = server.runtime, population.ada
    made = await server.http.post(
        f"{API}/admin/oauth/clients",
        json={"client_name": "Reports", "kind": "machine", "token_endpoint_auth_method": "client_secret_jwt"},
        headers=population.grace.bearer,
    )
    assert made.status_code == 201, made.text
    new = NewEndpoint(url="https://hooks.example.com/", event_names=["user.*"])
    endpoint, issued = await Endpoints(runtime, runtime.unit()).create_endpoint(new)
    await Endpoints(runtime, runtime.unit()).rotate_secret(endpoint.id)
    token = await OneTimeTokens(runtime, runtime.unit()).issue(
        TokenPurpose.VERIFY_EMAIL, ada.id, ttl=LONG, payload={"name": "Ada"}
    )
    await server.http.post(f"{API}/auth/password/forgot", json={"email": "ada@example.org"})
    return {
        "population": population,
        "refresh_token": ada.refresh_token,
        "client": made.json(),
        "endpoint": endpoint.id,
        "endpoint_secret": issued.secret,
        "token": token.secret,
        "csrf": token_for(runtime.secret, ada.cookie),
        "pairwise": runtime.lasting.key("oauth.pairwise"),
        "named": await named(server, population),
    }


async def named(server: Started, population: Population) -> str:
    """Write something under an Idempotency-Key; return its id, the same for the same key."""
    answer = await server.http.post(
        f"{API}/organizations",
        json={"name": "Acme"},
        headers={**population.bob.bearer, "Idempotency-Key": "the-same-key"},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def all_is_well(deployment: Deployment, server: Started) -> None:
    """Use all that clients hold, as they would after a restart."""
    runtime, held = server.runtime, deployment.held
    ada = held["population"].ada
    me = await server.http.get(f"{API}/users/me", headers=ada.bearer)
    refreshed = await server.http.post(f"{API}/auth/refresh", json={"refresh_token": held["refresh_token"]})
    assert (me.status_code, refreshed.status_code) == (200, 200), refreshed.text
    held["refresh_token"] = refreshed.json()["refresh_token"]
    page = await server.http.get("/account", headers={"Cookie": f"portico_session={ada.cookie}"})
    assert page.status_code == 200
    assert await named(server, held["population"]) == held["named"]
    assert runtime.lasting.key("oauth.pairwise") == held["pairwise"]
    await the_machine_signs_in(server, held["client"])
    await the_sealed_opens(server, held)


async def the_machine_signs_in(server: Started, client: dict[str, Any]) -> None:
    now, issuer = int(server.runtime.clock.now().timestamp()), server.runtime.settings.public_url
    who = {"iss": client["client_id"], "sub": client["client_id"], "aud": issuer}
    claims = {**who, "iat": now, "exp": now + 60, "jti": new_id().hex}
    answer = await server.http.post(
        "/oauth/token",
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": JWT_BEARER,
            "client_assertion": sign_with_secret(claims, client["client_secret"].encode(), "HS256"),
        },
    )
    assert answer.status_code == 200, answer.text


async def the_sealed_opens(server: Started, held: dict[str, Any]) -> None:
    runtime = server.runtime
    (endpoint,) = await rows_of(runtime, WebhookEndpoint)
    for sealed in (endpoint.sealed_secret, endpoint.sealed_previous_secret):
        assert sealed is not None
        assert open_secret(runtime, endpoint.id, sealed)
    token = await OneTimeTokens(runtime, runtime.unit()).peek(TokenPurpose.VERIFY_EMAIL, held["token"])
    assert token.payload == {"name": "Ada"}
    waiting = [row for row in await rows_of(runtime, MailMessage) if row.sealed_content is not None]
    assert waiting
    for row in waiting:
        assert open_content(runtime, row.id, row.sealed_content).subject


@pytest.mark.bar("P31")
async def test_the_secret_is_changed_without_a_failed_request(deployment: Deployment) -> None:
    for secret, accepted in ((OLD, NEW), (NEW, OLD)):
        async with deployment.started(secret, accepted) as server:
            await all_is_well(deployment, server)
            await act(server.runtime, 2, organization_id=NORTH)
            await chain(server.runtime)
            found = await verdict(server.runtime)
            assert (found.faults, found.streams) == ([], 3)
    async with deployment.started(NEW, OLD) as server:
        done = await reseal(server.runtime)
        assert sum(each.count for each in done) > 8
        assert not any(each.unopened for each in done)
        assert {each.name: each.count for each in await reseal(server.runtime)} == dict.fromkeys(
            (each.name for each in done), 0
        )
    async with deployment.started(NEW) as server:
        await all_is_well(deployment, server)
        await act(server.runtime, 2, organization_id=NORTH)
        await chain(server.runtime)
        found = await verdict(server.runtime)
        newest = (await rows_of(server.runtime, AuditHead))[0]

        assert (found.faults, found.streams) == ([], 3)
        assert newest.signed_position > 0


async def test_a_second_change_keeps_what_is_under_the_first(deployment: Deployment) -> None:
    for old, new in ((OLD, NEW), (NEW, THIRD)):
        async with deployment.started(new, old) as server:
            await act(server.runtime)
            await chain(server.runtime)
            await reseal(server.runtime)
    async with deployment.started(THIRD) as server:
        await all_is_well_but_refresh(deployment, server)
        await chain(server.runtime)

        assert (await verdict(server.runtime)).faults == []
        assert len(await rows_of(server.runtime, StoredKey)) == 1 + 2 * 2


async def all_is_well_but_refresh(deployment: Deployment, server: Started) -> None:
    held = deployment.held
    assert await named(server, held["population"]) == held["named"]
    assert runtime_key(server) == held["pairwise"]
    await the_machine_signs_in(server, held["client"])
    await the_sealed_opens(server, held)


def runtime_key(server: Started) -> bytes:
    return server.runtime.lasting.key("oauth.pairwise")


async def test_without_the_old_one_and_without_resealing_nothing_starts(deployment: Deployment) -> None:
    with pytest.raises(SealBroken):
        async with deployment.started(NEW):
            pass


async def test_tokens_of_a_secret_that_has_gone_are_none(deployment: Deployment) -> None:
    held = deployment.held
    async with deployment.started(NEW, OLD) as server:
        await reseal(server.runtime)
    async with deployment.started(NEW) as server:
        answer = await server.http.post(f"{API}/auth/refresh", json={"refresh_token": held["refresh_token"]})

        assert answer.status_code == 401
        assert not is_token_for(server.runtime.secret, held["population"].ada.cookie, held["csrf"])


async def test_forms_that_were_open_are_taken_while_the_old_one_is_accepted(deployment: Deployment) -> None:
    held = deployment.held
    async with deployment.started(NEW, OLD) as server:
        secret, cookie = server.runtime.secret, held["population"].ada.cookie

        assert is_token_for(secret, cookie, held["csrf"])
        assert token_for(secret, cookie) != held["csrf"]


async def write_under(runtime: Runtime, secret: str) -> UUID:
    """Write an entry as a process with another secret would."""
    other = Runtime(
        settings=runtime.settings,
        secret=RootSecret(secret.encode()),
        database=runtime.database,
        clock=runtime.clock,
    )
    async with (unit := runtime.unit()):
        return batch_of(other, unit).add(
            at=runtime.clock.now(),
            action="test.forged",
            outcome=Outcome.SUCCESS,
            organization_id=None,
            actor_id=None,
            on_behalf_of_id=None,
            subject=None,
            session_id=None,
            credential_id=None,
            request_id=None,
            reason=None,
            details=None,
            changes=None,
            personal={},
        )


@pytest.mark.bar("ASVS-16.4.2", "P40")
@pytest.mark.parametrize("accepted", [(), (OLD,)], ids=["gone", "still_accepted"])
async def test_who_learns_the_old_secret_adds_no_entry(
    deployment: Deployment, accepted: tuple[str, ...]
) -> None:
    async with deployment.started(NEW, OLD) as server:
        await chain(server.runtime)
        await reseal(server.runtime)
    async with deployment.started(NEW, *accepted) as server:
        runtime = server.runtime
        forged = await write_under(runtime, OLD)
        await chain(runtime)
        found = await verdict(runtime)

        assert [fault.entry_id for fault in found.faults] == [forged]
        assert "audit.forgery_found" in {row.action for row in await rows_of(runtime, AuditEntry)}


async def test_a_process_that_was_forgotten_is_mended_by_resealing_again(deployment: Deployment) -> None:
    async with deployment.started(NEW, OLD) as server:
        await reseal(server.runtime)
        await write_under(server.runtime, OLD)
        await chain(server.runtime)
        assert not (await verdict(server.runtime)).is_sound
        await reseal(server.runtime)

        assert (await verdict(server.runtime)).is_sound


async def test_what_was_changed_is_not_signed_anew(deployment: Deployment) -> None:
    async with deployment.started(NEW, OLD) as server:
        async with server.runtime.unit() as unit:
            await unit.session.execute(update(AuditHead).values(position=1))
        with pytest.raises(SealBroken, match="the end of stream"):
            await reseal(server.runtime)


async def test_what_no_secret_opens_is_counted_and_left(deployment: Deployment) -> None:
    async with deployment.started(NEW, OLD) as server:
        async with server.runtime.unit() as unit:
            await unit.session.execute(update(WebhookEndpoint).values(sealed_secret=b"\x01" + bytes(60)))
        done = {each.name: each for each in await reseal(server.runtime)}

        assert done["portico_webhook_endpoints.sealed_secret"].unopened == 1
        (endpoint,) = await rows_of(server.runtime, WebhookEndpoint)
        assert endpoint.sealed_secret == b"\x01" + bytes(60)


async def test_the_lasting_secret_is_made_once(deployment: Deployment) -> None:
    async with deployment.started(OLD) as one, deployment.started(OLD) as other:
        assert one.runtime.lasting.id == other.runtime.lasting.id != one.runtime.secret.id
        async with one.runtime.reads() as session:
            assert await session.scalar(select(func.count()).select_from(StoredKey)) == 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_every_sealed_column_is_declared(database_kind: str) -> None:
    declared = {each.name for each in FeatureSet(tuple(default_features())).contributed(SealedColumn)}
    sealed = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and "sealed" in column.name
    }

    assert sealed - declared == {"portico_idempotent_answers.sealed_answer"}
    assert declared <= sealed
