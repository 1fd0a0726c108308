"""One token for another: whose it is, who acts, and whether he may (RFC 8693)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from portico.oauth.protocol.refusals import ErrorCode, Refused

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
SUBJECT_TYPES = frozenset({ACCESS_TOKEN, JWT})
"""What is taken in: access tokens of ours. An ID token says who somebody is and grants nothing."""
ISSUED_TYPES = frozenset({ACCESS_TOKEN, JWT})
MAX_TOKEN = 8_192
MAX_TARGETS = 10
DEEPEST_ACT = 5
"""How many actors one behind the other a token may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRequest:
    """The parameters of section 2.1, read. `targets` are `resource` and `audience` together, in this order."""

    subject_token: str = field(repr=False)
    subject_token_type: str
    actor_token: str | None = field(default=None, repr=False)
    actor_token_type: str | None = None
    requested_token_type: str = ACCESS_TOKEN
    targets: tuple[str, ...] = ()


def read_exchange(
    parameters: Mapping[str, str], *, resources: Sequence[str] = (), audiences: Sequence[str] = ()
) -> ExchangeRequest:
    """Return the request (section 2.1); `resource` and `audience` may stand several times and come apart.

    Raises:
        Refused: invalid_request; a token without its type, a type without its token, a type that is not taken or not
            issued here, or more targets than any honest client names.
    """
    subject, kind = parameters.get("subject_token"), parameters.get("subject_token_type")
    if not subject or not kind:
        raise _refused("subject_token and subject_token_type are needed")
    actor, actor_kind = parameters.get("actor_token") or None, parameters.get("actor_token_type") or None
    if (actor is None) != (actor_kind is None):
        raise _refused("actor_token and actor_token_type go together")
    if kind not in SUBJECT_TYPES or actor_kind not in {None, *SUBJECT_TYPES}:
        raise _refused("a token of this type is not taken")
    if max(len(subject), len(actor or "")) > MAX_TOKEN:
        raise _refused("a token is too long")
    requested = parameters.get("requested_token_type") or ACCESS_TOKEN
    if requested not in ISSUED_TYPES:
        raise _refused("requested_token_type is not issued here")
    if len(resources) + len(audiences) > MAX_TARGETS:
        raise Refused(ErrorCode.INVALID_TARGET, f"there are more than {MAX_TARGETS} targets")
    return ExchangeRequest(
        subject_token=subject,
        subject_token_type=kind,
        actor_token=actor,
        actor_token_type=actor_kind,
        requested_token_type=requested,
        targets=tuple(dict.fromkeys((*resources, *audiences))),
    )


def act_claim(subject: Mapping[str, Any], actor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `act` claim of the new token: the actor, and behind him whoever acted before (section 4.1).

    `subject` and `actor` are the claims of the two tokens. What the actor's own token says of actors is no part of
    the chain, for it tells how the actor came to be, not who acts for the subject.

    Raises:
        Refused: invalid_request; the chain would be longer than `DEEPEST_ACT`.
    """
    named = {name: actor[name] for name in ("sub", "iss", "client_id") if actor.get(name) is not None}
    before = subject.get("act")
    chain = {**named, "act": before} if isinstance(before, Mapping) else named
    if depth_of(chain) > DEEPEST_ACT:
        raise _refused("too many actors stand one behind the other")
    return chain


def check_may_act(subject: Mapping[str, Any], actor: Mapping[str, Any]) -> None:
    """Refuse an actor whom the subject's token does not name in `may_act`, where it has one (section 4.4).

    Every member of `may_act` must be that of the actor's token; one that names nobody allows nobody.

    Raises:
        Refused: invalid_request (section 2.2.2).
    """
    if "may_act" not in subject:
        return
    named = subject["may_act"]
    if not isinstance(named, Mapping) or not named or any(actor.get(k) != v for k, v in named.items()):
        raise _refused("the subject does not let this actor act")


def depth_of(act: Any) -> int:
    """Return how many actors an `act` claim names; it never goes further than it must to know it is too many."""
    depth = 0
    while isinstance(act, Mapping) and depth <= DEEPEST_ACT:
        depth += 1
        act = act.get("act")
    return depth


def _refused(why: str) -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST, why)
