"""Named places at which a test can make the process fail, wait or die.

Disarmed (always, outside tests) a failpoint is one look at an empty dict. Code writes
`if failpoints.armed: await failpoints.reach("tokens.rotate.before_write")`.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Never

type Action = Callable[[str], Awaitable[None]]

armed: dict[str, Action] = {}
"""What happens at which failpoint; empty outside tests."""


async def reach(name: str) -> None:
    """Do what is armed for `name`; nothing if nothing is."""
    action = armed.get(name)
    if action is not None:
        await action(name)


class Failure(RuntimeError):
    """What an armed failpoint raises by default."""


def raising(error: Exception | None = None) -> Action:
    """Return an action that raises `error`, or a `Failure` that names the failpoint."""

    async def action(name: str) -> Never:
        raise error or Failure(name)

    return action


def delaying(seconds: float) -> Action:
    """Return an action that waits, to widen a race between a read and a write."""

    async def action(_: str) -> None:
        await asyncio.sleep(seconds)

    return action


def killing() -> Action:
    """Return an action that ends the process at once, as `kill -9` does."""

    async def action(_: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    return action
