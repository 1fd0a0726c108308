"""Runs one server, and ends it when the last of its users is gone.

A program of its own, with nothing but the standard library: `processes.py` starts it with a folder, and it
outlives whoever started it. Each user of the server holds a shared lock on the folder's `users.lock`. The
kernel drops such a lock with its process, however that process ends; so the moment at which the keeper is
granted the exclusive lock is the moment at which nobody is left, after `kill -9` as after a clean exit, and
nobody has to poll for it.
"""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS_TO_STOP = 10
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def main(folder: Path) -> None:
    """Run the server that `spec.json` describes until it ends or nobody uses it any more."""
    spec = json.loads((folder / "spec.json").read_text())
    own_lock = os.open(folder / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(own_lock, fcntl.LOCK_EX)
    if os.fork():  # our parent need not wait for us; the lock tells it whether we live
        os._exit(0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    companion = start(spec, spec["companion"]) if spec["companion"] else None
    server = start(spec, spec["command"])
    write_pid(folder, server.pid)
    unused = threading.Event()
    threading.Thread(target=stop_when_unused, args=(folder, server, spec, unused), daemon=True).start()
    server.wait()
    if companion is not None:
        companion.kill()
    wait_for_orphans()
    if unused.is_set():
        shutil.rmtree(folder, ignore_errors=True)


def start(spec: dict[str, Any], command: list[str]) -> subprocess.Popen[bytes]:
    """Start a program of the server so that the kernel ends it should the keeper be killed (Linux)."""
    identity = {} if spec["uid"] is None else {"user": spec["uid"], "group": spec["gid"], "extra_groups": []}
    return subprocess.Popen(
        command,
        cwd=spec["cwd"],
        env=spec["env"],
        # No thread runs yet, so that it is safe to run Python between fork and exec.
        preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, spec["stop_signal"]),  # noqa: PLW1509
        **identity,
    )


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, where the system knows it (Linux)."""
    call = getattr(ctypes.CDLL(None), "prctl", None)
    if call is not None:
        call(option, value)


def wait_for_orphans() -> None:
    """Wait for the children of a server that was killed; as their reaper we inherit them."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def write_pid(folder: Path, pid: int) -> None:
    """Write `server.pid` at one stroke, so that no reader sees half a number."""
    new = folder / "server.pid.new"
    new.write_text(str(pid))
    new.rename(folder / "server.pid")


def stop_when_unused(
    folder: Path, server: subprocess.Popen[bytes], spec: dict[str, Any], unused: threading.Event
) -> None:
    """Wait for the exclusive lock, then stop the server: politely first, in the end by force."""
    users = os.open(folder / "users.lock", os.O_RDWR)
    fcntl.flock(users, fcntl.LOCK_EX)
    unused.set()
    server.send_signal(spec["stop_signal"])
    server.send_signal(signal.SIGCONT)  # a test may have paused it
    try:
        server.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
