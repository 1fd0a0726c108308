"""What the shop does after the answer, and every night."""

from datetime import timedelta

from portico.mail.services import Mailer
from portico.messaging import JobRun, job
from portico.users.services import Users
from shop.events import OrderPlaced
from shop.repositories import OrderRepository
from shop.settings import ShopSettings

REGULAR = 10


@job("shop.close_stale_orders", attempts=5, time_limit=timedelta(minutes=10))
async def close_stale_orders(run: JobRun) -> None:
    """Cancel orders that nobody shipped for as long as the setting says."""
    now = run.runtime.clock.now()
    before = now - run.runtime.section(ShopSettings).close_after
    async with run.unit() as unit:
        await OrderRepository(unit.session).cancel_older_than(before, now)


async def thank_regulars(event: OrderPlaced, run: JobRun) -> None:
    """Thank a person for the tenth order: once, however often this is called for the same order."""
    async with run.unit() as unit:
        person = await Users(run.runtime, unit).find_user(event.user_id)
        if person is None or await OrderRepository(unit.session).count_of(event.user_id) != REGULAR:
            return
        run.runtime.get(Mailer).enqueue(
            unit,
            template="thank_you",
            to=person.email,
            locale=person.locale,
            context={"name": person.full_name, "count": REGULAR},
        )
