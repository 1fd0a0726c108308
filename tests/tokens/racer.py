"""A process that races for one refresh token: reads its order from the command line, prints what each racer got.

Not a test; `test_refresh_races.py` starts it.
"""

import asyncio
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from portico.audit.feature import audit_feature
from portico.composition import compose
from portico.core import failpoints
from portico.core.errors import PorticoError
from portico.core.settings import Environment, Settings
from portico.runtime import Runtime
from portico.testing.clock import FrozenClock
from portico.tokens.feature import tokens_feature
from portico.tokens.services import TokenFamilies


async def one(runtime: Runtime, order: dict[str, Any]) -> dict[str, str]:
    families = TokenFamilies(runtime, runtime.unit())
    try:
        rotation = await families.rotate(
            order["token"], grace=timedelta(seconds=order["grace"]), idle=timedelta(days=7)
        )
    except PorticoError as refused:
        return {"outcome": type(refused).__name__}
    return {"outcome": rotation.outcome.value, "token": str(rotation.refresh_token)}


async def main(order: dict[str, Any]) -> None:
    settings = Settings(
        environment=Environment.TEST,
        data_dir=Path(order["data_dir"]),
        database={"url": order["url"], "pool_size": 5, "pool_overflow": 5},
    )
    runtime = compose(
        settings, [audit_feature(), tokens_feature()], clock=FrozenClock(datetime.fromisoformat(order["now"]))
    )
    for point in ("tokens.rotate.before_write", "tokens.rotate.after_write"):
        failpoints.armed[point] = failpoints.delaying(order["delay"])
    print("ready", flush=True)  # noqa: T201 - how it talks to the test
    await asyncio.to_thread(sys.stdin.readline)
    try:
        outcomes = await asyncio.gather(*(one(runtime, order) for _ in range(order["racers"])))
    finally:
        await runtime.database.close()
    print(json.dumps(outcomes), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
