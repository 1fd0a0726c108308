"""Settings of organizations, read as `PORTICO_ORGANIZATIONS__*`."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from portico.coordination.counters import parse_windows
from portico.core.settings import FeatureSettings
from portico.organizations.types import Creation


def _limits(text: str) -> str:
    parse_windows(text)
    return text


Limits = Annotated[str, AfterValidator(_limits)]
"""Such as `10/hour 50/day`; empty for none."""


class OrganizationsSettings(FeatureSettings):
    """Who makes organizations, and how long a deleted one can be had back."""

    creation: Creation = Creation.ANYONE
    """Who may make one: `anyone` who is signed in, or `administrators` of the deployment only."""
    max_owned: int = Field(20, ge=1, le=10_000)
    """How many organizations one person may own before he is refused another."""
    deletion_grace: timedelta = Field(timedelta(days=14), ge=timedelta(0), le=timedelta(days=365))
    """How long a deleted organization can be restored; then its rows are deleted."""
    invitation_ttl: timedelta = Field(timedelta(days=7), ge=timedelta(minutes=5), le=timedelta(days=90))
    """How long an invitation is open after its mail was sent."""
    open_invitations: int = Field(200, ge=1, le=100_000)
    """How many invitations of one organization may be open at the same time."""
    invitation_mails: Limits = "50/hour 200/day"
    """Mails that one organization may cause by inviting, and likewise each person who invites, whichever way."""
    invitation_mails_to_one: Limits = "5/hour 10/day"
    """Invitations that one address gets, from however many organizations."""
    keep_invitations: timedelta = Field(timedelta(days=90), ge=timedelta(0))
    """How long invitations that were answered, withdrawn or have expired are kept."""
    max_domains: int = Field(20, ge=1, le=1_000)
    """How many mail domains one organization may name."""
    refused_domains: frozenset[str] = frozenset()
    """Domains that no organization may call its own, on top of the built-in list of mail providers and suffixes."""
    domain_checks: Limits = "10/hour 50/day"
    """How often one organization may have DNS asked for its domains."""
    domain_recheck: timedelta = Field(timedelta(days=7), ge=timedelta(hours=1))
    """How often the record of a verified domain is looked up again; after one that failed, daily."""
    domain_failures: int = Field(3, ge=1, le=100)
    """After so many look-ups in a row that did not find it, the domain is verified no longer."""
    dns_servers: tuple[str, ...] = ()
    """Name servers to ask: `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`. Default: the operating system's."""
    dns_timeout: timedelta = Field(timedelta(seconds=2), gt=timedelta(0), le=timedelta(seconds=10))
    """How long one name server may take; at most three are asked, twice."""

    @field_validator("dns_servers")
    @classmethod
    def _check_servers(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            _check_server(server)
        return servers


def _check_server(text: str) -> None:
    host, port = text, "53"
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or port if closed else ""
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    ip_address(host)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"{text!r} names no port")
