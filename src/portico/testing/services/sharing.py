"""One server of a kind for all processes of a test session: whoever asks first starts it, and the last one
ends it.
"""

import atexit
import hashlib
import os
import secrets
from functools import cache

from portico.testing.services import folders
from portico.testing.services.processes import Server, wait_until

SECONDS_TO_END = 15

_in_use: list[folders.Folder] = []


def session() -> str:
    """Return the name of the test session: that of pytest-xdist, or made up; child processes inherit it."""
    made_up = f"{os.getpid()}-{secrets.token_hex(4)}"
    known = os.environ.get("PORTICO_TEST_SESSION") or os.environ.get("PYTEST_XDIST_TESTRUNUID")
    return os.environ.setdefault("PORTICO_TEST_SESSION", known or made_up)


@cache
def shared[S: Server](kind: type[S]) -> S:
    """Return the session's server of that kind, running; this process uses it until it ends."""
    server = kind()
    name = f"{kind.kind}-{hashlib.sha256(session().encode()).hexdigest()[:12]}"
    with folders.only_one(kind.kind):
        server.folder = folders.Folder.join(name, server.place)
        if server.folder is not None:
            server.port = int((server.path / "ready").read_text())
        else:
            server.folder = folders.Folder.create(name, server.place)
            server.start()
    _in_use.append(server.folder)
    return server


@atexit.register
def leave() -> None:
    """Stop using the servers; the last process waits for their end, so that nothing outlives the tests."""
    for folder in _in_use:
        folder.release()
    ending = [folder.path for folder in _in_use if folders.is_unused(folder.path)]
    wait_until(lambda: not any(path.exists() for path in ending), SECONDS_TO_END)
    _in_use.clear()
