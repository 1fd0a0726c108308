"""Work that repeats: erasing the deleted whose grace is over."""

from portico.runtime import Runtime
from portico.users.services import Users
from portico.users.settings import UsersSettings


async def purge_deleted_users(runtime: Runtime) -> None:
    """Erase batch after batch until nobody is due; each batch is a transaction of its own."""
    batch = runtime.section(UsersSettings).purge_batch
    while await Users(runtime, runtime.unit()).purge_deleted() == batch:
        pass
