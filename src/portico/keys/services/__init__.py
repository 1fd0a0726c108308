"""The key ring that signs and verifies, and the making and rotating of keys."""

from portico.keys.services.keyring import Keyring
from portico.keys.services.rotation import Rotated, ensure_key, list_keys, rotate_due_keys, rotate_keys

__all__ = ["Keyring", "Rotated", "ensure_key", "list_keys", "rotate_due_keys", "rotate_keys"]
