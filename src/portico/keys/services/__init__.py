"""The key ring that signs and verifies, the making and rotating of keys, and what outlives a root secret."""

from portico.keys.services.kept_keys import keep_key, list_kept_keys, load_lasting_secret
from portico.keys.services.keyring import Keyring
from portico.keys.services.resealing import reseal
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
    "keep_key",
    "list_kept_keys",
    "list_keys",
    "load_lasting_secret",
    "reseal",
    "rotate_due_keys",
    "rotate_keys",
]
