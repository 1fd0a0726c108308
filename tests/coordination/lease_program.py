"""A process that holds the lease `purge`, for test_leases.py: `lease_program.py <database> <ttl in seconds>`.

It prints its token and whether it has lost it, then for each line of its input tries to write under the lease and
prints the same with what became of it.
"""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from portico.coordination.errors import LeaseLost
from portico.coordination.leases import Lease, Leases
from portico.coordination.lifespan import coordination_lifespan
from portico.core.crypto import RootSecret
from portico.core.logging import configure_logging
from portico.core.settings import Environment, Settings
from portico.db.database import Database
from portico.runtime import Runtime

WRITE = "INSERT INTO portico_revocations (subject, created_at) VALUES ('late', '2026-01-01 00:00:00.000000')"


async def main(url: str, ttl: timedelta) -> None:
    settings = Settings(environment=Environment.TEST, data_dir=Path("nowhere"), database={"url": url})
    configure_logging(settings, sys.stderr)
    runtime = Runtime(
        settings=settings, secret=RootSecret(bytes(32)), database=Database.from_settings(settings)
    )
    async with coordination_lifespan(runtime, follows=False), runtime.get(Leases).hold("purge", ttl) as lease:
        tell(lease)
        while await asyncio.to_thread(sys.stdin.readline):
            noticed = lease.is_lost
            tell(lease, noticed=noticed, wrote=await writes(runtime, lease))
    await runtime.database.close()


def tell(lease: Lease, **more: bool) -> None:
    print(json.dumps({"token": lease.token, "is_lost": lease.is_lost, **more}), flush=True)  # noqa: T201 - its way to talk


async def writes(runtime: Runtime, lease: Lease) -> bool:
    try:
        async with (unit := runtime.unit()):
            lease.fence(unit)
            await unit.session.execute(text(WRITE))
    except LeaseLost:
        return False
    return True


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], timedelta(seconds=float(sys.argv[2]))))
