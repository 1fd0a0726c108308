"""Where the servers keep their state, and who uses them.

Everything lies below `$TMPDIR/portico-svc-<uid>/`: the unpacked binaries, and under `run/` a folder for each
server; for one that does not wait for the disk below `/dev/shm` in the same way, where that is large enough. Whoever
uses a server holds a shared lock on its folder's `users.lock`; its keeper (`keeper.py`) holds `keeper.lock`. A folder
with neither belongs to a run that was killed, and the next run removes it.
"""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from portico.testing.services.errors import ServiceError

EVERYBODY = Path("/tmp")  # noqa: S108 -- only a parent: the folder in it is made, and checked, to be ours
MEMORY = Path("/dev/shm")  # noqa: S108 -- as above
MEMORY_BYTES = 2 * 2**30
"""What it has to hold: a cluster with its log, and the databases of some test processes."""


@cache
def root() -> Path:
    """Return the folder of all state, made if need be.

    Raises:
        ServiceError: somebody else owns a folder of that name.
    """
    parent = Path(tempfile.gettempdir()).resolve()
    if os.geteuid() == 0 and not _others_may_enter(parent):
        parent = EVERYBODY  # PostgreSQL will run as nobody, who has to reach its files
    return _ours(parent)


@cache
def memory() -> Path:
    """Return the folder of state that nobody misses: in memory, or `root()` where that is too small.

    A new database is a copy of some 600 files, for which a file system on a disk may take more than a second. Every
    process of a session comes to the same answer, however much is free at the moment.

    Raises:
        ServiceError: somebody else owns a folder of that name.
    """
    is_large = os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).total >= MEMORY_BYTES
    return _ours(MEMORY) if is_large else root()


def _ours(parent: Path) -> Path:
    path = parent / f"portico-svc-{os.geteuid()}"
    path.mkdir(exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        msg = f"{path} belongs to somebody else"
        raise ServiceError(msg)
    path.chmod(0o755)
    return path


def _others_may_enter(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


@contextmanager
def only_one(purpose: str, place: Path | None = None) -> Iterator[None]:
    """Let one process at a time do what the purpose names, of those that share the place, by default `root()`."""
    lock = os.open((place or root()) / f"{purpose}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class Folder:
    """The state of one server, in use by this process until released."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def create(cls, name: str, place: Path) -> "Folder":
        """Make the folder, empty, in `root()` or `memory()`, and clear away what killed runs have left there."""
        path = place / "run" / name
        with only_one("folders", place):
            path.parent.mkdir(exist_ok=True)
            path.parent.chmod(0o755)
            reap(path.parent)
            path.mkdir()
            path.chmod(0o755)
            return cls(path, _share(path))

    @classmethod
    def join(cls, name: str, place: Path) -> "Folder | None":
        """Become one more user of a running server, or return None if there is none.

        Waits for the end of one that is just being stopped.
        """
        path = place / "run" / name
        try:
            folder = cls(path, _share(path, create=False))
        except FileNotFoundError:
            return None
        if folder._is_still_there() and keeper_lives(path) and (path / "ready").exists():
            return folder
        folder.release()
        return None

    def _is_still_there(self) -> bool:
        assert self._lock is not None
        try:
            return os.path.samestat(os.fstat(self._lock), (self.path / "users.lock").stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Stop being a user: with the last one the keeper stops the server and removes the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Delete the folder of a server that has been stopped."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()


def _share(path: Path, *, create: bool = True) -> int:
    lock = os.open(path / "users.lock", os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def keeper_lives(path: Path) -> bool:
    """Tell whether the server's keeper, and so the server, is running."""
    return not _is_free(path / "keeper.lock")


def is_unused(path: Path) -> bool:
    """Tell whether no process uses the server (or it is just being stopped for that reason)."""
    lock = path / "users.lock"
    return _is_free(lock) or not _is_free(lock, fcntl.LOCK_SH)


def _is_free(path: Path, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def reap(folder: Path) -> None:
    """Remove the folders of killed runs, and end a server that lost its keeper."""
    for path in folder.iterdir():
        if _is_free(path / "users.lock") and not keeper_lives(path):
            _kill_orphan(path)
            shutil.rmtree(path, ignore_errors=True)


def _kill_orphan(path: Path) -> None:
    with suppress(OSError, ValueError):  # no such file or process, or none of ours
        pid = int((path / "server.pid").read_text())
        # Its number may belong to another process by now; only the server works inside the folder.
        if Path(f"/proc/{pid}/cwd").readlink().is_relative_to(path):
            os.kill(pid, signal.SIGKILL)
