"""What happens after the answer: the price of events, how soon and how many a second they are heard."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, Plan, at_most
from benchmarks.lab import LATENCIES
from benchmarks.load import Answer, Script, request, run
from benchmarks.servers import Server, portico, portico_server

API = "/api/v1"
BROKER = "PORTICO_JOBS__BROKER_URL"
PASSWORD = "correct horse battery staple 42"


def price_of_events(
    database: str, plan: Plan, folder: Path, loud: Mapping[str, str], quiet: Mapping[str, str]
) -> Iterator[Figure]:
    """Compare sign-ups with their events with the same ones without; one environment each, with a database each."""
    quiet = {**quiet, "PORTICO_FEATURES": '["benchmarks.lab:quiet_feature"]'}
    for environment in (loud, quiet):
        portico(["migrate"], environment)
    with (
        portico_server(folder, loud, core=0) as with_events,
        portico_server(folder, quiet, core=0) as without,
    ):
        numbers = count()
        ratios, prices = [], []
        for _ in range(plan.rounds * 2):
            spent = {}
            for name, server in (("without", without), ("with", with_events)):
                spent[name] = _milliseconds_a_sign_up(server, plan, numbers)
            ratios.append(spent["with"] / spent["without"])
            prices.append(spent["with"])
    yield Figure(database, "sign-up with its events, processor time", median(prices), "ms", "")
    yield at_most(database, "sign-up, with events over without", median(ratios), "", most=1.15)


def _milliseconds_a_sign_up(server: Server, plan: Plan, numbers: Iterator[int]) -> float:
    """Sign people up one after another; return what each cost the server, its relay and its mail included."""
    before = server.cpu_seconds()
    result = asyncio.run(
        run(server.port, _signing_up(server.port, numbers), connections=1, seconds=max(plan.seconds, 2.0))
    )
    if set(result.statuses) != {201}:
        raise RuntimeError(f"answers other than 201: {result.statuses}")
    return (server.cpu_seconds() - before) / len(result.latencies) * 1000


def _signing_up(port: int, numbers: Iterator[int]) -> Script:
    def sign_up(_number: int, _last: Answer | None) -> bytes:
        body = json.dumps({"email": f"new{next(numbers)}@example.com", "password": PASSWORD}).encode()
        return request(port, "POST", f"{API}/auth/register", body=body)

    return sign_up


def latencies(
    database: str, folder: Path, environment: Mapping[str, str], *, how: str, most: float
) -> Iterator[Figure]:
    """Measure the time from the emission of an event to its subscriber, 50 a second."""
    file = folder / f"latencies-{how.split(maxsplit=1)[0]}"
    file.touch()
    environment = {**environment, LATENCIES: str(file)}
    with _worker(environment):
        _lab("emit", 300, environment)
    found = sorted(float(line) * 1000 for line in file.read_text().split())
    yield Figure(database, f"event to subscriber, {how}, median", median(found), "ms", "")
    p99 = found[int(len(found) * 0.99)]
    yield at_most(database, f"event to subscriber, {how}, p99", p99, "ms", most=most)


def jobs_a_second(database: str, jobs: int, environment: Mapping[str, str], *, how: str) -> Iterator[Figure]:
    """Write jobs that do nothing, then measure how many a second are done."""
    _lab("enqueue", jobs, environment)
    is_celery = BROKER in environment
    with _worker(environment):
        rate = float(_lab("watch" if is_celery else "jobs", jobs, environment))
    yield Figure(database, f"jobs, {how}", rate, "1/s", "")


def bare_celery_jobs_a_second(database: str, jobs: int, environment: Mapping[str, str]) -> Iterator[Figure]:
    """Do the same with a Celery task that claims and ends the row by itself: what Celery alone costs."""
    without_broker = {name: value for name, value in environment.items() if name != BROKER}
    given = {**environment, "PYTHONPATH": str(Path.cwd())}
    _lab("enqueue", jobs, without_broker)
    subprocess.run([sys.executable, "-m", "benchmarks.bare_celery", "announce"], env=given, check=True)
    program = [sys.executable, "-m", "celery", "-A", "benchmarks.bare_celery", "worker"]
    with _process([*program, "-P", "threads", "-c", "16", "-l", "error"], given):
        rate = float(_lab("watch", jobs, without_broker))
    yield Figure(database, "jobs, bare Celery task with the same claim", rate, "1/s", "")


def webhooks_a_second(database: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Figure]:
    """Deliver events to ten endpoints on this machine."""
    log = folder / "sink"
    log.touch()
    with _sink(log) as url:
        environment = {
            **environment,
            "LAB_SINK": url,
            "LAB_SINK_LOG": str(log),
            "PORTICO_OUTBOUND__ALLOW_LOOPBACK": "true",
        }
        rate = float(_lab("webhooks", 3000, environment))
    yield Figure(database, "webhooks delivered", rate, "1/s", "")


def _lab(what: str, amount: int, environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "benchmarks.lab", what, str(amount)]
    done = subprocess.run(
        command,
        env={**environment, "PORTICO_LOGGING__LEVEL": "error", "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )
    return done.stdout.decode()


@contextmanager
def _worker(environment: Mapping[str, str]) -> Iterator[None]:
    """Run `portico worker` where a broker is set; without one the lab works by itself."""
    if BROKER not in environment:
        yield
        return
    command = [str(Path(sys.executable).parent / "portico"), "worker"]
    given = {
        **environment,
        "PORTICO_FEATURES": '["benchmarks.lab:lab_feature"]',
        "PYTHONPATH": str(Path.cwd()),
        "PORTICO_LOGGING__LEVEL": "error",
    }
    with _process(command, given):
        yield


@contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=40)


@contextmanager
def _sink(log: Path) -> Iterator[str]:
    """Answer every POST with 204 and write a byte into `log` for each."""

    class Sink(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with log.open("ab") as file:
                file.write(b".")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
