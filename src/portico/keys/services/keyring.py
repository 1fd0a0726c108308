"""The keys of this process, in memory: signing and verifying ask nobody.

The ring follows the database: at the start, each minute, when a `key:` revocation is heard, and, at most once in five
seconds, when a token names a key that it does not know. A rotated key is published long before it signs, so that a
ring that is a minute old is never wrong.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from portico.core.crypto import b64encode
from portico.keys.errors import TokenRejected
from portico.keys.jose import Expected, JoseKey, load_private_key, load_public_key, sign, verify
from portico.keys.models import SigningKey
from portico.keys.repositories import SigningKeyRepository
from portico.keys.settings import CLOCK_SKEW, KeysSettings
from portico.keys.types import KeyPurpose, TokenFault
from portico.messaging.periodic import PeriodicRunner
from portico.runtime import Runtime

PRIVATE_KEY = "keys.private"
"""The derived key under which private keys are sealed; the `kid` is the context."""

FOLLOW = "keys.follow"
"""Name of the periodic work that reloads the ring."""

EVERYTHING = "*"
RELOAD_PAUSE_SECONDS = 5.0
LEEWAY_LIMIT = timedelta(seconds=60)

REQUIRED_CLAIMS: Mapping[KeyPurpose, frozenset[str]] = {
    KeyPurpose.ACCESS_TOKEN: frozenset({"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}),
    KeyPurpose.ID_TOKEN: frozenset({"iss", "sub", "aud", "exp", "iat"}),
    KeyPurpose.ID_TOKEN_ES256: frozenset({"iss", "sub", "aud", "exp", "iat"}),
}
"""RFC 9068, section 2.2; OpenID Connect Core 1.0, section 2."""


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key and when it signs and verifies; only a key that signs now or later holds its private part."""

    purpose: KeyPurpose
    key: JoseKey
    is_private: bool
    signs_from: datetime
    signs_until: datetime | None
    verifies_until: datetime | None

    def signs_at(self, now: datetime) -> bool:
        """Tell whether this is a key to sign with at `now`."""
        return (
            self.is_private
            and self.signs_from <= now
            and (self.signs_until is None or now < self.signs_until)
        )

    def verifies_at(self, now: datetime) -> bool:
        """Tell whether its signatures count at `now`, and whether it is published."""
        return self.verifies_until is None or now < self.verifies_until


@dataclass(frozen=True, slots=True)
class KeySetDocument:
    """The JWKS as bytes, with its entity tag."""

    kids: tuple[str, ...]
    body: bytes
    etag: str


