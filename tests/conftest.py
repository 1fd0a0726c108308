"""Fixtures of the whole suite; most come from the public plug-in."""

import os
import signal

import pytest
from fastapi.routing import _EffectiveRouteContext, _IncludedRouter
from hypothesis import HealthCheck, settings

pytest_plugins = ["portico.testing.plugin"]

# How long an example takes says how busy the machine is. A change is judged by the same examples each time; whoever
# works on it meets new ones.
settings.register_profile(
    "portico", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("portico")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Whoever starts the suite in the background of a shell hands this down, and programs under test would not hear us.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _routers_read_once() -> None:
    """Have FastAPI work out the routes of each router once a process, not once an application: a fifth of a second.

    What it works out depends on router and prefix alone, but for `dependency_overrides`, which nobody uses here.
    What was worked out is kept on the router itself, and goes with it.
    """
    work_out = _IncludedRouter.effective_candidates

    def effective_candidates(self: _IncludedRouter) -> list[_EffectiveRouteContext | _IncludedRouter]:
        router = self.original_router
        known = vars(router).setdefault("worked_out_for_tests", {})
        key = (self.include_context.prefix, router._get_routes_version())
        if key not in known:
            known[key] = work_out(self)
        found: list[_EffectiveRouteContext | _IncludedRouter] = known[key]
        return found

    _IncludedRouter.effective_candidates = effective_candidates  # type: ignore[method-assign]
