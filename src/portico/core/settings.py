"""Settings: where they come from, how features add theirs, which ones are refused.

A value comes from the first of: arguments, environment (`PORTICO_` prefix, `__` nests), `.env`, files in
`PORTICO_SECRETS_DIR`, `portico.toml`, the default. Ground-floor groups are declared here; each feature declares a
`FeatureSettings` that is read under its own name (`PORTICO_USERS__REGISTRATION`). Production is checked in
`portico.core.safety`, names that nobody knows in `portico.core.settings_sources`.
"""

import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

if TYPE_CHECKING:
    from portico.core.safety import SettingFault

ENV_PREFIX = "PORTICO_"
SECRETS_DIR_VARIABLE = "PORTICO_SECRETS_DIR"


class Environment(StrEnum):
    """What kind of deployment this is; production refuses unsafe settings."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    TEST = "test"


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)?")
DURATIONS = (timedelta, timedelta | None)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration_of(text: str) -> timedelta | str:
    """Return the duration that `text` names in short, or the text itself for pydantic to read."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return text
    amount, unit = match.groups()
    return timedelta(seconds=float(amount) * _UNITS[unit or "s"])


class SettingsGroup(BaseModel):
    """A group of settings; unknown keys in it are refused, values never change after start."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _read_duration(cls, value: Any, info: ValidationInfo) -> Any:
        """Take durations as people write them: `900` (seconds), `15m`, `30d`; ISO 8601 stays possible."""
        name = info.field_name
        if isinstance(value, str) and name and cls.model_fields[name].annotation in DURATIONS:
            return duration_of(value)
        return value


class FeatureSettings(SettingsGroup):
    """The settings of one feature, read under the feature's name."""

    def production_faults(self, settings: "Settings") -> Iterable["SettingFault"]:
        """Yield what is unsafe about this group in production; nothing by default."""
        return ()


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https URL without query and fragment")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user name or password")
    return value.rstrip("/")


PublicUrl = Annotated[str, AfterValidator(_public_url)]


class DatabaseSettings(SettingsGroup):
    """The database and its pools."""

    url: SecretStr | None = None
    """`sqlite:///…` or `postgresql://…`; the async driver is filled in. Default: SQLite in the data directory."""
    owner_url: SecretStr | None = None
    """The role that owns the tables and migrates; default: the same as `url`."""
    pool_size: int = Field(10, ge=1, le=1000)
    """PostgreSQL: connections kept open for writes by each worker; as many again serve reads."""
    pool_overflow: int = Field(0, ge=0, le=1000)
    """PostgreSQL: connections opened on top of `pool_size` when all are in use, closed when idle. Opening one costs
    more than most waits, so that a larger `pool_size` is mostly the better way."""
    pool_timeout: timedelta = timedelta(seconds=5)
    """How long a request waits for a connection (on SQLite: for its turn to write) before it gets a 503."""
    pool_recycle: timedelta = timedelta(minutes=30)
    """PostgreSQL: the age at which a connection is replaced."""
    pool_pre_ping: bool = True
    """PostgreSQL: test a connection that rested for a second before it is used; a restart goes unnoticed."""
    statement_timeout: timedelta = timedelta(seconds=30)
    """PostgreSQL: the longest that one statement may run."""
    readers: int = Field(4, ge=1, le=64)
    """SQLite: connections that read."""


class RedisSettings(SettingsGroup):
    """Redis or Valkey: rate counters and faster invalidation; never the truth."""

    url: SecretStr | None = None
    """`redis://…`, `rediss://…` or `unix://…`. None: counters live in each process."""
    timeout: timedelta = timedelta(milliseconds=250)
    """How long one command may take before the local fallback answers."""


class HttpSettings(SettingsGroup):
    """The HTTP edge."""

    allowed_hosts: tuple[str, ...] = ()
    """Host names answered besides the public URL's; `*.example.com` covers sub-domains."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API from a browser; exact, or `*` without credentials."""
    cors_credentials: bool = False
    """Let those origins send cookies."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of the proxies in front; only from these is a forwarded address believed."""
    forwarded_header: Literal["none", "x-forwarded-for", "forwarded"] = "none"
    """The one header in which the trusted proxies name the client. Required with `trusted_proxies`."""
    max_body_bytes: int = Field(1_048_576, ge=1024)
    """The largest request body, 413 beyond; routes that take files declare their own."""
    max_header_bytes: int = Field(16_384, ge=1024)
    """The largest sum of request headers, 431 beyond."""
    request_timeout: timedelta = timedelta(seconds=30)
    """How long a request may take before it is cancelled and answered with 503."""
    drain: timedelta | None = None
    """How long the server goes on after SIGTERM with `/health/ready` at 503 and `Connection: close` in every answer,
    before it lets nobody in any more. Longer than proxies keep idle connections, and than balancers take to notice.
    Default: 10 s in production and staging, else 0."""
    debug: bool = False
    """More words in development logs; refused in production."""
    api_reference: bool | None = None
    """Serve `/docs`, `/redoc` and `/openapi.json`. Default: everywhere but in production."""


