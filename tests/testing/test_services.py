"""The test kit's servers are real, shared, and gone afterwards."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from portico.testing import services
from portico.testing.services import folders
from portico.testing.services.processes import wait_until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def query(url: str, statement: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def say(url: str, line: bytes) -> bytes:
    address = (urlsplit(url).hostname, urlsplit(url).port)
    with closing(socket.create_connection(address, timeout=1)) as connection:
        connection.sendall(line)
        return connection.recv(64)


@contextmanager
def another_process(session: str) -> Iterator[tuple[subprocess.Popen[str], str, int, Path]]:
    """Another test run that uses a PostgreSQL: the process, its URL, the server's number and its folder."""
    program = """
import sys
from portico.testing import services
from portico.testing.services import sharing
server = sharing.shared(services.Postgres)
print(services.postgres_url(), server.pid, server.path, flush=True)
sys.stdin.read()
"""
    environment = {**os.environ, "PORTICO_TEST_SESSION": session}
    environment.pop("PORTICO_TEST_POSTGRES_URL", None)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            url, pid, path = process.stdout.readline().split()
            yield process, url, int(pid), Path(path)
        finally:
            process.kill()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_postgres_is_the_real_one() -> None:
    assert str(query(services.postgres_url(), "SHOW server_version")).startswith("18.")


def test_valkey_answers_on_the_database_asked_for() -> None:
    assert services.redis_url(3).endswith("/3")
    assert say(services.redis_url(), b"SELECT 63\r\n") == b"+OK\r\n"


def test_nats_offers_jetstream() -> None:
    assert b'"server_id"' in say(services.nats_url(), b"")


@linux_only
@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_postgres_runs_as_nobody_when_we_are_root() -> None:
    with services.Postgres() as server:
        owner = Path(f"/proc/{server.pid}").stat().st_uid

        assert owner == 65534


def test_databases_are_copied_from_a_template_and_dropped() -> None:
    template, copy = f"template_{os.getpid()}", f"copy_{os.getpid()}"
    url = services.create_database(template)
    query(url, "CREATE TABLE things (id int)")

    copied = services.create_database(copy, template=template)

    assert query(copied, "SELECT count(*) FROM things") == 0
    for name in (template, copy):
        services.drop_database(name)
    assert query(services.postgres_url(), f"SELECT count(*) FROM pg_database WHERE datname = '{copy}'") == 0


def test_database_is_created_inside_a_running_loop() -> None:
    name = f"inside_{os.getpid()}"

    async def create() -> str:
        return services.create_database(name)

    url = asyncio.run(create())

    assert query(url, "SELECT current_database()") == name
    services.drop_database(name)


def test_processes_of_a_session_share_one_server() -> None:
    with another_process("shared") as first, another_process("shared") as second:
        assert second[1:] == first[1:]


def test_server_outlives_the_process_that_started_it_while_others_use_it() -> None:
    with another_process("handed-on") as (starter, url, pid, _), another_process("handed-on") as (other, *_):
        starter.kill()
        starter.wait()

        assert query(url, "SELECT 1") == 1
        other.kill()
        other.wait()
        assert wait_until(lambda: not is_running(pid), 20)


@linux_only
@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_the_whole_run_is_ended(how: signal.Signals) -> None:
    with another_process(f"ended-{how.name}") as (process, _, pid, path):
        os.killpg(process.pid, how)
        process.wait()

        assert wait_until(lambda: not is_running(pid), 20)
        assert wait_until(lambda: not path.exists(), 20)


@linux_only
def test_process_that_ends_last_waits_for_the_server() -> None:
    with another_process("clean") as (process, _, pid, path):
        process.communicate()

        assert not is_running(pid)
        assert not path.exists()


@linux_only
def test_next_run_removes_what_is_left_when_the_keeper_is_killed_too() -> None:
    with another_process("stale") as (process, _, pid, path):
        os.kill(parent_of(pid), signal.SIGKILL)
        process.kill()
        process.wait()
    assert wait_until(lambda: not is_running(pid), 20)
    assert path.exists()

    folders.Folder.create(f"empty-{os.getpid()}", path.parent.parent).remove()

    assert not path.exists()


