"""One node of a deployment for test_nodes.py: the whole application behind a real uvicorn, failpoints armed.

Its order is one line of JSON: the settings of each application that it is to serve, by name, and how long the process
rests at which failpoint. It prints the port of each, serves, and ends when its standard input does.
"""

import asyncio
import json
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

from portico.app import create_app
from portico.core import failpoints
from portico.core.settings import Settings
from portico.http.server import server_options


class Server(uvicorn.Server):
    """Serves until it is told to stop, and leaves signals alone."""

    def capture_signals(self) -> Any:
        """Capture none: two servers in one process would take them from each other."""
        from contextlib import nullcontext

        return nullcontext()


def server_of(settings: Settings, app: FastAPI) -> Server:
    options = server_options(settings) | {"timeout_graceful_shutdown": 1}
    return Server(uvicorn.Config(app, ws="none", **options))


async def main(order: dict[str, Any]) -> None:
    for point, seconds in order["delays"].items():
        failpoints.armed[point] = failpoints.delaying(seconds)
    servers, ports, running = [], {}, []
    for name, given in order["applications"].items():
        settings = Settings(**given)
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        ports[name] = listener.getsockname()[1]
        servers.append(server_of(settings, create_app(settings)))
        running.append(asyncio.create_task(servers[-1].serve(sockets=[listener])))
    while not all(server.started for server in servers):
        await asyncio.sleep(0.02)
        for task in running:
            if task.done():
                task.result()
                raise SystemExit("a server did not start")
    print(json.dumps(ports), flush=True)  # noqa: T201 - how it talks to the test
    await asyncio.to_thread(sys.stdin.read)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
