"""Rate limits of requests: which windows a route has, who is counted, what is told (CHECK-13, RELIABILITY_BAR P39).

The key is made of the route's class and of who asks, never of the path as it was written, so that `//`, `%2e` and
other spellings share one budget (GHSA-x732-6j76-qmhm). In memory a hit costs about a microsecond and no coroutine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from portico.coordination.counters import Counters, Verdict, Window, parse_windows
from portico.core.clock import Clock
from portico.core.errors import RateLimited
from portico.core.settings import RateLimitSettings
from portico.http.markers import LimitClass
from portico.http.routing import RouteEntry, RouteTable, class_of

type RawHeaderList = list[tuple[bytes, bytes]]


class Shown(NamedTuple):
    """How one window is told: the beginning of `RateLimit`, and what stays the same on every answer."""

    prefix: bytes
    constant: tuple[tuple[bytes, bytes], tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """Windows that hold together, how they are named in a key, and how each is told (by its amount)."""

    name: str
    windows: tuple[Window, ...]
    shown: dict[int, Shown]

    @classmethod
    def of(cls, name: str, windows: tuple[Window, ...]) -> "Limit":
        """Return the limit called `name`."""
        policy = ", ".join(
            f'"{name}-{each.name}";q={each.amount};w={each.period_seconds}' for each in windows
        )
        shown = {
            window.amount: Shown(
                f'"{name}-{window.name}";r='.encode("ascii"),
                (
                    (b"ratelimit-policy", policy.encode("ascii")),
                    (b"x-ratelimit-limit", str(window.amount).encode("ascii")),
                ),
            )
            for window in windows
        }
        return cls(name, windows, shown)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is counted for one route and method; `by_address` before anybody is authenticated."""

    limits: tuple[Limit, ...]
    by_address: bool


class Standing(NamedTuple):
    """How the caller stands after a hit: the verdict of the limit that binds the most."""

    limit: Limit
    verdict: Verdict


class UnknownRouteLimit(ValueError):
    """`settings.rate_limit.routes` names a route that does not exist."""


FREE: Final = Plan((), by_address=False)


class RateLimits:
    """Counts requests against the windows of their route."""

    def __init__(
        self, settings: RateLimitSettings, counters: Counters, clock: Clock, table: RouteTable
    ) -> None:
        self._counters = counters
        self._hit_now = getattr(counters, "hit_now", None)
        self._clock = clock
        self._classes = _classes(settings) if settings.enabled else {}
        routes = settings.routes if settings.enabled else {}
        _plan_routes(
            table, self._classes, {name.strip(): parse_windows(text) for name, text in routes.items()}
        )

    @property
    def is_immediate(self) -> bool:
        """Tell whether counting needs no waiting."""
        return self._hit_now is not None

    def plan_for(self, entry: RouteEntry | None, method: str) -> Plan:
        """Return what is counted; a path without a route counts as its method does."""
        if entry is not None:
            plan: Plan | None = entry.limits.get(method)
            return plan if plan is not None else FREE
        return _plan(self._classes, class_of(method), ())

    def hit_now(self, plan: Plan, who: str) -> Standing | None:
        """Count a request of `who`; None where nothing is counted. Only when `is_immediate`.

        Raises:
            RateLimited: a window is full (429).
        """
        standing: Standing | None = None
        for limit in plan.limits:
            verdict: Verdict = self._hit_now(f"{limit.name}:{who}", limit.windows)  # type: ignore[misc]  # is_immediate
            if not verdict.allowed:
                raise refusal_of(Standing(limit, verdict), self._clock.now())
            if standing is None or verdict.remaining < standing.verdict.remaining:
                standing = Standing(limit, verdict)
        return standing

    async def hit(self, plan: Plan, who: str) -> Standing | None:
        """Count a request of `who` where counting waits for others; else as `hit_now`."""
        standing: Standing | None = None
        for limit in plan.limits:
            verdict = await self._counters.hit(f"{limit.name}:{who}", limit.windows)
            if not verdict.allowed:
                raise refusal_of(Standing(limit, verdict), self._clock.now())
            if standing is None or verdict.remaining < standing.verdict.remaining:
                standing = Standing(limit, verdict)
        return standing

    def headers(self, standing: Standing) -> RawHeaderList:
        """Return how the caller stands, for an answer that is let through."""
        return headers_of(standing, self._clock.now())


def refusal_of(standing: Standing, now: datetime) -> RateLimited:
    """Return the 429, with the headers that tell why."""
    wait = max(1, math.ceil(standing.verdict.retry_after))
    error = RateLimited(f"Too many requests, try again in {wait} seconds.", retry_after=wait)
    error.headers |= {name.decode(): value.decode() for name, value in headers_of(standing, now)}
    return error


def headers_of(standing: Standing, now: datetime) -> RawHeaderList:
    """Return the fields of draft-ietf-httpapi-ratelimit-headers and the older ones (reset as a Unix time)."""
    limit, (_, amount, remaining, reset_after, _) = standing
    reset = math.ceil(reset_after)
    prefix, constant = limit.shown[amount]
    left = b"%d" % remaining
    return [
        *constant,
        (b"ratelimit", b"%b%b;t=%d" % (prefix, left, reset)),
        (b"x-ratelimit-remaining", left),
        (b"x-ratelimit-reset", b"%d" % (now.timestamp() + reset)),
    ]


def _classes(settings: RateLimitSettings) -> dict[LimitClass, Limit]:
    texts = {
        LimitClass.SIGN_IN: settings.sign_in,
        LimitClass.WRITE: settings.write,
        LimitClass.READ: settings.read,
    }
    return {kind: Limit.of(kind.value, parse_windows(text)) for kind, text in texts.items() if text.strip()}


def _plan(classes: dict[LimitClass, Limit], kind: LimitClass, extra: Sequence[Limit]) -> Plan:
    own = (classes[kind],) if kind in classes else ()
    return Plan((*own, *extra), by_address=kind is LimitClass.SIGN_IN)


def _plan_routes(
    table: RouteTable, classes: dict[LimitClass, Limit], routes: dict[str, tuple[Window, ...]]
) -> None:
    """Give each route its plan, once, at the start.

    Raises:
        UnknownRouteLimit: the settings limit a route that there is not.
    """
    unknown = set(routes)
    for entry in table.entries:
        for method in entry.methods | ({"HEAD"} if "GET" in entry.methods else set()):
            name = f"{method} {entry.path}"
            extra = (Limit.of(name, routes[name]),) if name in routes else ()
            unknown.discard(name)
            entry.limits[method] = _plan(classes, entry.class_for(method), extra)
    if unknown:
        raise UnknownRouteLimit(f"rate_limit.routes names no route of ours: {', '.join(sorted(unknown))}")