@linux_only
def test_server_that_lost_its_keeper_is_replaced() -> None:
    with another_process("replaced") as (first, _, pid, _):
        os.kill(parent_of(pid), signal.SIGKILL)
        first.kill()
        first.wait()

        with another_process("replaced") as (_, url, second, _):
            assert second != pid
            assert query(url, "SELECT 1") == 1


def test_addresses_from_the_environment_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_TEST_POSTGRES_URL", "postgresql://elsewhere:1/postgres")
    monkeypatch.setenv("PORTICO_TEST_REDIS_URL", "redis://elsewhere:2/0")
    monkeypatch.setenv("PORTICO_TEST_NATS_URL", "nats://elsewhere:3")

    assert services.postgres_url() == "postgresql://elsewhere:1/postgres"
    assert services.redis_url(5) == "redis://elsewhere:2/5"
    assert services.nats_url() == "nats://elsewhere:3"


def test_databases_are_made_in_the_server_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with services.Postgres() as elsewhere:
        monkeypatch.setenv("PORTICO_TEST_POSTGRES_URL", elsewhere.url.replace("sql:", "sql+asyncpg:"))

        url = services.create_database("there")

        assert urlsplit(url).port == elsewhere.port
        assert query(url, "SELECT current_database()") == "there"


def test_durable_postgres_waits_for_the_disk() -> None:
    with services.durable_postgres({"max_connections": "20"}) as server:
        names = ("fsync", "synchronous_commit", "full_page_writes", "max_connections")
        settings = [query(server.url, f"SHOW {name}") for name in names]

        assert settings == ["on", "on", "on", "20"]
        assert server.path.is_relative_to(folders.root())


def test_postgres_that_does_not_wait_lies_in_memory_where_that_is_large_enough() -> None:
    with services.Postgres() as server:
        assert server.path.is_relative_to(folders.memory())


@pytest.mark.parametrize(("needed_bytes", "is_taken"), [(2**80, False), (2**20, True)])
def test_memory_that_is_too_small_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, needed_bytes: int, is_taken: bool
) -> None:
    monkeypatch.setattr(folders, "MEMORY", tmp_path)
    monkeypatch.setattr(folders, "MEMORY_BYTES", needed_bytes)

    assert folders.memory.__wrapped__().is_relative_to(tmp_path) is is_taken


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_restarted_postgres_keeps_its_data_and_address(mode: services.StopMode) -> None:
    with services.durable_postgres() as server:
        url, pid = server.url, server.pid
        query(url, "CREATE TABLE kept (id int)")

        server.restart(mode)

        assert server.url == url
        assert server.pid != pid
        assert query(url, "SELECT count(*) FROM kept") == 0


def test_postgres_comes_back_after_kill_9() -> None:
    with services.durable_postgres() as server:
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until(lambda: not server.is_running(), 20)

        server.start()

        assert query(server.url, "SELECT 1") == 1


def test_valkey_stops_and_comes_back() -> None:
    with services.Valkey() as server:
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            say(server.url, b"PING\r\n")

        server.start()

        assert say(server.url, b"PING\r\n") == b"+PONG\r\n"


def test_paused_valkey_takes_connections_and_answers_nothing() -> None:
    with services.Valkey() as server:
        server.pause()
        with pytest.raises(TimeoutError):
            say(server.url, b"PING\r\n")

        server.resume()

        assert say(server.url, b"PING\r\n") == b"+PONG\r\n"


def test_closed_server_leaves_no_files_even_when_paused() -> None:
    with services.Valkey() as server:
        path, pid = server.path, server.pid
        server.pause()

    assert not path.exists()
    assert not is_running(pid)


def test_server_that_cannot_start_shows_its_log() -> None:
    server = services.Postgres(settings={"no_such_setting": "1"})

    with pytest.raises(services.ServiceError, match="no_such_setting"), server:
        pass
