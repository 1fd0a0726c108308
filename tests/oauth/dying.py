"""Stories of clients that are killed at any point, for the harness of `tests.faults`; and one with a fault planted.

A killed exchange leaves the code as it was and nothing else, or spent, with one line of refresh tokens that can be
used; a killed approval leaves the question as it was, or one grant.
"""

import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from portico.core.ids import PrincipalId, UserId
from portico.oauth.models import OAuthConsent, OAuthGrant, OAuthRequest
from portico.oauth.protocol.rfc7591_registration import read_metadata
from portico.oauth.repositories import GrantRepository
from portico.oauth.services.client_registry import ClientRegistry
from portico.oauth.services.token_grants.one_trip import POINTS_BETWEEN
from portico.oauth.types import CODES, ClientSource, RequestKind
from portico.sessions.services.opening import SessionOpening
from portico.sessions.types import AuthMethod, Transport
from portico.tokens.models import TokenFamily
from portico.tokens.services import TokenFamilies
from tests.faults.stories import Story
from tests.faults.world import World
from tests.oauth.kit import CALLBACK, CHALLENGE, POLICY, VERIFIER

DAY = timedelta(days=1)
_HIDDEN = re.compile(r'name="(ticket|csrf_token)" value="([^"]+)"')


class Connected(Story):
    """Ada is signed in at the pages, and there is a public client."""

    async def prepare(self, world: World) -> None:
        await world.enroll("ada")
        opening = SessionOpening(world.runtime, world.runtime.unit())
        ada = UserId(PrincipalId(UUID(world.person()["id"])))
        opened = await opening.open(ada, amr=(AuthMethod.PASSWORD,), transport=Transport.PAGE)
        metadata = read_metadata(
            {
                "redirect_uris": [CALLBACK],
                "grant_types": ["authorization_code", "refresh_token"],
                "token_endpoint_auth_method": "none",
            },
            POLICY,
        )
        registry = ClientRegistry(world.runtime, world.runtime.unit())
        client = await registry.register_client(metadata, ClientSource.ADMINISTRATOR)
        world.scene |= {"cookie": opened.cookie, "client_id": client.client_id}
        world.scene["question"] = await self.asked(world)
        await self.go_on(world)
        await world.work_off()

    async def go_on(self, world: World) -> None:
        """Prepare what comes after the question."""

    async def asked(self, world: World) -> dict[str, str]:
        """Begin an authorization; return the hidden fields of the page that asks Ada."""
        query = {
            "response_type": "code", "client_id": world.scene["client_id"], "redirect_uri": CALLBACK,
            "scope": "openid", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
        }  # fmt: skip
        begun = await self.browse(world, "GET", "/oauth/authorize", params=query)
        page = await self.browse(world, "GET", begun.headers["location"])
        return {name: html.unescape(value) for name, value in _HIDDEN.findall(page.text)}

    async def browse(self, world: World, method: str, path: str, **more: Any) -> Any:
        world.client.cookies.clear()
        headers = {"Cookie": f"portico_session={world.scene['cookie']}"}
        return await world.client.request(method, path, headers=headers, follow_redirects=False, **more)

    async def approve(self, world: World, act: str) -> None:
        """Press the button; what the browser is sent back with is told."""
        world.tell({"asked": act})
        fields = {**world.scene["question"], "action": "approve"}
        answer = await self.browse(world, "POST", "/oauth/consent", data=fields)
        location = answer.headers.get("location", "")
        back = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        world.tell({"answered": act, "status": 200 if "code" in back else 400, "body": back})
        world.scene[act] = back

    async def ask_for_tokens(self, world: World, act: str, **parameters: str) -> dict[str, Any]:
        """Ask the token endpoint, and tell it."""
        world.client.cookies.clear()
        world.tell({"asked": act})
        given = {"client_id": world.scene["client_id"], **parameters}
        answer = await world.client.post("/oauth/token", data=given)
        world.tell({"answered": act, "status": answer.status_code, "body": answer.json()})
        return dict(answer.json())

    async def exchange(self, world: World, act: str) -> dict[str, Any]:
        """Show the code."""
        code = world.scene["back"]["code"]
        return await self.ask_for_tokens(
            world,
            act,
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )

    async def refresh(self, world: World, act: str, token: str) -> dict[str, Any]:
        """Show a refresh token."""
        return await self.ask_for_tokens(world, act, grant_type="refresh_token", refresh_token=token)

    async def tells(self, world: World, token: str) -> int:
        """Return the status of userinfo."""
        headers = {"Authorization": f"Bearer {token}"}
        return int((await world.client.get("/oauth/userinfo", headers=headers)).status_code)


