"""What happens to signing keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from portico.keys.types import KeyPurpose
from portico.messaging import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeysRotated(Event):
    """A new key is published and takes over at `signs_from`; the old one verifies until its last token is over."""

    name: ClassVar[str] = "keys.rotated"

    purpose: KeyPurpose
    kid: str
    signs_from: datetime
    retired_kids: tuple[str, ...]
