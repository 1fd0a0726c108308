"""The signing keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portico.db.base import NamedTable
from portico.db.columns import EnumText, JsonDocument, UtcDateTime
from portico.keys.types import KeyPurpose, SigningAlgorithm


class SigningKey(NamedTable):
    """A key pair: published from `created_at`, signing between `signs_from` and `signs_until`, verifying until
    `verifies_until` (open ends are None). The private part is sealed under the root secret with the `kid` as context.
    """

    table = "signing_keys"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[KeyPurpose] = mapped_column(EnumText(KeyPurpose), index=True)
    algorithm: Mapped[SigningAlgorithm] = mapped_column(EnumText(SigningAlgorithm))
    public_jwk: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    sealed_private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    signs_from: Mapped[datetime] = mapped_column(UtcDateTime)
    signs_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verifies_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StoredKey(NamedTable):
    """A key that must outlive the root secret from which it came, or came from none: sealed under the present one.

    `id` is `lasting`, or the id of a former root secret and a purpose; it is the context of the seal.
    """

    table = "kept_keys"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    sealed_key: Mapped[bytes] = mapped_column(LargeBinary)
    kept_at: Mapped[datetime] = mapped_column(UtcDateTime)
