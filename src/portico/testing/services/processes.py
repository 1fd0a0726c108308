"""A server as a process: started through its keeper, awaited, stopped, started again on the same port and
data.
"""

import json
import os
import pwd
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

from portico.testing.services import folders, keeper
from portico.testing.services.errors import ServiceError

SECONDS_TO_START = 60
SECONDS_TO_STOP = 30
# Below the range for outgoing connections, so that a stopped server finds its port free again.
PORTS = range(20_000, 30_000)


class User(NamedTuple):
    """A user of the machine, by number."""

    uid: int
    gid: int


def nobody_if_root() -> User | None:
    """Return whom to run a program as that refuses to run as root; None to run it as ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)


def free_port() -> int:
    """Return a port of the loopback interface on which nobody listens."""
    choices = random.SystemRandom()
    while True:
        port = choices.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(is_so: Callable[[], bool], seconds: float) -> bool:
    """Look again and again until it is so; False if it was not so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Server(ABC):
    """A server of our own: a context manager that starts it, stops it and leaves nothing behind.

    Should this process be killed, the keeper stops the server and removes its files.
    """

    kind: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    user: User | None = None
    waits_for_disk: bool = True

    def __init__(self) -> None:
        self.folder: folders.Folder | None = None
        self.port: int = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """The address for clients."""

    @abstractmethod
    def command(self, path: Path) -> list[str]:
        """Return the command line that serves on `self.port` with the data in `path`."""

    def companion(self) -> list[str]:
        """Return the command line of a program that runs beside the server and is killed after it; mostly none."""
        return []

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether the server answers clients."""

    def prepare(self, path: Path) -> None:  # noqa: B027 -- most need nothing
        """Make what the server needs before its first start."""

    @property
    def place(self) -> Path:
        """Where its folder is made: in memory for one that does not wait for the disk."""
        return folders.root() if self.waits_for_disk else folders.memory()

    @property
    def path(self) -> Path:
        """The folder of the server's state: `server.log`, `data/`."""
        assert self.folder is not None, "not started"
        return self.folder.path

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        return int((self.path / "server.pid").read_text())

    def log(self) -> str:
        """Return the end of what the server has written."""
        return (self.path / "server.log").read_text(errors="replace")[-4_000:]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the server, on the port and data of the last time if there was one, and await its answer.

        Raises:
            ServiceError: it ended, or does not answer in time.
        """
        if self.folder is None:
            self.folder = folders.Folder.create(f"{self.kind}-{secrets.token_hex(6)}", self.place)
        if not (self.path / "data").exists():
            self._make_data()
        keeps_port = self.port != 0
        for _ in range(1 if keeps_port else 3):  # somebody may take the port before the server does
            self.port = self.port if keeps_port else free_port()
            self._launch()
            if wait_until(self._is_ready_or_gone, SECONDS_TO_START) and self.is_running():
                (self.path / "ready").write_text(str(self.port))
                return
            self._end(signal.SIGKILL)
        msg = f"{self.kind} does not start:\n{self.log()}"
        raise ServiceError(msg)

    def _make_data(self) -> None:
        data = self.path / "data"
        data.mkdir(mode=0o700)
        if self.user is not None:
            os.chown(data, *self.user)
        self.prepare(data)

    def _launch(self) -> None:
        data = self.path / "data"
        (self.path / "server.pid").unlink(missing_ok=True)
        spec = {
            "command": self.command(data),
            "companion": self.companion(),
            "cwd": str(data),
            "env": self.environment(data),
            "stop_signal": int(self.stop_signal),
            "uid": self.user.uid if self.user else None,
            "gid": self.user.gid if self.user else None,
        }
        (self.path / "spec.json").write_text(json.dumps(spec))
        with (self.path / "server.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-I", "-S", keeper.__file__, str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, not for the server
                check=True,
            )

    def environment(self, data: Path) -> dict[str, str]:
        """Return the variables that the server sees: none of ours."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(data)}

    def _is_ready_or_gone(self) -> bool:
        if not self.is_running():
            return True
        return (self.path / "server.pid").exists() and self.is_ready()

    def is_running(self) -> bool:
        """Tell whether the process lives, be it ready or not."""
        return folders.keeper_lives(self.path)

    def _end(self, how: signal.Signals) -> None:
        """Send the signal and wait until the process is gone, by force if it does not go."""
        for one in (how, signal.SIGKILL):
            if self.is_running() and (self.path / "server.pid").exists():
                with suppress(ProcessLookupError):  # it may be quicker than we are
                    os.kill(self.pid, one)
                    os.kill(self.pid, signal.SIGCONT)  # a frozen process hears nothing else
            if wait_until(lambda: not self.is_running(), SECONDS_TO_STOP):
                return
        msg = f"{self.kind} does not stop:\n{self.log()}"
        raise ServiceError(msg)

    def close(self) -> None:
        """Stop the server and delete its data."""
        if self.folder is None:
            return
        self._end(self.stop_signal)
        self.folder.remove()
        self.folder = None
