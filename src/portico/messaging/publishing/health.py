"""How the broker of the events is, for `/health/detailed` and `portico doctor`."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from portico.messaging.pauses import BrokerAway
from portico.messaging.publishing.transport import CONNECT_SECONDS, open_transport
from portico.messaging.repositories.outbox import OutboxRepository
from portico.runtime import Runtime


async def describe_event_broker(runtime: Runtime) -> str:
    """Return a sentence: whether the broker answers, and how many events wait for it.

    Raises:
        BrokerAway: it cannot be reached, or does not answer in time.
    """
    settings = runtime.settings.events
    assert settings.broker_url is not None, "there is no broker for events"  # noqa: S101
    async with runtime.reads() as session:
        waiting = (await OutboxRepository(session).state()).unpublished
    parts = urlsplit(settings.broker_url.get_secret_value())
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    transport = open_transport(settings)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await transport.connect()
    except Exception as error:
        raise BrokerAway(
            f"{where} cannot be reached, {waiting} events wait: {type(error).__name__}"
        ) from error
    finally:
        with suppress(Exception):  # how it is was said
            async with asyncio.timeout(CONNECT_SECONDS):
                await transport.close()
    return f"{where} answers; {waiting} events wait for it."
