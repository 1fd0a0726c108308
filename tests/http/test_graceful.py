"""The door that is shut while those inside are still served."""

import asyncio
import socket
import sys
import time

import pytest

from portico.http.graceful import let_nobody_in

pytestmark = [pytest.mark.anyio, pytest.mark.bar("P28")]


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels have no such filter")
async def test_those_let_in_are_served_and_newcomers_knock_again() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        waiting = socket.create_connection(address)
        let_nobody_in(listener)
        started = time.monotonic()
        newcomer = loop.run_in_executor(None, socket.create_connection, address, 5)
        await asyncio.sleep(0.2)
        inside, _ = listener.accept()
        waiting.sendall(b"a question")
        question = inside.recv(64)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()

    with pytest.raises(ConnectionRefusedError):
        await newcomer
    for each in (waiting, inside):
        each.close()
    assert question == b"a question"
    assert time.monotonic() - started > 0.5  # it was not reset: it asked again
