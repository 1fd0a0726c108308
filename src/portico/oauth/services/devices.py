"""Devices without a keyboard: they show a code, and somebody lets them in elsewhere (RFC 8628).

What a person types has 34 bits, so it is kept under a key of ours, and tries are counted before anything is looked
up: those of the person who is signed in, and those of his address. Whoever was shown a device gets a seal for it, so
that his answer is no further try.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

from portico.audit.services import record
from portico.audit.types import Outcome
from portico.coordination.counters import Counters, parse_windows
from portico.core import failpoints
from portico.core.context import current_request
from portico.core.crypto import b64encode, same
from portico.core.errors import RateLimited, Unavailable
from portico.core.ids import new_id
from portico.db.unit import Unit
from portico.http.authentication import Principal
from portico.keys.services import ensure_keys
from portico.oauth.errors import ClientKeptOut, UserCodeUnknown
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import Refused
from portico.oauth.protocol.rfc8628_device import new_user_code, read_user_code, shown_user_code
from portico.oauth.repositories.devices import DeviceRepository, FoundDevice
from portico.oauth.services.authorizing import Choice
from portico.oauth.services.clients import Client, ClientBook
from portico.oauth.services.grants import Grants, NewGrant
from portico.oauth.services.id_tokens import purpose_of
from portico.oauth.services.once import spend
from portico.oauth.services.workplaces import ALONE, Workplace, Workplaces
from portico.oauth.settings import OAuthSettings
from portico.oauth.types import DEVICE_CODES, Admission, DeviceState, GrantType
from portico.runtime import Runtime

PAGE = "/device"
USER_CODE_KEY = "oauth.user_code"
SEAL_KEY = "oauth.device_seal"
TRIES_OF_PERSON = parse_windows("5/5minutes 20/hour")
TRIES_OF_ADDRESS = parse_windows("20/5minutes 100/hour")
"""How many codes may be tried before one has to wait (section 5.1): 2^34 are far more than anybody comes to try."""
MOST_DRAWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDevice:
    """A device that somebody is to let in: who asks for what, from where, since when."""

    user_code: str
    seal: str = field(repr=False)
    """Tells that this person was shown this device."""
    client: Client
    places: Sequence[Workplace]
    """Where it may work for this person; first, alone."""
    chosen: Workplace
    """Where it works unless the person says otherwise: where he does, if it may."""
    found: FoundDevice = field(repr=False)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Return what it asks for."""
        return tuple(self.found.scope.split())

    @property
    def asked_at(self) -> datetime:
        """Return when it began to wait."""
        return self.found.created_at

    def place_of(self, organization_id: UUID | None) -> Workplace | None:
        """Return one of the places."""
        return next((each for each in self.places if each.organization_id == organization_id), None)


