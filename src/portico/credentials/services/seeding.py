"""People by the thousand, for a trial or a measurement."""

from collections.abc import Callable

from portico.audit.services import record
from portico.credentials.passwords import Passwords
from portico.credentials.repositories import PasswordRepository, insert_passwords
from portico.db.statistics import renew_statistics
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.users.services import UserSeeding

PEOPLE_A_TRANSACTION = 2_000


class Seeding:
    """Makes one batch; all get the same password hash, or none."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit

    async def seed_batch(self, first: int, count: int, password_hash: str | None) -> None:
        """Make the people numbered from `first`; no event and one line on the trail."""
        async with self._unit:
            ids = await UserSeeding(self._runtime, self._unit).seed_users(first, count)
            if password_hash is not None:
                now = self._runtime.clock.now()
                rows = [{"user_id": id_, "password_hash": password_hash, "changed_at": now} for id_ in ids]
                await insert_passwords(PasswordRepository(self._unit.session), rows)
            record(self._runtime, self._unit, "users.seeded", details={"first": first, "count": count})


async def seed_people(
    runtime: Runtime,
    users: int,
    *,
    password: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Make people until there are `users` of them (`person1@seed.example`, …); an interrupted run goes on.

    `password` is set for all of them under one hash; without it nobody of them can sign in.
    """
    password_hash = await runtime.get(Passwords).hash(password) if password else None
    done = await UserSeeding(runtime, runtime.unit()).count_seeded()
    while done < users:
        count = min(PEOPLE_A_TRANSACTION, users - done)
        await Seeding(runtime, runtime.unit()).seed_batch(done + 1, count, password_hash)
        done += count
        progress(done)
    async with (unit := runtime.unit()):
        await renew_statistics(unit.session)
