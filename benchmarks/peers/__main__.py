"""`python -m benchmarks.peers [--quick]`: ours and node's `oidc-provider` on one PostgreSQL, in the same rounds.

Needs npm. Both servers run on one core, one after the other in each round, PostgreSQL and the load on the other; both
keep what they must keep durably, both sign ID tokens by RS256 with keys of the same length. What differs is in the
peer's favour: its clients and its person stand in memory, its access tokens are opaque where ours are signed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.__main__ import FULL, QUICK, print_figures, write_figures
from benchmarks.figures import Figure, Plan
from benchmarks.load import request
from benchmarks.oauth import made_clients, oauth_environment, portico_provider
from benchmarks.oauth_wire import CALLBACK, SCOPE, VERIFIER, Credentials, Provider, operations
from benchmarks.rounds import Contestant, alternating, always, rates, same, share
from benchmarks.servers import Server, bare_server, portico_environment, portico_server, running
from portico.keys.jose import RSA_BITS
from portico.oauth.protocol.rfc7636_pkce import make_challenge

FOLDER = Path(__file__).parent / "oidc_provider"
INSTALLED = Path(".tools") / "peers" / "oidc_provider"
PEER = "oidc-provider"
MACHINE = Credentials("service", "e0c5e8e1a1b94d6f8a37c24d4d1f7c5b")
WEB = Credentials("web-application", "b8d1f6a27c9e4b05a6c3f0e2d9b81a47")
PATHS = {
    "token": "/token",
    "introspection": "/token/introspection",
    "userinfo": "/me",
    "jwks": "/jwks",
    "discovery": "/.well-known/openid-configuration",
}


def main() -> None:
    """Install the peer, measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-peers")
    parser.add_argument("--quick", action="store_true", help="shorter rounds")
    parser.add_argument("--only", help="one operation")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    figures = list(measure(plan, options.only))
    print_figures(figures)
    write_figures(figures, plan, "peers.json")


def measure(plan: Plan, only: str | None) -> Iterator[Figure]:
    """Yield rates, costs and shares of both servers, and how far we are ahead, of each operation."""
    from portico.testing.services import durable_postgres

    install()
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    with tempfile.TemporaryDirectory() as folder, durable_postgres() as ours, durable_postgres() as theirs:
        environment = oauth_environment(portico_environment(Path(folder), ours.url))
        clients = made_clients(environment)
        with (
            bare_server(Path(folder), core=0) as bare,
            portico_server(Path(folder), environment, core=0) as server,
            peer_server(Path(folder), theirs.url, core=0) as peer,
        ):
            both = (portico_provider(server, environment, clients), peer_provider(peer))
            yield from _compared(plan, only, bare, *both)


def _compared(
    plan: Plan, only: str | None, bare: Server, ours: Provider, theirs: Provider
) -> Iterator[Figure]:
    for name, make in operations(only):
        yardstick, mine, others = alternating(
            plan,
            Contestant(bare, always(same(request(bare.port, "GET", "/bare")))),
            Contestant(ours.server, make(ours)),
            Contestant(theirs.server, make(theirs)),
        )
        yield from rates("postgresql", f"{name}, Portico", mine)
        yield from rates("postgresql", f"{name}, {PEER}", others)
        yield Figure(
            "postgresql", f"{name}, Portico, share of the bare route", share(mine, yardstick), "", ""
        )
        yield Figure("postgresql", f"{name}, {PEER}, share", share(others, yardstick), "", "")
        ahead = share(mine, others)
        yield Figure("postgresql", f"{name}, Portico over {PEER}", ahead, "", "> 1", ahead > 1)


def install() -> None:
    """Fetch the peer and its node, once; a changed list of packages is fetched anew.

    Raises:
        RuntimeError: there is no npm.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("the peers are fetched by npm, and there is none")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    listed, wanted = INSTALLED / "package.json", (FOLDER / "package.json").read_text()
    is_new = not (INSTALLED / "node_modules").exists() or listed.read_text() != wanted
    for file in FOLDER.iterdir():
        shutil.copy(file, INSTALLED / file.name)
    if is_new:
        quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run([npm, "install", *quiet], cwd=INSTALLED, check=True, stdout=sys.stderr)


@contextmanager
def peer_server(folder: Path, database_url: str, *, core: int) -> Iterator[Server]:
    """Run the peer on one core."""
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_ENV": "production",
        "PEER_PORT": "{port}",
        "PEER_DATABASE": database_url,
        "PEER_RSA_BITS": str(RSA_BITS),
        "PEER_MACHINE": f"{MACHINE.client_id}:{MACHINE.secret}",
        "PEER_WEB": f"{WEB.client_id}:{WEB.secret}",
        "PEER_CALLBACK": CALLBACK,
        "PEER_SCOPE": SCOPE,
        "PEER_CHALLENGE": make_challenge(VERIFIER),
    }
    command = [str(INSTALLED / "node_modules" / ".bin" / "node"), str(INSTALLED / "server.mjs")]
    with running(command, environment, PATHS["discovery"], folder, core) as server:
        yield server


def peer_provider(server: Server) -> Provider:
    """Return the peer as it is asked."""

    def make_codes(count: int) -> list[str]:
        codes: list[str] = server.call("POST", f"/bench/codes/{count}")
        return codes

    return Provider(server=server, machine=MACHINE, web=WEB, make_codes=make_codes, paths=PATHS)


if __name__ == "__main__":
    main()
