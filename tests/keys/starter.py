"""A worker that starts together with others on an empty database and prints the keys that it found or made.

Not a test; `test_rotation.py` starts it.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from portico.composition import compose, opened
from portico.core.settings import Environment, Settings
from portico.keys.feature import keys_feature
from portico.keys.services import Keyring


async def main(order: dict[str, Any]) -> None:
    data_dir = Path(order["data_dir"])
    settings = Settings(environment=Environment.TEST, data_dir=data_dir, database={"url": order["url"]})
    runtime = compose(settings, [keys_feature()])
    print("ready", flush=True)  # noqa: T201 - how it talks to the test
    while not (data_dir / "go").exists():  # noqa: ASYNC110 - a signal between processes
        await asyncio.sleep(0.001)
    async with opened(runtime):
        print(json.dumps(runtime.get(Keyring).jwks()["keys"]), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
