"""`python -m benchmarks [--quick] [--database sqlite|postgresql]`: the server against the bare route, in one run.

Rounds of both alternate and medians are compared, because the speed of a shared machine drifts. The server runs on
one core, the load and PostgreSQL on the other; in the storm the server has both. PostgreSQL waits for the disk at
each commit, and so does SQLite. Prints a table and writes the same as JSON to `benchmarks/results/`.
"""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.afterwards import (
    bare_celery_jobs_a_second,
    jobs_a_second,
    latencies,
    price_of_events,
    webhooks_a_second,
)
from benchmarks.audit import price_of_the_trail
from benchmarks.figures import Figure, Plan, at_most
from benchmarks.load import Answer, Result, Script, request, run
from benchmarks.oauth import price_of_oauth, price_with_short_keys
from benchmarks.rights import price_of_a_check
from benchmarks.rounds import Contestant, all_good, alternating, always, rates, same, share
from benchmarks.servers import Server, bare_server, portico, portico_environment, portico_server
from benchmarks.tenants import price_of_isolation

API = "/api/v1"
PASSWORD = "correct horse battery staple 42"
ADMINISTRATOR = "admin@example.com"
RESULTS = Path(__file__).parent / "results"
PEOPLE = 100_000


FULL = Plan(rounds=5, seconds=3.0, people=PEOPLE, sign_ins=10_000, jobs=5_000)
QUICK = Plan(rounds=3, seconds=1.0, people=10_000, sign_ins=500, jobs=2_000)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="shorter rounds and fewer people")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--only", choices=PARTS, help="one part of it")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    figures: list[Figure] = []
    for database in options.database or ["sqlite", "postgresql"]:
        for part in [options.only] if options.only else PARTS:
            figures += PARTS[part](database, plan)
    print_figures(figures)
    write_figures(figures, plan, "latest.json")


def measure(database: str, plan: Plan) -> list[Figure]:
    """Return all figures of one database."""
    os.sched_setaffinity(0, {1} if os.cpu_count() and os.cpu_count() > 1 else {0})  # type: ignore[operator]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = portico_environment(folder, stack.enter_context(_database(database)))
        portico(["migrate"], environment)
        portico(["create-admin", "--email", ADMINISTRATOR, "--password-stdin"], environment, stdin=PASSWORD)
        portico(["seed", "--users", str(plan.people)], environment)
        return [*_pinned(database, plan, folder, environment), *_storm(database, plan, folder, environment)]


def measure_afterwards(database: str, plan: Plan) -> list[Figure]:
    """Return the figures of what happens after the answer."""
    os.sched_setaffinity(0, {1} if os.cpu_count() and os.cpu_count() > 1 else {0})  # type: ignore[operator]
    with ExitStack() as stack:

        def environment() -> dict[str, str]:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            return portico_environment(folder, stack.enter_context(_database(database)))

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        figures = [*price_of_events(database, plan, folder, environment(), environment())]
        embedded = environment()
        figures += latencies(database, folder, embedded, how="embedded", most=50)
        figures += jobs_a_second(database, plan.jobs, embedded, how="embedded")
        figures += webhooks_a_second(database, folder, embedded)
        if database == "postgresql":
            figures += _by_celery(database, plan, folder, environment())
    return figures


def measure_rights(database: str, plan: Plan) -> list[Figure]:
    """Return what rights, the walls between organizations and the trail cost."""
    os.sched_setaffinity(0, {1} if os.cpu_count() and os.cpu_count() > 1 else {0})  # type: ignore[operator]
    with ExitStack() as stack:

        def environment() -> dict[str, str]:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            return portico_environment(folder, stack.enter_context(_database(database)))

        return [
            *price_of_a_check(database, environment()),
            *price_of_the_trail(database, plan, environment()),
            *price_of_isolation(database, plan, environment()),
        ]


def measure_oauth(database: str, plan: Plan) -> list[Figure]:
    """Return what the endpoints of the authorization server do, as shares of the bare route."""
    os.sched_setaffinity(0, {1} if os.cpu_count() and os.cpu_count() > 1 else {0})  # type: ignore[operator]
    figures: list[Figure] = []
    for price in (price_of_oauth, price_with_short_keys):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            environment = portico_environment(folder, stack.enter_context(_database(database)))
            figures += price(database, plan, folder, environment)
    return figures


PARTS = {
    "requests": measure,
    "afterwards": measure_afterwards,
    "rights": measure_rights,
    "oauth": measure_oauth,
}