class Keyring:
    """Signs and verifies JWTs with the keys of the deployment. One a process, provided by the feature."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keys: dict[str, RingKey] = {}
        self._document = KeySetDocument((), b"", "")
        self._next_reload = 0.0
        self._longest_seconds = runtime.section(KeysSettings).longest_token_life.total_seconds()

    def __repr__(self) -> str:
        """Name the keys."""
        return f"Keyring({', '.join(self._keys)})"

    def can_sign(self, purpose: KeyPurpose) -> bool:
        """Tell whether there is a key for this purpose."""
        return any(each.purpose is purpose and each.is_private for each in self._keys.values())

    def sign(self, claims: Mapping[str, Any], *, purpose: KeyPurpose, typ: str) -> str:
        """Return a compact JWT of `claims`, signed by the key that signs now for this purpose.

        Without `exp` it is an answer to whoever asked just now, and no credential: `verify` takes none such.

        Raises:
            LookupError: there is no key for this purpose yet; see `ensure_key`.
            ValueError: the token would outlive the key, which verifies for `keys.longest_token_life` only.
        """
        now = self._runtime.clock.now()
        if claims.get("exp", 0) > now.timestamp() + self._longest_seconds:
            raise ValueError("the token would live longer than keys.longest_token_life")
        return sign(self._signing_key(purpose, now), claims, typ=typ)

    def verify(
        self,
        token: str,
        *,
        purpose: KeyPurpose,
        typ: str,
        audience: str | None,
        issuer: str,
        exp_leeway: timedelta = timedelta(0),
        takes_expired: bool = False,
    ) -> dict[str, Any]:
        """Return the claims of a good token of this purpose, type, audience and issuer. Asks no database.

        Without an `audience` the caller judges `aud` himself; `takes_expired` is for hints, which prove nothing.
        An unknown `kid` is refused, and has the ring reloaded in the background, at most once in five seconds.

        Raises:
            TokenRejected: anything else; `fault` says why (401).
        """
        now = self._runtime.clock.now()
        expected = Expected(
            typ=typ,
            issuer=issuer,
            audience=audience,
            required=REQUIRED_CLAIMS[purpose],
            now=now.timestamp(),
            exp_leeway=min(exp_leeway, LEEWAY_LIMIT).total_seconds(),
            skew=CLOCK_SKEW.total_seconds(),
            takes_expired=takes_expired,
        )

        def find_key(kid: str) -> JoseKey | None:
            ring_key = self._keys.get(kid)
            if ring_key is None or ring_key.purpose is not purpose or not ring_key.verifies_at(now):
                return None
            return ring_key.key

        try:
            return verify(token, find_key, expected)
        except TokenRejected as rejected:
            if rejected.fault is TokenFault.UNKNOWN_KEY and self._may_reload():
                self._wake()
            raise

    def jwks(self) -> dict[str, Any]:
        """Return the published keys as a JWK Set (RFC 7517, section 5)."""
        now = self._runtime.clock.now()
        return {"keys": [dict(each.key.public_jwk) for each in self._published(now)]}

    def key_set_document(self) -> KeySetDocument:
        """Return the JWK Set as bytes; made anew only when the set of keys changed."""
        kids = tuple(each.key.kid for each in self._published(self._runtime.clock.now()))
        if kids != self._document.kids or not self._document.body:
            body = json.dumps(self.jwks(), separators=(",", ":")).encode()
            etag = f'"{b64encode(hashlib.sha256(body).digest()[:16])}"'
            self._document = KeySetDocument(kids, body, etag)
        return self._document

    async def reload(self) -> None:
        """Read the keys from the database; those known already are not parsed again."""
        now = self._runtime.clock.now()
        async with self._runtime.reads() as session:
            rows = await SigningKeyRepository(session).list_verifying(now)
        self._keys = {row.kid: self._ring_key(row, now) for row in rows}

    def hear(self, subjects: Sequence[str]) -> None:
        """Reload soon if a revocation speaks of keys; to be subscribed to the revocation log."""
        if any(subject == EVERYTHING or subject.startswith("key:") for subject in subjects):
            self._wake()

    def _signing_key(self, purpose: KeyPurpose, now: datetime) -> JoseKey:
        ours = [each for each in self._keys.values() if each.purpose is purpose and each.is_private]
        if able := [each for each in ours if each.signs_at(now)]:
            return max(able, key=lambda each: each.signs_from).key
        if not ours:
            raise LookupError(f"no key signs for {purpose} now")
        # Our clock is behind that of whoever made the first key, or was set back: that key is published all the same.
        return min(ours, key=lambda each: each.signs_from).key

    def _published(self, now: datetime) -> list[RingKey]:
        return [each for each in self._keys.values() if each.verifies_at(now)]

    def _may_reload(self) -> bool:
        now = self._runtime.clock.monotonic()
        if now < self._next_reload:
            return False
        self._next_reload = now + RELOAD_PAUSE_SECONDS
        return True

    def _wake(self) -> None:
        runner = self._runtime.find(PeriodicRunner)
        if runner is not None:
            runner.wake(FOLLOW)

    def _ring_key(self, row: SigningKey, now: datetime) -> RingKey:
        known = self._keys.get(row.kid)
        is_private = row.signs_until is None or now < row.signs_until
        fits = known is not None and known.is_private is is_private
        return RingKey(
            purpose=row.purpose,
            key=known.key if known is not None and fits else self._loaded(row, is_private=is_private),
            is_private=is_private,
            signs_from=row.signs_from,
            signs_until=row.signs_until,
            verifies_until=row.verifies_until,
        )

    def _loaded(self, row: SigningKey, *, is_private: bool) -> JoseKey:
        if not is_private:
            return load_public_key(row.algorithm, row.public_jwk)
        der = self._runtime.secret.open(PRIVATE_KEY, row.sealed_private_key, context=row.kid.encode())
        return load_private_key(row.algorithm, der)
