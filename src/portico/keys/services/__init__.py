"""The key ring that signs and verifies, and the making and rotating of keys."""

from portico.keys.services.keyring import Keyring
from portico.keys.services.rotation import (
    KeyMaker,
    Rotated,
    ensure_key,
    ensure_keys,
    list_keys,
    rotate_due_keys,
    rotate_keys,
)

__all__ = [
    "KeyMaker",
    "Keyring",
    "Rotated",
    "ensure_key",
    "ensure_keys",
    "list_keys",
    "rotate_due_keys",
    "rotate_keys",
]
