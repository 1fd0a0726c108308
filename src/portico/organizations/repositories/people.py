"""What organizations read of people beside their memberships."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from portico.db.repositories import Repository
from portico.users.models import EmailAddress, User


@dataclass(frozen=True, slots=True)
class Names:
    """How a person is called."""

    full_name: str | None
    username: str | None
    email: str


class PersonRepository(Repository[User]):
    """The people, as names."""

    async def find_names(self, user_id: UUID) -> Names | None:
        """Return how a living person is called."""
        query = (
            select(User.full_name, User.username, EmailAddress.address)
            .join(EmailAddress, EmailAddress.user_id == User.id)
            .where(
                User.id == user_id,
                User.deleted_at.is_(None),
                EmailAddress.is_primary,
                EmailAddress.released_at.is_(None),
            )
        )
        row = (await self.session.execute(query)).first()
        return None if row is None else Names(row.full_name, row.username, row.address)
