"""Faults for nodes, to see the checker of histories find them."""

from collections.abc import Callable
from typing import Any

from portico.coordination.revocations import RevocationLog


def believe_for_ever() -> None:
    """Answer from what is remembered, whatever other nodes have revoked."""
    patched: Any = RevocationLog
    patched.trusted = lambda _: True


PLANTS: dict[str, Callable[[], None]] = {"believe_for_ever": believe_for_ever}
