"""Puts the HTTP floor around an application.

The composition root does, in this order:

    app = FastAPI(..., openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.runtime = runtime
    app.include_router(...)                                  # all features, API and pages
    floor = install_http(app, runtime, authenticators=[...], readiness=[...], health_checks=[...])

and inside the lifespan, once ports are filled: `floor.start()`. It refuses a route that does not say who may call
it, makes the authenticators and the table of routes. Without a lifespan (a test that calls the application
directly) the first request does the same.
"""

from collections.abc import Callable, Sequence

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from portico.coordination.counters import Counters
from portico.coordination.memory import MemoryCounters
from portico.core.errors import PorticoError
from portico.core.logging import access_line
from portico.http.answers import Answers
from portico.http.api_reference import mount_api_reference
from portico.http.authentication import Authenticator
from portico.http.cookies import CookieNames
from portico.http.dispatch import Dispatcher
from portico.http.edge import Edge
from portico.http.edge.addresses import ClientAddresses
from portico.http.edge.deadlines import Deadlines
from portico.http.edge.edge import Gear
from portico.http.edge.forgery import ForgeryCheck
from portico.http.edge.headers import AnswerHeaders
from portico.http.edge.hosts import HostPolicy
from portico.http.edge.limits import RateLimits
from portico.http.edge.origins import OriginPolicy
from portico.http.etags import NotModified
from portico.http.health import NamedCheck, ReadinessCheck, install_health
from portico.http.idempotency import AnswerKeeper
from portico.http.metrics import router as metrics
from portico.http.openapi import describe_api
from portico.http.refusals import RefusalLog
from portico.http.routing import RouteTable, build_route_table, check_routes, drop_markers
from portico.runtime import Runtime

type AuthenticatorFactory = Callable[[Runtime], Authenticator]


class HttpFloor:
    """The floor of one application; `start` makes what needs the ports of the features."""

    def __init__(
        self, app: FastAPI, runtime: Runtime, authenticators: Sequence[AuthenticatorFactory]
    ) -> None:
        self._app = app
        self._runtime = runtime
        self._factories = tuple(authenticators)
        self._gear: Gear | None = None
        self.answers = Answers(runtime)

    def start(self) -> None:
        """Make the gear; harmless when it was made before.

        Raises:
            UndeclaredRoutes: some routes do not say who may call them.
            UnknownRouteLimit: the settings limit a route that there is not.
        """
        self.gear()

    def gear(self) -> Gear:
        """Return what the edge works with; made at the first call."""
        if self._gear is None:
            table = build_route_table(self._app)
            self._gear = self._made(table)
            drop_markers(table)
            router = self._app.router
            router.middleware_stack = Dispatcher(router, table, AnswerKeeper(self._runtime))
        return self._gear

    def _made(self, table: RouteTable) -> Gear:
        runtime, settings = self._runtime, self._runtime.settings
        counters = runtime.find(Counters) or MemoryCounters(runtime.clock)
        cookies = CookieNames.of(settings)
        origins = OriginPolicy(settings)
        return Gear(
            table=table,
            authenticators=tuple(make(runtime) for make in self._factories),
            hosts=HostPolicy(settings),
            origins=origins,
            addresses=ClientAddresses(settings.http),
            limits=RateLimits(settings.rate_limit, counters, runtime.clock, table),
            forgery=ForgeryCheck(origins, runtime.secret, cookies.session),
            headers=AnswerHeaders(settings),
            answers=self.answers,
            refusals=runtime.find(RefusalLog),
            access_line=access_line(settings),
            public_url=settings.public_url,
            device_cookie=cookies.device,
            max_header_bytes=settings.http.max_header_bytes,
            max_body_bytes=settings.http.max_body_bytes,
            deadlines=Deadlines(settings.http.request_timeout.total_seconds()),
        )


def install_http(
    app: FastAPI,
    runtime: Runtime,
    *,
    authenticators: Sequence[AuthenticatorFactory] = (),
    readiness: Sequence[ReadinessCheck] = (),
    health_checks: Sequence[NamedCheck] = (),
) -> HttpFloor:
    """Put edge, error answers, health and API reference around `app`; call it after all routers are included.

    `readiness` holds besides that the database answers (migrations at head); a check raises when it fails.

    Raises:
        UndeclaredRoutes: some routes do not say who may call them; all of them are named.
    """
    app.include_router(metrics)
    install_health(app, runtime, readiness=readiness, parts=health_checks)
    if runtime.settings.serves_api_reference:
        mount_api_reference(app)
    app.router.redirect_slashes = False
    app.openapi = describe_api(app)  # type: ignore[method-assign]  # the documented way to change the document
    check_routes(app)
    floor = HttpFloor(app, runtime, authenticators)
    for kind in (PorticoError, RequestValidationError, HTTPException, NotModified):
        app.add_exception_handler(kind, floor.answers.to_error)
    app.user_middleware.append(Middleware(Edge, source=floor))
    return floor