class Devices:
    """Lets devices wait, and people answer them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def begin(self, ask: Ask) -> dict[str, Any]:
        """Let a device wait; return what section 3.2 names.

        Raises:
            Refused: the assertion that came with it was shown before.
        """
        settings = self._runtime.section(OAuthSettings)
        device_code = DEVICE_CODES.make(self._runtime.entropy)
        async with ask.unit:
            await spend(ask.unit, ask.once)
            user_code = await self._add(ask, device_code)
        where = self._runtime.settings.public_url + PAGE
        return {
            "device_code": device_code,
            "user_code": shown_user_code(user_code),
            "verification_uri": where,
            "verification_uri_complete": f"{where}?user_code={shown_user_code(user_code)}",
            "expires_in": int(settings.device_lifetime.total_seconds()),
            "interval": int(settings.device_interval.total_seconds()),
        }

    async def find_waiting(self, typed: str, principal: Principal, *, seal: str = "") -> WaitingDevice:
        """Return the device that waits under a code as somebody typed it; counted as a try without its seal.

        Raises:
            RateLimited: too many tries (429).
            UserCodeUnknown: there is none (410).
            ClientKeptOut: the organization in which the person works does not let the client in (403).
        """
        user_code = read_user_code(typed)
        expected = self._seal_of(user_code or "", principal)
        if not same(seal.encode(errors="replace"), expected.encode()):
            await self._count(principal)
        found = await self._find(user_code) if user_code is not None else None
        client = None
        if found is not None:
            client = await self._runtime.get(ClientBook).find_by_key(found.client_key)
        if user_code is None or found is None or client is None or client.is_off:
            raise UserCodeUnknown
        places = await self._places(principal, client)
        return WaitingDevice(
            user_code=shown_user_code(user_code),
            seal=expected,
            client=client,
            places=places,
            chosen=_active(places, principal),
            found=found,
        )

    async def approve(
        self, typed: str, principal: Principal, *, seal: str = "", choice: Choice | None = None
    ) -> WaitingDevice:
        """The person lets the device in: it gets tokens when it asks the next time. Of two answers one counts.

        Without a choice the client works where the page would have let it. The grant stands by itself: a television
        stays signed in when the telephone that let it in is not any more.

        Raises:
            RateLimited (429), UserCodeUnknown (410), ClientKeptOut (403).
        """
        waiting = await self.find_waiting(typed, principal, seal=seal)
        place = waiting.chosen if choice is None else waiting.place_of(choice.organization_id)
        if place is None:
            raise ClientKeptOut
        if "openid" in waiting.scopes:
            await ensure_keys(self._runtime, [purpose_of(waiting.client)])
        now, unit = self._runtime.clock.now(), self._runtime.unit()
        async with unit:
            await self._confirm(unit, principal, waiting.client, place)
            grant_id = await Grants(self._runtime, unit).give(_grant(waiting, principal, place))
            if failpoints.armed:
                await failpoints.reach("oauth.device.before_decide")
            devices = DeviceRepository(unit.session)
            if not await devices.decide(waiting.found.id, now, DeviceState.APPROVED, grant_id=grant_id):
                raise UserCodeUnknown
            self._note(unit, "oauth.consent.given", principal, waiting, place.organization_id)
        return waiting

    async def deny(self, typed: str, principal: Principal, *, seal: str = "") -> WaitingDevice:
        """The person does not let the device in; it hears so when it asks the next time.

        Raises:
            RateLimited (429), UserCodeUnknown (410).
        """
        waiting = await self.find_waiting(typed, principal, seal=seal)
        unit = self._runtime.unit()
        async with unit:
            now = self._runtime.clock.now()
            if not await DeviceRepository(unit.session).decide(waiting.found.id, now, DeviceState.DENIED):
                raise UserCodeUnknown
            self._note(unit, "oauth.consent.denied", principal, waiting, outcome=Outcome.REFUSED)
        return waiting

    def _note(
        self,
        unit: Unit,
        action: str,
        principal: Principal,
        waiting: WaitingDevice,
        organization_id: UUID | None = None,
        *,
        outcome: Outcome = Outcome.SUCCESS,
    ) -> None:
        record(
            self._runtime,
            unit,
            action,
            outcome=outcome,
            actor=principal,
            subject=("oauth_client", waiting.client.key),
            organization_id=organization_id,
            details={"client_id": waiting.client.client_id, "scope": " ".join(waiting.scopes)},
        )

    async def _add(self, ask: Ask, device_code: str) -> str:
        """Write the row under a user code that no other device has, and return that code."""
        settings = self._runtime.section(OAuthSettings)
        devices = DeviceRepository(ask.unit.session)
        for _ in range(MOST_DRAWS):
            user_code = new_user_code(self._runtime.entropy)
            if await devices.add_device(
                id=new_id(),
                client_key=ask.client.key,
                device_hash=DEVICE_CODES.hash_of(device_code),
                user_code_hash=self._hash_of(user_code),
                state=DeviceState.PENDING,
                scope=" ".join(ask.scopes),
                resources=list(ask.resource_ids),
                details=list(ask.details),
                jkt=ask.sender.jkt,
                client_address=current_request().client_address,
                grant_id=None,
                interval_seconds=int(settings.device_interval.total_seconds()),
                polled_at=None,
                created_at=ask.now,
                expires_at=ask.now + settings.device_lifetime,
            ):
                return user_code
        raise Unavailable("There is no free code")

    async def _places(self, principal: Principal, client: Client) -> Sequence[Workplace]:
        """Return where the client may work now; where administrators want to be asked first, it may not yet."""
        workplaces = Workplaces(self._runtime)
        if principal.organization_id is not None:
            active = await workplaces.of(principal, client, principal.organization_id)
            if active is not None and active.admission is Admission.DENIED:
                raise ClientKeptOut
        choices = await workplaces.choices(principal, client)
        return [each for each in choices if each.admission is Admission.ALLOWED]

    async def _confirm(self, unit: Unit, principal: Principal, client: Client, place: Workplace) -> None:
        try:
            await Workplaces(self._runtime).confirm(unit, principal, client, place.organization_id)
            await Grants(self._runtime, unit).hold_person(principal.id, principal.session_id)
        except Refused as refused:
            raise ClientKeptOut(refused.description) from None

    async def _find(self, user_code: str) -> FoundDevice | None:
        async with self._runtime.reads() as session:
            return await DeviceRepository(session).find_waiting(
                self._hash_of(user_code), self._runtime.clock.now()
            )

    async def _count(self, principal: Principal) -> None:
        counters = self._runtime.get(Counters)
        address = current_request().client_address or "-"
        for who, windows in ((principal.id, TRIES_OF_PERSON), (address, TRIES_OF_ADDRESS)):
            verdict = await counters.hit(f"oauth.device:{who}", windows)
            if not verdict.allowed:
                raise RateLimited("Too many codes were tried", retry_after=ceil(verdict.retry_after))

    def _hash_of(self, user_code: str) -> bytes:
        return self._runtime.lasting.mac(USER_CODE_KEY, user_code.encode())

    def _seal_of(self, user_code: str, principal: Principal) -> str:
        return b64encode(self._runtime.lasting.mac(SEAL_KEY, user_code.encode() + principal.id.bytes))


def _active(places: Sequence[Workplace], principal: Principal) -> Workplace:
    return next((each for each in places if each.organization_id == principal.organization_id), ALONE)


def _grant(waiting: WaitingDevice, principal: Principal, place: Workplace) -> NewGrant:
    context: dict[str, Any] = {"acr": f"aal{principal.aal}", "amr": list(principal.amr)}
    if principal.auth_time is not None:
        context["auth_time"] = int(principal.auth_time.timestamp())
    return NewGrant(
        client=waiting.client,
        kind=GrantType.DEVICE_CODE,
        scope=waiting.found.scope,
        user_id=principal.id,
        organization_id=place.organization_id,
        is_offline=True,
        resources=waiting.found.resources,
        details=waiting.found.details,
        context=context,
    )
