"""Events reach their subscribers inside the transaction of the act."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from portico.audit.services import record
from portico.core.errors import Conflict
from portico.db.unit import Unit
from portico.feature import Feature
from portico.messaging import Event, EventBus, on
from portico.runtime import Runtime

pytestmark = pytest.mark.anyio
heard: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class CartClosed(Event):
    """A cart was closed."""

    name: ClassVar[str] = "test.cart_closed"

    cart: str


async def note(event: CartClosed, unit: Unit, runtime: Runtime) -> None:
    record(runtime, unit, "test.heard")
    heard.append(event.cart)


async def veto(event: CartClosed, unit: Unit, runtime: Runtime) -> None:
    if event.cart == "vetoed":
        raise Conflict


@pytest.fixture
def features() -> Sequence[Feature]:
    heard.clear()
    return [Feature(name="carts", subscribers=[on(CartClosed, note), on(CartClosed, veto)])]


async def count(runtime: Runtime) -> int:
    from sqlalchemy import func, select

    from portico.audit.models import AuditEntry

    async with runtime.reads() as session:
        return (await session.scalar(select(func.count()).select_from(AuditEntry))) or 0


async def test_subscriber_writes_in_the_transaction_of_the_act(runtime: Runtime) -> None:
    async with runtime.unit() as unit:
        await runtime.get(EventBus).emit(CartClosed(at=runtime.clock.now(), cart="one"), unit)

    assert (heard, await count(runtime)) == (["one"], 1)


async def test_veto_rolls_the_act_back(runtime: Runtime) -> None:
    with pytest.raises(Conflict):
        async with runtime.unit() as unit:
            await runtime.get(EventBus).emit(CartClosed(at=runtime.clock.now(), cart="vetoed"), unit)

    assert await count(runtime) == 0


async def test_event_without_subscribers_goes_unheard(runtime: Runtime) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class NobodyListens(Event):
        name: ClassVar[str] = "test.nobody_listens"

    async with runtime.unit() as unit:
        await runtime.get(EventBus).emit(NobodyListens(at=runtime.clock.now()), unit)


def test_events_are_known_by_name_and_version() -> None:
    assert Event.registry["test.cart_closed", 1] is CartClosed