class Approve(Connected):
    """Ada says yes; unanswered, she presses the button again."""

    name = "oauth_approve"

    async def act(self, world: World) -> None:
        await self.approve(world, "approve")
        await world.work_off()

    async def retry(self, world: World) -> None:
        """Press again if need be, and fetch the tokens before the code is too old."""
        act = "approve" if world.history.is_acknowledged("approve") else "again"
        if act == "again":
            await self.approve(world, act)
        world.scene["told"] = 200
        if world.history.is_acknowledged(act):
            world.scene["back"] = world.history.answers[act].body
            tokens = await self.exchange(world, "fetch")
            world.scene["told"] = await self.tells(world, tokens.get("access_token", "none"))

    async def check(self, world: World) -> AsyncIterator[str]:
        grants, consents = await world.rows(OAuthGrant), await world.rows(OAuthConsent)
        [request] = await world.rows(OAuthRequest, OAuthRequest.kind == RequestKind.PARKED)
        if len(grants) != 1 or len(consents) != 1 or request.spent_at is None:
            yield f"{len(grants)} grants, {len(consents)} consents, answered: {request.spent_at}"
        if world.scene["told"] != 200:
            yield f"the code of an acknowledged approval is not good: {world.scene['told']}"


class Exchange(Connected):
    """The client shows its code; unanswered, again, which ends what came of a code that was spent."""

    name = "oauth_exchange"

    async def go_on(self, world: World) -> None:
        await self.approve(world, "back")

    async def act(self, world: World) -> None:
        await self.exchange(world, "exchange")
        await world.work_off()

    async def retry(self, world: World) -> None:
        world.scene["faults"] = [fault async for fault in self.look(world)]
        if not world.history.is_acknowledged("exchange"):
            await self.exchange(world, "again")

    async def look(self, world: World) -> AsyncIterator[str]:
        """Say what is wrong right after the restart: all of it happened, or nothing."""
        [grant], lines = (
            await world.rows(OAuthGrant),
            await world.rows(TokenFamily, TokenFamily.grant_id.is_not(None)),
        )
        if (grant.code_spent_at is None) != (not lines) or len(lines) > 1:
            yield f"the code was spent at {grant.code_spent_at}, and there are {len(lines)} lines of tokens"
        if world.history.is_acknowledged("exchange"):
            if not lines:
                yield "an acknowledged exchange is lost"
            elif await self.tells(world, world.history.answers["exchange"].body["access_token"]) != 200:
                yield "the access token of an acknowledged exchange is not good"
        elif lines:
            token = TokenFamilies(world.runtime, world.runtime.unit()).first_of(lines[0].id)
            if "access_token" not in await self.refresh(world, "what it did not hear of", token):
                yield "the code is spent, and its tokens do not work"

    async def check(self, world: World) -> AsyncIterator[str]:
        for fault in world.scene["faults"]:
            yield fault
        [grant] = await world.rows(OAuthGrant)
        lines = await world.rows(TokenFamily, TokenFamily.grant_id.is_not(None))
        if grant.code_spent_at is None or len(lines) != 1:
            yield f"in the end {len(lines)} lines of tokens, the code spent at {grant.code_spent_at}"
        if any((line.ended_at is None) != (grant.ended_at is None) for line in lines):
            yield "grant and line are not over together"


class ExchangeStepByStep(Exchange):
    """The same on the unit's way, statement by statement."""

    name = "oauth_exchange_step_by_step"
    between = POINTS_BETWEEN


class RefreshOfClient(Exchange):
    """A client refreshes twice; after a kill it shows the newest token that it knows, and is never shut out."""

    name = "oauth_refresh"

    async def go_on(self, world: World) -> None:
        await super().go_on(world)
        world.scene["tokens"] = await self.exchange(world, "exchange")

    async def act(self, world: World) -> None:
        token = world.scene["tokens"]["refresh_token"]
        for act in ("first", "second"):
            token = (await self.refresh(world, act, token))["refresh_token"]
        await world.work_off()

    def newest(self, world: World) -> str:
        """Return the newest token that the client was given."""
        known = [world.scene["tokens"]]
        answers = world.history.answers
        known += [answers[act].body for act in ("first", "second", "again") if act in answers]
        return str(known[-1].get("refresh_token"))

    async def retry(self, world: World) -> None:
        await self.refresh(world, "again", self.newest(world))

    async def check(self, world: World) -> AsyncIterator[str]:
        again = world.history.answers["again"]
        if again.status != 200:
            yield f"shut out: {again}"
        elif await self.tells(world, again.body["access_token"]) != 200:
            yield "refreshed, and not let in"
        elif "access_token" not in await self.refresh(world, "probe", self.newest(world)):
            yield "no live leaf"


class RefreshOfClientStepByStep(RefreshOfClient):
    """The same on the unit's way."""

    name = "oauth_refresh_step_by_step"
    between = POINTS_BETWEEN


class SpendsFirst(Exchange):
    """Planted: the code is spent in one transaction, and its line begun in the next one."""

    name = "planted_oauth_exchange"
    fault: ClassVar[str] = "and there are 0 lines of tokens"

    async def act(self, world: World) -> None:
        runtime, now = world.runtime, world.clock.now()
        async with (unit := runtime.unit()):
            hashed = CODES.hash_of(world.scene["back"]["code"])
            grant = await GrantRepository(unit.session).spend_code(hashed, now)
        assert grant is not None
        families = TokenFamilies(runtime, runtime.unit())
        await families.start(
            idle=30 * DAY,
            absolute=180 * DAY,
            grant_id=grant.id,
            client_id=str(grant.client_key),
            scope=grant.scope,
        )


STORIES: tuple[type[Story], ...] = (
    Approve,
    Exchange,
    ExchangeStepByStep,
    RefreshOfClient,
    RefreshOfClientStepByStep,
    SpendsFirst,
)