def _by_celery(database: str, plan: Plan, folder: Path, environment: dict[str, str]) -> Iterator[Figure]:
    from portico.testing.services import redis_url

    by_celery = {
        **environment,
        "PORTICO_JOBS__BROKER_URL": redis_url(60),
        "PORTICO_REDIS__URL": redis_url(61),
    }
    portico(["migrate"], by_celery)
    yield from latencies(database, folder, by_celery, how="Celery on Valkey", most=100)
    yield from jobs_a_second(database, plan.jobs, by_celery, how="Celery on Valkey")
    yield from bare_celery_jobs_a_second(database, plan.jobs, by_celery)


@contextmanager
def _database(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    from portico.testing.services import durable_postgres

    with durable_postgres() as server:
        yield server.url


def _pinned(database: str, plan: Plan, folder: Path, environment: dict[str, str]) -> Iterator[Figure]:
    with bare_server(folder, core=0) as bare, portico_server(folder, environment, core=0) as server:
        yield at_most(database, "start to first healthy answer", server.healthy_after, "s", most=1.5)
        yield Figure(database, "start, processor time", server.healthy_cpu, "s", "")
        yield at_most(database, "memory of an idle worker", server.rss_megabytes(), "MB", most=110)
        tokens = _people(server, 16)
        token = tokens[0]["access_token"]
        yield from _me(database, plan, bare, server, name="GET /users/me", token=token)
        key = _api_key(server, token)
        yield from _me(database, plan, bare, server, name="GET /users/me by API key", token=key)
        yield from _refresh(database, plan, bare, server, [each["refresh_token"] for each in tokens])
        yield from _lists(database, plan, server)
        yield from _logins(database, plan, server)
        yield at_most(
            database, f"memory after {plan.sign_ins} sign-ins", server.rss_megabytes(), "MB", most=160
        )


def _people(server: Server, count: int) -> list[dict[str, Any]]:
    """Sign up `count` people and sign each in; return the answers of sign-in."""
    answers = []
    for number in range(count):
        email = f"bench{number}@example.com"
        server.call("POST", f"{API}/auth/register", body={"email": email, "password": PASSWORD})
        answers.append(_login(server, email))
    return answers


def _login(server: Server, identifier: str) -> dict[str, Any]:
    body = {"identifier": identifier, "password": PASSWORD}
    answer: dict[str, Any] = server.call("POST", f"{API}/auth/login", body=body)
    return answer


def _api_key(server: Server, token: str) -> str:
    wish = {"name": "benchmark", "scopes": ["user:self:read"]}
    key: str = server.call("POST", f"{API}/api-keys", body=wish, token=token)["key"]
    return key


def _me(
    database: str, plan: Plan, bare: Server, server: Server, *, name: str, token: str
) -> Iterator[Figure]:
    yardstick, ours = alternating(
        plan,
        Contestant(bare, always(same(request(bare.port, "GET", "/bare")))),
        Contestant(server, always(same(request(server.port, "GET", f"{API}/users/me", token=token)))),
    )
    ratio = share(ours, yardstick)
    yield from rates(database, f"bare route beside {name}", yardstick)
    yield from rates(database, name, ours)
    yield Figure(database, f"{name}, share of the bare route", ratio, "", "≥ 0.8", ratio >= 0.8)


def _refresh(database: str, plan: Plan, bare: Server, server: Server, tokens: list[str]) -> Iterator[Figure]:
    held = list(tokens)

    def rotate(number: int, last: Answer | None) -> bytes:
        if last is not None and last.status == 200:
            held[number] = json.loads(last.body)["refresh_token"]
        body = json.dumps({"refresh_token": held[number]}).encode()
        return request(server.port, "POST", f"{API}/auth/refresh", body=body)

    yardstick, ours = alternating(
        plan,
        Contestant(bare, always(same(request(bare.port, "GET", "/bare")))),
        Contestant(server, always(rotate)),
    )
    ratio = share(ours, yardstick)
    yield from rates(database, "refresh", ours)
    yield Figure(database, "refresh, share of the bare route", ratio, "", "≥ 0.2", ratio >= 0.2)


def _lists(database: str, plan: Plan, server: Server) -> Iterator[Figure]:
    token = _login(server, ADMINISTRATOR)["access_token"]
    path = f"{API}/admin/users?page_size=100"
    cursor = None
    for _ in range(plan.people // 100 - 20):
        answer = server.call("GET", path + (f"&cursor={cursor}" if cursor else ""), token=token)
        cursor = answer["pagination"]["next_cursor"]
    list_path = f"{API}/admin/users?page_size=20"
    first = asyncio.run(
        run(server.port, same(request(server.port, "GET", list_path, token=token)), connections=4, seconds=3)
    )
    deep_path = f"{path}&cursor={cursor}"
    top_path = f"{path}&cursor={_second_page(server, path, token)}"
    top = asyncio.run(
        run(server.port, same(request(server.port, "GET", top_path, token=token)), connections=4, seconds=3)
    )
    deep = asyncio.run(
        run(server.port, same(request(server.port, "GET", deep_path, token=token)), connections=4, seconds=3)
    )
    for result in (first, top, deep):
        all_good(result)
    ratio = deep.percentile(99) / top.percentile(99)
    yield Figure(database, f"list of {plan.people} people, first page with total", first.rate, "req/s", "")
    yield Figure(database, "list by cursor near the top, p99", top.percentile(99), "ms", "")
    yield Figure(database, "list by cursor at depth, p99", deep.percentile(99), "ms", "")
    yield Figure(database, "list by cursor, p99 at depth over top", ratio, "", "≈ 1", ratio <= 1.5)


def _second_page(server: Server, path: str, token: str) -> str:
    cursor: str = server.call("GET", path, token=token)["pagination"]["next_cursor"]
    return cursor


def _logins(database: str, plan: Plan, server: Server) -> Iterator[Figure]:
    """Sign in one after another: what is not the hash is the server's own share."""
    before = server.cpu_seconds()
    results: list[Result] = []
    done = 0
    while done < plan.sign_ins:
        result = asyncio.run(run(server.port, _signing_in(server.port), connections=4, seconds=5))
        all_good(result)
        results.append(result)
        done += len(result.latencies)
    spent = (server.cpu_seconds() - before) / done * 1000
    own = spent - _hash_milliseconds()
    yield Figure(database, "sign-in", median(each.rate for each in results), "req/s", "")
    yield Figure(database, "sign-in, processor time", spent, "ms", "")
    yield at_most(database, "sign-in, server's own share beside the hash", own, "ms", most=3)


def _signing_in(port: int) -> Script:
    def sign_in(number: int, _last: Answer | None) -> bytes:
        body = json.dumps({"identifier": f"bench{number}@example.com", "password": PASSWORD}).encode()
        return request(port, "POST", f"{API}/auth/login", body=body)

    return sign_in


def _hash_milliseconds() -> float:
    """Measure one verification with the parameters of the server, on this machine, now."""
    from argon2 import PasswordHasher, Type

    hasher = PasswordHasher(
        time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
    )
    hashed = hasher.hash(PASSWORD)
    times = []
    for _ in range(20):
        started = time.process_time()
        hasher.verify(hashed, PASSWORD)
        times.append(time.process_time() - started)
    return median(times) * 1000


def _storm(database: str, plan: Plan, folder: Path, environment: dict[str, str]) -> Iterator[Figure]:
    """Compare the latency of `/users/me` alone with that during a storm of sign-ins; all cores serve."""
    cores = set(range(os.cpu_count() or 1))
    os.sched_setaffinity(0, cores)
    with portico_server(folder, environment) as server:
        token = _login(server, "bench0@example.com")["access_token"]
        me = same(request(server.port, "GET", f"{API}/users/me", token=token))
        asyncio.run(run(server.port, me, connections=2, seconds=1))
        ratios, calms, storms = [], [], []
        for _ in range(plan.rounds):
            calm = asyncio.run(run(server.port, me, connections=2, seconds=plan.seconds))
            stormy = asyncio.run(_both(server.port, me, plan.seconds))
            calms.append(calm.percentile(99))
            storms.append(stormy.percentile(99))
            ratios.append(storms[-1] / calms[-1])
    yield Figure(database, "GET /users/me, p99 calm", median(calms), "ms", "")
    yield Figure(database, "GET /users/me, p99 in a storm of sign-ins", median(storms), "ms", "")
    yield at_most(database, "GET /users/me, p99 storm over calm", median(ratios), "", most=2)


async def _both(port: int, me: Script, seconds: float) -> Result:
    storm = asyncio.create_task(run(port, _signing_in(port), connections=16, seconds=seconds))
    await asyncio.sleep(0.2)
    measured = await run(port, me, connections=2, seconds=max(seconds - 0.5, 0.5))
    await storm
    return measured


def print_figures(figures: list[Figure]) -> None:
    """Print a line a figure."""
    machine = platform.processor() or platform.machine()
    print(f"\n{machine}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    for figure in figures:
        mark = {None: " ", True: "✓", False: "✗"}[figure.met]
        value = f"{figure.value:,.2f}" if figure.value < 100 else f"{figure.value:,.0f}"
        print(f"{mark} {figure.database:<11} {figure.name:<52} {value:>10} {figure.unit:<6} {figure.goal}")


def write_figures(figures: list[Figure], plan: Plan, name: str) -> None:
    """Write the figures as JSON beside earlier ones."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / name
    document = {
        "plan": asdict(plan),
        "python": platform.python_version(),
        "figures": [asdict(f) for f in figures],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nWritten to {path.relative_to(Path.cwd())}.")


if __name__ == "__main__":
    main()
