"""The composition root: with `worker.py` the only file that knows all features.

`create_app(settings, features=[*default_features(), shop])` is the whole server inside a team's own product.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from portico.access.feature import access_feature
from portico.admin.feature import admin_feature
from portico.alerts.feature import alerts_feature
from portico.api_keys.feature import api_keys_feature
from portico.audit.feature import audit_feature
from portico.composition import check_schema, compose, started
from portico.coordination.health import describe_coordination
from portico.coordination.redis import describe_redis
from portico.core.clock import Clock
from portico.core.entropy import Entropy
from portico.core.logging import configure_logging
from portico.core.settings import Settings
from portico.credentials.feature import credentials_feature
from portico.feature import AccountSection, Feature, FeatureSet, HealthCheck
from portico.http.application import install_http
from portico.keys.feature import keys_feature
from portico.mail.feature import mail_feature
from portico.messaging.celery.health import describe_job_broker
from portico.messaging.health import describe_jobs, describe_outbox
from portico.messaging.publishing.health import describe_event_broker
from portico.oauth.feature import oauth_feature
from portico.organizations.feature import organizations_feature
from portico.runtime import Runtime
from portico.sessions.feature import sessions_feature
from portico.tokens.feature import tokens_feature
from portico.users.feature import users_feature
from portico.web.application import install_web
from portico.webhooks.feature import webhooks_feature

API_PREFIX = "/api/v1"
UNTRACED: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI would ask three global providers on every request whether anybody listens, which costs 5 microseconds."""
DESCRIPTION = "Accounts, sessions, organizations and sign-in. Errors are problem documents (RFC 9457)."
CHAPTERS = {
    "auth": "Sign up, sign in, stay signed in, sign out; passwords, addresses, devices.",
    "users": "Your own profile and what is kept about you.",
    "organizations": "Organizations, their members, roles, teams and trail.",
    "invitations": "Asking people into an organization, and answering.",
    "domains": "Mail domains that an organization has proven.",
    "service accounts": "Principals of an organization without a password.",
    "api keys": "Keys of people, service accounts and organizations.",
    "oauth": "The authorization server: OAuth 2.1 and OpenID Connect.",
    "oauth clients": "The applications that may ask, registered by hand.",
    "oauth connections": "What people and organizations have let in, and how to end it.",
    "oauth resources": "The APIs and MCP servers that tokens are for.",
    "webhooks": "Endpoints of yours that hear our events.",
    "alerts": "What the rules over the trail have found.",
    "admin": "People, organizations, trail, jobs and keys, for those who run the server.",
    "keys": "What others verify our tokens with.",
    "health": "For load balancers and those who watch.",
}


class Lifespan(Protocol):
    """What FastAPI enters before the first request and leaves after the last."""

    def __call__(self, app: FastAPI) -> AbstractAsyncContextManager[None]:
        """Return the context to enter."""
        ...


def default_features() -> list[Feature]:
    """Return Portico's own features, lowest floor first."""
    return [
        keys_feature(),
        audit_feature(),
        mail_feature(),
        tokens_feature(),
        access_feature(),
        users_feature(),
        credentials_feature(),
        sessions_feature(),
        organizations_feature(),
        api_keys_feature(),
        oauth_feature(),
        webhooks_feature(),
        alerts_feature(),
        admin_feature(),
    ]


def create_app(
    settings: Settings | None = None,
    features: Sequence[Feature] | None = None,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    telemetry: TelemetryConfig | None = None,
) -> FastAPI:
    """Return the application with these features (by default all of Portico's); nothing is opened before its lifespan.

    `telemetry` goes to FastAPI, whose OpenTelemetry is off without it.

    Raises:
        UnknownSettings, UnsafeSettings, SecretMissing: as `compose`.
        UndeclaredRoutes: a route says neither a permission nor `public`.
    """
    settings = settings or Settings()
    configure_logging(settings)
    chosen = default_features() if features is None else features
    runtime = compose(settings, chosen, clock=clock, entropy=entropy)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with started(runtime):
            app.state.http_floor.start()
            yield

    return assemble(runtime, lifespan, telemetry=telemetry)


def assemble(
    runtime: Runtime, lifespan: Lifespan | None = None, *, telemetry: TelemetryConfig | None = None
) -> FastAPI:
    """Put the HTTP application around a runtime that somebody else opens."""
    features = runtime.get(FeatureSet).features
    app = FastAPI(
        title=runtime.settings.name,
        description=DESCRIPTION,
        version="1",
        openapi_tags=[{"name": name, "description": text} for name, text in CHAPTERS.items()],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=telemetry or UNTRACED,
    )
    app.state.runtime = runtime
    for feature in features:
        for router in feature.routers:
            app.include_router(router, prefix=API_PREFIX)
        for router in (*feature.root_routes, *feature.pages):
            app.include_router(router)
    install_web(
        app,
        runtime,
        templates={feature.name: feature.templates for feature in features if feature.templates},
        navigation=_navigation(features),
        catalogues=[feature.messages for feature in features if feature.messages],
    )
    app.state.http_floor = install_http(
        app,
        runtime,
        # A higher floor knows the credentials of the lower ones, and takes its own kind out before they see it.
        authenticators=[make for feature in reversed(features) for make in feature.authenticators],
        readiness=[check_schema],
        health_checks=health_checks(runtime),
    )
    return app


def health_checks(runtime: Runtime) -> list[HealthCheck]:
    """Return what `/health/detailed` and `portico doctor` ask."""
    settings = runtime.settings
    elsewhere = (
        (settings.redis.url, HealthCheck("redis", describe_redis)),
        (settings.jobs.broker_url, HealthCheck("job_broker", describe_job_broker)),
        (settings.events.broker_url, HealthCheck("event_broker", describe_event_broker)),
    )
    own = [
        HealthCheck("coordination", describe_coordination),
        HealthCheck("jobs", describe_jobs),
        HealthCheck("outbox", describe_outbox),
    ]
    features = runtime.get(FeatureSet).features
    checks = own + [check for feature in features for check in feature.health_checks]
    return [check for url, check in elsewhere if url is not None] + checks


def _navigation(features: Sequence[Feature]) -> list[AccountSection]:
    sections = [section for feature in features for section in feature.account_sections]
    return sorted(sections, key=lambda section: section.order)
