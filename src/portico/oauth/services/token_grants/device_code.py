"""A device asks whether somebody has let it in (RFC 8628, sections 3.4 and 3.5)."""

from portico.core import failpoints
from portico.oauth.errors import KeptRefusal
from portico.oauth.pipeline.asks import Ask
from portico.oauth.protocol.refusals import ErrorCode, Refused
from portico.oauth.protocol.rfc8628_device import judge_pace
from portico.oauth.repositories import FoundGrant, GrantRepository
from portico.oauth.repositories.devices import DeviceRepository, FoundDevice
from portico.oauth.services.once import spend
from portico.oauth.services.token_grants.answers import TokenAnswer, answered, begin_refreshing, narrowed
from portico.oauth.types import DEVICE_CODES, DeviceState
from portico.tokens.secret_format import NotASecret


async def exchange_device_code(ask: Ask) -> TokenAnswer:
    """Return tokens once somebody has approved, to the first of any number who ask at once.

    Raises:
        Refused: invalid_grant, expired_token or access_denied, and what `narrowed` refuses.
        KeptRefusal: authorization_pending or slow_down; when it asked is kept.
    """
    device_hash = _hash_of(ask.given.one("device_code"))
    async with ask.unit:
        await spend(ask.unit, ask.once)
        devices = DeviceRepository(ask.unit.session)
        device = await devices.find_for_update(device_hash)
        if device is None or device.client_key != ask.client.key or device.state is DeviceState.SPENT:
            raise Refused(ErrorCode.INVALID_GRANT, "the device code is not good")
        await _check_state(ask, device)
        grant = await _grant_of(ask, device)
        left = await narrowed(ask, grant)
        await devices.spend(device.id)
        return await answered(
            ask, grant, left, sender=ask.sender, refresh_token=await begin_refreshing(ask, grant)
        )


def _hash_of(code: str | None) -> bytes:
    if code is None:
        raise Refused(ErrorCode.INVALID_REQUEST, "device_code is missing")
    try:
        return DEVICE_CODES.hash_of(code)
    except NotASecret:
        raise Refused(ErrorCode.INVALID_GRANT, "the device code is not good") from None


async def _check_state(ask: Ask, device: FoundDevice) -> None:
    """Section 3.5, in this order: a device that waited too long learns nothing else."""
    if device.expires_at <= ask.now:
        raise Refused(ErrorCode.EXPIRED_TOKEN, "the device code has expired: begin again")
    if device.state is DeviceState.DENIED:
        raise Refused(ErrorCode.ACCESS_DENIED, "the person said no")
    if device.state is DeviceState.PENDING:
        raise await _not_yet(ask, device)


async def _not_yet(ask: Ask, device: FoundDevice) -> KeptRefusal:
    since = ask.now - device.polled_at if device.polled_at is not None else None
    pace = judge_pace(since, device.interval)
    await DeviceRepository(ask.unit.session).note_question(device.id, ask.now, pace.interval)
    if pace.is_too_fast:
        seconds = int(pace.interval.total_seconds())
        return KeptRefusal(ErrorCode.SLOW_DOWN, f"ask every {seconds} seconds")
    return KeptRefusal(ErrorCode.AUTHORIZATION_PENDING, "nobody has answered yet")


async def _grant_of(ask: Ask, device: FoundDevice) -> FoundGrant:
    """Return the grant, which nobody ends until this is answered: no token is made of one that has ended."""
    grant = None
    if device.grant_id is not None:
        grant = await GrantRepository(ask.unit.session).hold(device.grant_id)
    if grant is None:
        raise Refused(ErrorCode.INVALID_GRANT, "what was allowed was taken back")
    if failpoints.armed:
        await failpoints.reach("oauth.device.after_hold")
    return grant
