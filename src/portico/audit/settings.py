"""Settings of the trail, read as `PORTICO_AUDIT__*`."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from portico.core.safety import SettingFault
from portico.core.settings import FeatureSettings, Settings

SYSLOG_SCHEMES = ("udp", "tcp", "tls")
ACTION_PREFIX = r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\.?$"
HTTP_SCHEMES = ("https", "http")


def _url_of(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname or parts.username is not None:
            raise ValueError(f"must be a URL that begins with {', '.join(f'{each}://' for each in schemes)}")
        if parts.scheme in SYSLOG_SCHEMES and parts.port is None:
            raise ValueError("must name a port, such as tls://logs.example.com:6514")
        return value

    return AfterValidator(check)


class AuditSettings(FeatureSettings):
    """How long the trail is kept, how often it is signed, and who else is told."""

    keep: timedelta | None = Field(timedelta(days=400), ge=timedelta(days=1))
    """How long entries stay; then the oldest go, up to a signed checkpoint. `null` keeps them for ever."""
    keep_actions: dict[
        Annotated[str, Field(pattern=ACTION_PREFIX)], Annotated[timedelta, Field(ge=timedelta(days=1))] | None
    ] = Field(default_factory=dict, max_length=50)
    """How long entries of single actions stay instead, by the beginning of their names, of which the longest counts:
    `{"session.": "90d", "role.": null}`."""
    checkpoint_every: timedelta = Field(timedelta(hours=1), ge=timedelta(minutes=1), le=timedelta(days=1))
    """How long an entry may be chained before a signed checkpoint covers it."""
    checkpoint_after: int = Field(10_000, ge=1, le=1_000_000)
    """How many entries of a stream one checkpoint covers at most."""
    lag_limit: timedelta = Field(timedelta(minutes=5), ge=timedelta(seconds=5))
    """How long an entry may wait for its link, or a sink for an entry, before health calls it wrong."""
    refusal_entries: int = Field(60, ge=0, le=10_000)
    """How many callers a minute get an entry of their own about what each process refused them; 0 keeps none."""
    syslog_url: Annotated[str, _url_of(*SYSLOG_SCHEMES)] | None = None
    """Send every entry as RFC 5424 to `udp://host:514`, `tcp://host:601` or `tls://host:6514`."""
    http_url: Annotated[str, _url_of(*HTTP_SCHEMES)] | None = None
    """Post every entry there, as JSON lines."""
    http_authorization: SecretStr | None = None
    """The `Authorization` header of those requests."""
    otlp_url: Annotated[str, _url_of(*HTTP_SCHEMES)] | None = None
    """Post every entry there as OTLP logs in JSON: `https://collector:4318/v1/logs`."""
    otlp_authorization: SecretStr | None = None
    """The `Authorization` header of those requests."""
    ship_personal: bool = True
    """Send addresses, user agents and what else is personal along. What was sent elsewhere is not erased there."""

    def production_faults(self, settings: Settings) -> Iterable[SettingFault]:
        """Yield sinks that send the trail in clear text."""
        for name in ("http_url", "otlp_url"):
            url = getattr(self, name)
            if url is not None and urlsplit(url).scheme == "http":
                yield SettingFault(f"PORTICO_AUDIT__{name.upper()}", "must begin with https:// in production")
