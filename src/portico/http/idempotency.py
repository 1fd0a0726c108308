"""`Idempotency-Key`: a write that is sent again has one effect and gives the same answer.

The answer is kept in the transaction of the write itself: the unit of work holds its commit (`Unit.hold`), the
complete answer is built, stored beside what the route wrote, and both are committed together, before the first byte
leaves. It wraps the route's ASGI application instead of being an `APIRoute` class, because only there the answer is
complete whatever made it, the exception handlers included, and because routers of the team's own need not be told.

Who else could get the answer:
- A signed-in caller's answers are his own: the row's name is a MAC over principal, method, route and key; of an API
  key or a client's token, over that credential besides. The same key with another path, query or body is refused (422).
- Anonymous callers share one name, and a key is easily guessed ("1"). So for them the name covers the whole request
  as well: whoever can ask for the answer sent every byte that led to it, the password included, and the key needs 16
  characters. Another request with the same key is simply another request.
- The table opens nothing: the answer is sealed under a key derived from the root secret and the header's value.

Not kept: refusals that wrote nothing, answers that set cookies, routes marked `without_idempotency`. Two requests at
once: both may run, but the second to commit meets the first one's primary key, is rolled back whole, and answers
with what the first one said. Source: draft-ietf-httpapi-idempotency-key-header; RELIABILITY_BAR P4.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import IntegrityError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portico.core.crypto import RootSecret, SealBroken, b64decode, b64encode, digest, same
from portico.http.authentication import PRINCIPAL_KEY, Principal
from portico.http.bodies import Replayed, read_body
from portico.http.errors import IdempotencyInProgress, IdempotencyKeyInvalid, IdempotencyKeyReused
from portico.http.models import IdempotentAnswer
from portico.http.repositories import IdempotentAnswerRepository
from portico.messaging import JobRun, job
from portico.messaging.sweeps import in_batches

if TYPE_CHECKING:
    from portico.db.unit import Unit
    from portico.runtime import Runtime

HEADER: Final = b"idempotency-key"
KEEPS_ANSWER: Final = "portico.keeps_answer"
UNIT_KEY: Final = "portico.unit"
KEPT_FOR: Final = timedelta(hours=24)
MAX_KEY: Final = 255
MIN_ANONYMOUS_KEY: Final = 16
_KEPT_HEADERS: Final = frozenset({b"content-type", b"location", b"etag", b"cache-control", b"link"})
_ID_PURPOSE: Final = "http.idempotency.id"
_SEAL_PURPOSE: Final = "http.idempotency.seal"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request with a key: the name of its answer, the hash of all that it says, what opens the answer."""

    id: bytes
    request_hash: bytes
    secret: RootSecret