class RateLimitSettings(SettingsGroup):
    """Requests per client; several windows hold at once. Written `10/minute 100/hour 500/day`."""

    enabled: bool = True
    """Count and refuse. Guess counters of credentials hold whatever this says."""
    sign_in: str = "20/minute 100/hour 500/day"
    """Routes that take or send a credential: sign-in, sign-up, reset, verify."""
    write: str = "120/minute 3000/hour 30000/day"
    """Other routes that change something."""
    read: str = "1200/minute 30000/hour 300000/day"
    """Routes that only read."""
    routes: dict[str, str] = Field(default_factory=dict)
    """Limits of single routes on top, by `METHOD /path`."""


class LoggingSettings(SettingsGroup):
    """What the log shows."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is written."""
    format: Literal["auto", "json", "console"] = "auto"
    """`auto`: coloured lines in development, JSON elsewhere."""
    access: bool = True
    """One line for each request."""


def _broker_url(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in schemes or not (parts.hostname or parts.path):
            raise ValueError(
                "must be a URL that begins with " + ", ".join(f"{scheme}://" for scheme in schemes)
            )
        return value

    return AfterValidator(check)


class JobsSettings(SettingsGroup):
    """Work that is done after the answer, and again until it succeeds."""

    broker_url: Annotated[SecretStr, _broker_url("redis", "rediss", "amqp", "amqps")] | None = None
    """`redis://…` or `amqp://…`: Celery workers (`portico worker`) do the jobs. None: this server does them itself."""
    embedded: bool | None = None
    """Whether server processes do jobs. Default: yes, unless there is a broker. With `false` and no broker run
    `portico worker` beside the server."""
    lease: timedelta = Field(timedelta(seconds=30), ge=timedelta(seconds=1), le=timedelta(hours=1))
    """How long after the last sign of life of its process a job under way is given to another one."""
    poll: timedelta = Field(timedelta(seconds=1), ge=timedelta(milliseconds=10), le=timedelta(minutes=1))
    """How often a process looks for work that nobody woke it for: the floor under lost wake-ups."""
    concurrency: dict[str, int] = Field(default_factory=dict)
    """How many jobs of a queue each process does at the same time, by queue: `{"default": 16}`. The other queues keep
    their own defaults: 8 for `default`, 4 for `mail`, 16 for `webhooks`, 4 for others."""
    keep_done: timedelta = timedelta(days=1)
    """How long jobs that were done or cancelled are remembered."""
    keep_dead: timedelta = timedelta(days=90)
    """How long jobs that were given up wait for somebody to look at them."""


class EventsSettings(SettingsGroup):
    """What others hear of our events."""

    broker_url: (
        Annotated[SecretStr, _broker_url("kafka", "nats", "amqp", "amqps", "redis", "rediss")] | None
    ) = None
    """`kafka://…`, `nats://…`, `amqp://…` or `redis://…`: every event is published there as a CloudEvent."""
    topic: str = Field("portico.events", min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+$")
    """Where they go: Kafka's topic, NATS' subject, RabbitMQ's exchange, the Redis stream."""
    keep: timedelta = timedelta(days=3)
    """How long an event that reached everybody stays in the outbox."""


def _some_network(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if network.prefixlen == 0:
        raise ValueError("would let requests go everywhere: name the networks")
    return network


class OutboundSettings(SettingsGroup):
    """Requests that the server makes to others."""

    allow_loopback: bool = False
    """Let them reach loopback, for tests; refused in production."""
    allow_networks: tuple[Annotated[IPv4Network | IPv6Network, AfterValidator(_some_network)], ...] = ()
    """Networks of yours that they may reach although they are not public: `["10.20.0.0/16"]`."""
    timeout: timedelta = Field(timedelta(seconds=15), gt=timedelta(0), le=timedelta(minutes=5))
    """How long one request may take altogether."""
    connect_timeout: timedelta = Field(timedelta(seconds=5), gt=timedelta(0), le=timedelta(minutes=1))
    """How long looking up the name and connecting may take."""
    max_answer_bytes: int = Field(65_536, ge=0, le=16_777_216)
    """How much of an answer's body is read; then the connection is closed."""
    ca_file: Path | None = None
    """Certificates to trust besides the system's, for receivers with a private authority (PEM)."""


class Settings(BaseSettings):
    """The ground-floor settings; `with_sections` adds those of the features.

    `Settings(environment="test", users={"registration": "closed"})` gives values directly, also for features.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        toml_file="portico.toml",
        extra="ignore",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
        nested_model_default_partial_update=True,
        hide_input_in_errors=True,
    )
    ground_groups: ClassVar[tuple[str, ...]] = (
        "database", "redis", "http", "rate_limit", "logging", "jobs", "events", "outbound",
    )  # fmt: skip

    environment: Environment = Environment.DEVELOPMENT
    """`development`, `staging`, `production` or `test`."""
    public_url: PublicUrl = "http://localhost:8000"
    """The issuer and the base of every link; never learnt from a request."""
    name: str = Field("Portico", min_length=1, max_length=60)
    """The product's name, shown on pages and in mails."""
    data_dir: Path = Path("portico-data")
    """Database, files and mail of the embedded default."""
    secret_key: SecretStr | None = None
    """Root secret, at least 32 characters. Development makes one in the data directory; production requires it."""
    accepted_secret_keys: tuple[Annotated[SecretStr, Field(min_length=32)], ...] = Field((), max_length=8)
    """Root secrets that are accepted besides, while one follows another: `["…"]`. Nothing new is made under them."""
    workers: int = Field(1, ge=1, le=256)
    """Processes that `portico serve` runs."""
    features: tuple[str, ...] = ()
    """Features of your own for the commands, as `package.module:name`: `serve` serves them on top of Portico's,
    `migrate` runs their migrations."""
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    http: HttpSettings = HttpSettings()
    rate_limit: RateLimitSettings = RateLimitSettings()
    logging: LoggingSettings = LoggingSettings()
    jobs: JobsSettings = JobsSettings()
    events: EventsSettings = EventsSettings()
    outbound: OutboundSettings = OutboundSettings()

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _sections: dict[type, object] = PrivateAttr(default_factory=dict)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._given = given
        self._sections = {type(value): value for _, value in self}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources, strongest first."""
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings, dotenv_settings]
        if secrets_dir := os.environ.get(SECRETS_DIR_VARIABLE):
            sources.append(
                NestedSecretsSettingsSource(
                    file_secret_settings,
                    secrets_dir=secrets_dir,
                    secrets_nested_delimiter="__",
                    env_prefix=ENV_PREFIX,
                )
            )
        return (*sources, TomlConfigSettingsSource(settings_cls))

    def with_sections(self, sections: Mapping[str, type[FeatureSettings]]) -> "Settings":
        """Return the same settings with a field for each feature's section, read from the same sources."""
        return compose_settings(sections)(**self._given)

    def section[T: FeatureSettings](self, kind: type[T]) -> T:
        """Return the feature settings of type `kind`.

        Raises:
            LookupError: no enabled feature declares them.
        """
        section = self._sections.get(kind)
        if isinstance(section, kind):
            return section
        raise LookupError(f"no enabled feature declares {kind.__name__}")

    def changed(self, **given: Any) -> Self:
        """Return settings read anew, with `given` laid over what was given before."""
        return type(self)(**{**self._given, **given})

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Return the values that were given directly, not read from anywhere."""
        return self._given

    @property
    def is_production(self) -> bool:
        """Tell whether unsafe settings are refused."""
        return self.environment is Environment.PRODUCTION

    @property
    def is_development(self) -> bool:
        """Tell whether conveniences such as the mail viewer are on."""
        return self.environment in {Environment.DEVELOPMENT, Environment.TEST}

    @property
    def drain(self) -> timedelta:
        """Return how long a server that is to end goes on serving."""
        if self.http.drain is not None:
            return self.http.drain
        return timedelta() if self.is_development else timedelta(seconds=10)

    @property
    def is_https(self) -> bool:
        """Tell whether people reach the server by TLS; then cookies are `Secure` and HSTS is sent."""
        return self.public_url.startswith("https://")

    @cached_property
    def public_host(self) -> str:
        """Return the public URL's authority as browsers send it in `Host`, lower case."""
        return urlsplit(self.public_url).netloc.lower()

    @property
    def serves_api_reference(self) -> bool:
        """Tell whether `/docs`, `/redoc` and `/openapi.json` exist."""
        return (not self.is_production) if self.http.api_reference is None else self.http.api_reference


def compose_settings(sections: Mapping[str, type[FeatureSettings]]) -> type[Settings]:
    """Return the class of settings that has a field for each feature's section besides the ground floor's."""
    return _composed(tuple(sections.items()))


@lru_cache(maxsize=8)
def _composed(sections: tuple[tuple[str, type[FeatureSettings]], ...]) -> type[Settings]:
    fields: dict[str, Any] = {
        name: (kind, Field(default_factory=kind, description=kind.__doc__)) for name, kind in sections
    }
    return create_model("Settings", __base__=Settings, __module__=__name__, **fields)
