"""The times in a token of others: `exp`, `nbf`, `iat` (RFC 7519, sections 4.1.4 to 4.1.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portico.oauth.protocol.jose.faults import Fault, Rejected

LATEST_TIME = 253_402_300_799
"""The last second of the year 9999; a later time is a mistake or a trick."""
AHEAD_SECONDS = 30.0
"""How far another's clock may be ahead: 10 seconds must be taken, more than 60 must not (FAPI 2.0 Security Profile,
section 5.3.2.1)."""
LATE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRules:
    """What the times must be, in seconds; None where there is no such limit.

    `ahead`: how far `nbf` and `iat` may lie in the future. `late`: how long after `exp` the token still counts.
    `max_remaining`: `exp` at most this far from now. `max_span`: `exp` at most this far after `nbf`. `max_age`: `nbf`
    at most this long ago.
    """

    now: float
    required: frozenset[str] = frozenset({"exp"})
    ahead: float = AHEAD_SECONDS
    late: float = LATE_SECONDS
    max_remaining: float | None = None
    max_span: float | None = None
    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """The times that a token has."""

    exp: float | None
    nbf: float | None
    iat: float | None


def is_time(value: object) -> bool:
    """Tell whether `value` is a NumericDate: an integer or a finite float, no boolean and no text."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LATEST_TIME


def check_times(claims: Mapping[str, Any], rules: TimeRules) -> Times:
    """Return the times of a token that is good now.

    Raises:
        Rejected: CLAIMS for a missing or mis-typed time; EXPIRED, NOT_YET, LIFETIME.
    """
    times = _read(claims, rules)
    if times.exp is not None and rules.now >= times.exp + rules.late:
        raise Rejected(Fault.EXPIRED, f"exp {times.exp}, now {rules.now}")
    if max(times.nbf or 0, times.iat or 0) > rules.now + rules.ahead:
        raise Rejected(Fault.NOT_YET, f"nbf {times.nbf}, iat {times.iat}, now {rules.now}")
    for duration, limit in _durations(times, rules):
        if limit is not None and duration > limit:
            raise Rejected(Fault.LIFETIME, f"{duration} seconds where {limit} are permitted")
    return times


def _read(claims: Mapping[str, Any], rules: TimeRules) -> Times:
    present = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if not rules.required <= present.keys():
        raise Rejected(Fault.CLAIMS, f"no {', '.join(sorted(rules.required - present.keys()))}")
    for name, value in present.items():
        if not is_time(value):
            raise Rejected(Fault.CLAIMS, f"{name} is no time")
    return Times(exp=present.get("exp"), nbf=present.get("nbf"), iat=present.get("iat"))


def _durations(times: Times, rules: TimeRules) -> list[tuple[float, float | None]]:
    remaining = times.exp - rules.now if times.exp is not None else 0.0
    span = times.exp - times.nbf if times.exp is not None and times.nbf is not None else 0.0
    age = rules.now - times.nbf if times.nbf is not None else 0.0
    return [(remaining, rules.max_remaining), (span, rules.max_span), (age, rules.max_age)]
