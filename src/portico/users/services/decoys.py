"""Equal work for unequal answers.

Where the answer must not tell whether an address is known, the time must not tell it either: both branches run the
same statements, and a savepoint decides whether they count (SECURITY_BAR check 15).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portico.core.ids import PrincipalId, UserId, new_id
from portico.db.unit import Unit
from portico.runtime import Runtime
from portico.users.addresses import Address
from portico.users.settings import UsersSettings
from portico.users.types import Account, UserStatus


@asynccontextmanager
async def counting_only_if(condition: object, unit: Unit) -> AsyncIterator[None]:
    """Run the block's writes and keep them only if `condition`; otherwise they are taken back unseen."""
    try:
        async with unit.savepoint():
            yield
            await unit.settle()
            if not condition:
                raise _TakenBack
    except _TakenBack:
        return


class _TakenBack(Exception):
    """Ends the savepoint of work that must leave nothing."""


def nobody(runtime: Runtime, address: Address) -> Account:
    """Return a person who does not exist, for work that must look the same as for one who does."""
    settings, now = runtime.section(UsersSettings), runtime.clock.now()
    return Account(
        id=UserId(PrincipalId(new_id())),
        status=UserStatus.ACTIVE,
        email_id=new_id(),
        email=address.typed,
        email_normal_form=address.normal_form,
        email_verified_at=None,
        username=None,
        full_name=None,
        locale=settings.locales[0],
        timezone=settings.default_timezone,
        created_at=now,
        updated_at=now,
        version=1,
    )
