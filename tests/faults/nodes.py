"""Starts nodes of a deployment quickly, again and again: `python -m tests.faults.nodes <order>`.

A warm process that has imported everything forks a node for each line `{"node": <number>}` that it reads, and answers
with its process id: of a server once it listens on the node's port, of a worker at once. Both are whole: application,
lifespan, background work, uvicorn; or `run_worker`, with Celery where there is a broker. `rests` says at which
failpoints they take their time, so that a kill finds them there.
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from portico.app import create_app
from portico.core import failpoints
from portico.core.settings import Settings
from portico.http.server import server_options
from portico.worker import run_worker
from tests.faults.plants import PLANTS
from tests.faults.witness import features_of_story

PATIENCE_SECONDS = 10.0


def main() -> None:
    """Serve one parent until it closes the pipe; then all nodes end."""
    order = json.loads(sys.argv[1])
    answers = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a killed node ended
    create_app(Settings(**order["settings"]), features_of_story(Path(order["settings"]["data_dir"])))
    gc.collect()
    gc.freeze()
    os.write(answers, b"ready\n")
    children = [_started(order, number, answers) for number in _asked()]
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _asked() -> Iterator[int]:
    for line in sys.stdin:
        yield int(json.loads(line)["node"])


def _started(order: dict[str, Any], number: int, answers: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            failpoints.armed |= {name: failpoints.delaying(rest) for name, rest in order["rests"].items()}
            os.close(0)
            if order["works"]:
                _work(order, number, answers)
            else:
                asyncio.run(_serve(order, number, answers))
        except BaseException:  # noqa: BLE001 - the edge of a process
            traceback.print_exc()
        finally:
            os._exit(1)
    return child


def _work(order: dict[str, Any], number: int, answers: int) -> None:
    settings = Settings(**order["settings"])
    os.write(answers, json.dumps({"node": number, "pid": os.getpid()}).encode() + b"\n")
    run_worker(settings, features_of_story(settings.data_dir))


async def _serve(order: dict[str, Any], number: int, answers: int) -> None:
    settings = Settings(**order["settings"])
    if order.get("plant"):
        PLANTS[order["plant"]]()
    listener = _listening(order["ports"][number])
    app = create_app(settings, features_of_story(settings.data_dir))
    server = uvicorn.Server(uvicorn.Config(app, ws="none", **server_options(settings)))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has nothing to wait on
        await asyncio.sleep(0.005)
    os.write(answers, json.dumps({"node": number, "pid": os.getpid()}).encode() + b"\n")
    await serving


def _listening(port: int) -> socket.socket:
    """Take the port as soon as the killed owner has let it go."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=256)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


if __name__ == "__main__":
    main()
