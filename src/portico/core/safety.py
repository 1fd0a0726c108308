"""What production and staging refuse to start with: every fault at once, each with its setting.

The checks of ground-floor groups stand in one table here; features add theirs by
`FeatureSettings.production_faults`.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from portico.core.settings import Environment, FeatureSettings, Settings

WELL_KNOWN_SECRETS = ("change", "secret", "password", "example", "default", "insecure", "portico")
SHORTEST_SECRET = 32
FEWEST_CHARACTERS = 10
NEVER_REACHED = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")))
ENFORCED_IN = {Environment.PRODUCTION, Environment.STAGING}


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One unsafe setting: its environment name, and what is wrong with it in one sentence."""

    setting: str
    message: str


class UnsafeSettings(ValueError):
    """The settings are not fit for this environment."""

    def __init__(self, environment: str, faults: Iterable[SettingFault]) -> None:
        self.faults = tuple(faults)
        lines = [f"  {fault.setting}: {fault.message}" for fault in self.faults]
        super().__init__(f"{environment} refuses to start with these settings:\n" + "\n".join(lines))


type Check = Callable[[Settings], str | None]


def _secret_key(settings: Settings) -> str | None:
    if settings.secret_key is None:
        return "is required: give at least 32 random characters"
    value = settings.secret_key.get_secret_value()
    if len(value.encode()) < SHORTEST_SECRET:
        return "is shorter than 32 characters"
    if len(set(value)) < FEWEST_CHARACTERS or value.lower().startswith(WELL_KNOWN_SECRETS):
        return "looks like an example, not like a secret"
    return None


def _public_url(settings: Settings) -> str | None:
    return None if settings.is_https else "must be https"


def _debug(settings: Settings) -> str | None:
    return "must be off" if settings.http.debug else None


def _cors(settings: Settings) -> str | None:
    if "*" in settings.http.cors_origins and settings.http.cors_credentials:
        return "`*` must not be combined with credentials"
    if "null" in settings.http.cors_origins:
        return "`null` is every sandboxed page there is"
    return None


def _hosts(settings: Settings) -> str | None:
    return "`*` lets any Host header through" if "*" in settings.http.allowed_hosts else None


def _loopback(settings: Settings) -> str | None:
    return "must be off" if settings.outbound.allow_loopback else None


def _outbound_networks(settings: Settings) -> str | None:
    for network in settings.outbound.allow_networks:
        if any(network.version == closed.version and network.overlaps(closed) for closed in NEVER_REACHED):
            return f"{network} would let others' addresses lead to this machine or to the cloud's metadata"
    return None


def _api_reference(settings: Settings) -> str | None:
    return "must be off" if settings.is_production and settings.http.api_reference else None


def proxy_faults(settings: Settings) -> Iterator[str]:
    """Yield what is ambiguous about the proxies in front; refused in every environment."""
    proxies, header = settings.http.trusted_proxies, settings.http.forwarded_header
    if proxies and header == "none":
        yield "proxies are trusted but PORTICO_HTTP__FORWARDED_HEADER does not say which header they set"
    if header != "none" and not proxies:
        yield f"the header {header} would be believed from nobody: name the proxies in PORTICO_HTTP__TRUSTED_PROXIES"
    for proxy in proxies:
        try:
            network = ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            yield f"{proxy!r} is neither an address nor a network"
            continue
        if network.prefixlen == 0:
            yield f"{proxy!r} trusts everybody"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("PORTICO_SECRET_KEY", _secret_key),
    ("PORTICO_PUBLIC_URL", _public_url),
    ("PORTICO_HTTP__DEBUG", _debug),
    ("PORTICO_HTTP__CORS_ORIGINS", _cors),
    ("PORTICO_HTTP__ALLOWED_HOSTS", _hosts),
    ("PORTICO_HTTP__API_REFERENCE", _api_reference),
    ("PORTICO_OUTBOUND__ALLOW_LOOPBACK", _loopback),
    ("PORTICO_OUTBOUND__ALLOW_NETWORKS", _outbound_networks),
)


def refuse_unsafe_settings(settings: Settings) -> None:
    """Check the settings against their environment; an ambiguous proxy set-up is refused in all of them.

    Raises:
        UnsafeSettings: with every fault, not only the first.
    """
    faults = [SettingFault("PORTICO_HTTP__TRUSTED_PROXIES", message) for message in proxy_faults(settings)]
    if settings.environment in ENFORCED_IN:
        faults += [SettingFault(name, fault) for name, check in CHECKS if (fault := check(settings))]
        for section in _sections(settings):
            faults += section.production_faults(settings)
    if faults:
        raise UnsafeSettings(settings.environment, faults)


def _sections(settings: Settings) -> Iterator[FeatureSettings]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, FeatureSettings):
            yield value