class AnswerKeeper:
    """Answers a repeated write with what the first one was answered."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime

    async def __call__(  # noqa: PLR0917 - an ASGI call, and what it is about
        self, app: ASGIApp, route_path: str, scope: Scope, receive: Receive, send: Send, key: bytes
    ) -> None:
        """Run `app` once for this key, or give the kept answer.

        Raises:
            IdempotencyKeyInvalid: the key cannot be used (400).
            IdempotencyKeyReused: it was used for another request (422).
            IdempotencyInProgress: the first request is still under way (409).
        """
        check_key(key, scope.get(PRINCIPAL_KEY))
        body = await read_body(receive)
        if body is None:
            return
        ask = self._ask(scope, route_path, key, body)
        if await self._replayed(ask, send):
            return
        scope[KEEPS_ANSWER] = True
        answer = _Recorder()
        try:
            await app(scope, Replayed(body, receive), answer)
            outcome = await self._keep(ask, scope.get(UNIT_KEY), answer)
        except BaseException as error:
            await _abandon(scope.get(UNIT_KEY))
            if isinstance(error, Exception) and await self._replayed(ask, send):
                return
            raise
        if not outcome and answer.status >= 400 and await self._replayed(ask, send):
            return
        await answer.pass_on(send)

    def _ask(self, scope: Scope, route_path: str, key: bytes, body: bytes) -> Ask:
        principal: Principal | None = scope.get(PRINCIPAL_KEY)
        asked = _packed(scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
        who = _whose(principal) if principal else b"anonymous" + digest(asked)
        secret = self._runtime.lasting
        return Ask(
            id=secret.mac(_ID_PURPOSE, _packed(who, scope["method"].encode(), route_path.encode(), key)),
            request_hash=digest(asked),
            secret=RootSecret(secret.mac(_SEAL_PURPOSE, key)),
        )

    async def _replayed(self, ask: Ask, send: Send) -> bool:
        """Send the kept answer; False if there is none."""
        async with self._runtime.reads() as session:
            kept = await IdempotentAnswerRepository(session).find_answer(ask.id, self._runtime.clock.now())
        if kept is None:
            return False
        if not same(kept.request_hash, ask.request_hash):
            raise IdempotencyKeyReused
        for message in _opened(ask, kept):
            await send(message)
        return True

    async def _keep(self, ask: Ask, unit: "Unit | None", answer: "_Recorder") -> bool:
        """Commit what the route wrote, with the answer beside it; tell whether there was anything to commit."""
        if unit is None or not unit.is_open:
            return False
        if answer.can_be_kept:
            await self._store(ask, unit, answer)
        try:
            await unit.finish()
        except IntegrityError as error:
            raise IdempotencyInProgress from error
        return True

    async def _store(self, ask: Ask, unit: "Unit", answer: "_Recorder") -> None:
        now = self._runtime.clock.now()
        answers = IdempotentAnswerRepository(unit.session)
        await answers.remove_expired_answer(ask.id, now)
        answers.add(
            IdempotentAnswer(
                id=ask.id,
                request_hash=ask.request_hash,
                status=answer.status,
                sealed_answer=ask.secret.seal(
                    "answer", answer.packed(), context=ask.id, entropy=self._runtime.entropy
                ),
                created_at=now,
                expires_at=now + KEPT_FOR,
            )
        )


class _Recorder:
    """Takes the answer instead of the client, until it is known to be committed."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self._messages.append(message)

    async def pass_on(self, send: Send) -> None:
        """Give the answer to the client."""
        for message in self._messages:
            await send(message)

    @property
    def status(self) -> int:
        return int(self._messages[0]["status"]) if self._messages else 0

    @property
    def headers(self) -> Iterable[tuple[bytes, bytes]]:
        headers: Iterable[tuple[bytes, bytes]] = self._messages[0].get("headers", ())
        return headers

    @property
    def can_be_kept(self) -> bool:
        """An answer that sets a cookie carries a credential: it is given once."""
        return 200 <= self.status < 500 and not any(name.lower() == b"set-cookie" for name, _ in self.headers)

    def packed(self) -> bytes:
        """Return headers and body as they are sealed."""
        headers = [
            [name.decode("latin-1"), value.decode("latin-1")]
            for name, value in self.headers
            if name.lower() in _KEPT_HEADERS
        ]
        body = b"".join(message.get("body", b"") for message in self._messages[1:])
        return json.dumps({"headers": headers, "body": b64encode(body)}).encode()


def _whose(principal: Principal) -> bytes:
    """Return whose answers are kept together.

    Whoever impersonates somebody gets none of his, and neither does a credential that may less than the person: the
    kept answer is given before anybody asks what it may, and two keys may belong to two organizations.
    """
    actor = principal.actor_id.bytes if principal.actor_id else b""
    credential = f"{principal.credential}:{principal.credential_id}" if principal.scopes is not None else ""
    return _packed(principal.id.bytes, actor, credential.encode())


def check_key(key: bytes, principal: Principal | None) -> None:
    """Refuse keys that cannot be used.

    Raises:
        IdempotencyKeyInvalid: empty, over 255 characters, not printable ASCII; anonymous: under 16 (400).
    """
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.decode("ascii").isprintable():
        raise IdempotencyKeyInvalid("An Idempotency-Key has 1 to 255 printable ASCII characters.")
    if principal is None and len(key) < MIN_ANONYMOUS_KEY:
        raise IdempotencyKeyInvalid("Without sign-in an Idempotency-Key needs at least 16 characters.")


@job("http.sweep_answers")
async def sweep_answers(run: JobRun) -> None:
    """Delete the answers that have expired."""
    now = run.runtime.clock.now()
    await in_batches(
        run.runtime, lambda unit, limit: IdempotentAnswerRepository(unit.session).remove_expired(now, limit)
    )


def _opened(ask: Ask, kept: IdempotentAnswer) -> list[Message]:
    try:
        packed = json.loads(ask.secret.open("answer", kept.sealed_answer, context=ask.id))
    except SealBroken:
        # The row was changed: the first answer cannot be told any more, and doing the write
        # again is what the caller asked us not to do.
        raise IdempotencyInProgress("The first answer can no longer be read.") from None
    body = b64decode(packed["body"])
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in packed["headers"]]
    headers += [(b"idempotency-replayed", b"true"), (b"content-length", str(len(body)).encode())]
    return [
        {"type": "http.response.start", "status": kept.status, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]


def _packed(*parts: bytes) -> bytes:
    """Join parts so that no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(8) + part for part in parts)


async def _abandon(unit: "Unit | None") -> None:
    if unit is not None and unit.is_open:
        await unit.abandon()
