"""Accounts by the thousand, for a trial or a measurement."""

from datetime import datetime, timedelta

from portico.access.services import add_principal
from portico.core.ids import UserId, new_id
from portico.db.unit import Unit
from portico.http.authentication import PrincipalKind
from portico.runtime import Runtime
from portico.users.models import EmailAddress, User
from portico.users.repositories import EmailAddressRepository, UserRepository
from portico.users.settings import UsersSettings
from portico.users.types import UserStatus
from portico.users.usernames import skeleton

DOMAIN = "seed.example"


class UserSeeding:
    """Writes invented people without events."""

    def __init__(self, runtime: Runtime, unit: Unit) -> None:
        self._runtime = runtime
        self._unit = unit
        self._settings = runtime.section(UsersSettings)

    async def count_seeded(self) -> int:
        """Return how many invented people there are."""
        async with self._runtime.reads() as session:
            return await EmailAddressRepository(session).count_in_domain(DOMAIN)

    async def seed_users(self, first: int, count: int) -> list[UserId]:
        """Write `count` people with proven addresses into the open unit; return their ids."""
        now = self._runtime.clock.now()
        ids = [UserId(add_principal(self._runtime, self._unit, PrincipalKind.USER)) for _ in range(count)]
        numbered = list(zip(ids, range(first, first + count), strict=True))
        people, addresses = UserRepository(self._unit.session), EmailAddressRepository(self._unit.session)
        await people.flush()
        people.add_all(self._person(user_id, number, now) for user_id, number in numbered)
        await people.flush()
        addresses.add_all(_address(user_id, number, now) for user_id, number in numbered)
        await addresses.flush()
        return ids

    def _person(self, user_id: UserId, number: int, now: datetime) -> User:
        # Spread over the past, so that lists sorted by time have something to sort.
        created_at = now - timedelta(seconds=10_000_000 - number)
        return User(
            id=user_id,
            username=f"person{number}",
            username_key=skeleton(f"person{number}"),
            full_name=f"Person Number {number}",
            locale=self._settings.locales[0],
            timezone=self._settings.default_timezone,
            status=UserStatus.ACTIVE,
            created_at=created_at,
            updated_at=created_at,
        )


def _address(user_id: UserId, number: int, now: datetime) -> EmailAddress:
    text = f"person{number}@{DOMAIN}"
    return EmailAddress(
        id=new_id(),
        user_id=user_id,
        address=text,
        normal_form=text,
        is_primary=True,
        verified_at=now,
        created_at=now,
        updated_at=now,
    )
