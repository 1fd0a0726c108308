"""What the endpoints of the authorization server do, as shares of the bare route in the same run.

The machines' tokens are JWTs signed by ES256, the people's ID tokens by RS256. Codes and refresh tokens are spent in
the database, each commit waits for the disk. `benchmarks.peers` asks the same of another server beside it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Figure, Plan
from benchmarks.load import request
from benchmarks.oauth_wire import Credentials, Provider, Rounds, operations
from benchmarks.rounds import Contestant, alternating, always, rates, same, share
from benchmarks.servers import Server, bare_server, portico, portico_server

PATHS = {
    "token": "/oauth/token",
    "introspection": "/oauth/introspect",
    "userinfo": "/oauth/userinfo",
    "jwks": "/.well-known/jwks.json",
    "discovery": "/.well-known/openid-configuration",
}
GOALS = {
    "client credentials": 0.62,
    "code exchange": 0.12,
    "refresh": 0.10,
    "introspection": 0.43,
    "userinfo": 0.40,
    "jwks": 0.95,
    "discovery": 0.95,
}
"""Shares of the bare route: those of node's `oidc-provider` on PostgreSQL (SPEED.md), and memory's own."""
SHORT_KEYS = {"PORTICO_KEYS__RSA_BITS": "2048"}
"""With these the peers' shares were found; ours are longer unless told otherwise."""
OF_ID_TOKENS = ("code exchange", "refresh")
ONLY = "BENCH_OPERATION"
"""Environment variable that names one operation, while it is being made faster."""
PASSWORD = "correct horse battery staple 42"


def price_of_oauth(
    database: str, plan: Plan, folder: Path, environment: Mapping[str, str]
) -> Iterator[Figure]:
    """Yield rates, costs and shares of each operation."""
    yield from _shares(database, plan, folder, environment, chosen=operations(os.environ.get(ONLY)))


def price_with_short_keys(
    database: str, plan: Plan, folder: Path, environment: Mapping[str, str]
) -> Iterator[Figure]:
    """Yield the same of what signs an ID token, by shorter keys; the database is a fresh one."""
    chosen = [each for each in operations(os.environ.get(ONLY)) if each[0] in OF_ID_TOKENS]
    if chosen:
        yield from _shares(
            database, plan, folder, {**environment, **SHORT_KEYS}, chosen=chosen, how=", RSA 2,048"
        )


def _shares(
    database: str,
    plan: Plan,
    folder: Path,
    environment: Mapping[str, str],
    *,
    chosen: Iterable[tuple[str, Callable[[Provider], Rounds]]],
    how: str = "",
) -> Iterator[Figure]:
    given = oauth_environment(environment)
    clients = made_clients(given)
    with bare_server(folder, core=0) as bare, portico_server(folder, given, core=0) as server:
        provider = portico_provider(server, given, clients)
        for name, make in chosen:
            yardstick, ours = alternating(
                plan,
                Contestant(bare, always(same(request(bare.port, "GET", "/bare")))),
                Contestant(server, make(provider)),
            )
            yield from rates(database, f"oauth {name}{how}", ours)
            found = share(ours, yardstick)
            goal = GOALS[name]
            yield Figure(
                database,
                f"oauth {name}{how}, share of the bare route",
                found,
                "",
                f"≥ {goal:g}",
                found >= goal,
            )


def oauth_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server whose codes live as long as a round takes."""
    return {**environment, "PORTICO_OAUTH__CODE_LIFETIME": "PT10M"}


def made_clients(environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a service and a web application of a fresh database, with the keys for ID tokens."""
    portico(["migrate"], environment)
    clients: list[dict[str, str]] = _told("clients", environment=environment)
    return clients


def portico_provider(
    server: Server, environment: Mapping[str, str], clients: Sequence[Mapping[str, str]]
) -> Provider:
    """Return our own server with these clients and a person."""
    machine, web = clients
    body = {"email": "oauth@example.com", "password": PASSWORD}
    server.call("POST", "/api/v1/auth/register", body=body)
    login = {"identifier": body["email"], "password": PASSWORD}
    user = server.call("POST", "/api/v1/auth/login", body=login)["user"]["id"]

    def make_codes(count: int) -> list[str]:
        codes: list[str] = _told("codes", user, web["key"], str(count), environment=environment)
        return codes

    return Provider(
        server=server,
        machine=Credentials(machine["id"], machine["secret"]),
        web=Credentials(web["id"], web["secret"]),
        make_codes=make_codes,
        paths=PATHS,
    )


def _told(*arguments: str, environment: Mapping[str, str]) -> list:  # type: ignore[type-arg]
    command = [sys.executable, "-m", "benchmarks.oauth_lab", *arguments]
    done = subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE)
    told: list = json.loads(done.stdout)  # type: ignore[type-arg]
    return told
