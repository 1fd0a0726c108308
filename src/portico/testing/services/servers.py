"""The servers: how each is prepared, started, asked whether it is ready, stopped and disturbed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from portico.testing.services import binaries, packages
from portico.testing.services.errors import ServiceError
from portico.testing.services.processes import Server, free_port, nobody_if_root

type StopMode = Literal["smart", "fast", "immediate"]


class Postgres(Server):
    """PostgreSQL 18 with trusting authentication, the C locale and no ICU, over TCP on loopback only.

    Unless durable, it does not wait for the disk, and lies in memory where that is large enough: fast, but no place
    to time a commit or to test a crash.
    """

    kind = "postgres"
    stop_signal = signal.SIGQUIT  # the data is thrown away afterwards, so at once
    stop_modes: ClassVar[dict[StopMode, signal.Signals]] = {
        "smart": signal.SIGTERM,
        "fast": signal.SIGINT,
        "immediate": signal.SIGQUIT,
    }
    volatile: ClassVar[dict[str, str]] = {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_wal_size": "256MB",
        # A new database is a copy, which the kernel may make by itself.
        **({"file_copy_method": "clone"} if sys.platform == "linux" else {}),
    }

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.user = nobody_if_root()
        self.waits_for_disk = durable
        self.settings = {
            "max_connections": "200",
            "unix_socket_directories": "",  # their paths are limited to 107 bytes
            **({} if durable else self.volatile),
            **(settings or {}),
        }

    @property
    def url(self) -> str:
        """The maintenance database, as its superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def prepare(self, path: Path) -> None:
        """Make an empty cluster.

        Raises:
            ServiceError: initdb fails.
        """
        initdb = str(binaries.postgres_folder() / "initdb")
        options = ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            [initdb, "-D", str(path), "-U", "postgres", *options],
            cwd=path,
            env=self.environment(path),
            user=self.user and self.user.uid,
            group=self.user and self.user.gid,
            extra_groups=self.user and [],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            msg = f"initdb fails:\n{made.stdout}{made.stderr}"
            raise ServiceError(msg)

    def command(self, path: Path) -> list[str]:
        """Return the postmaster's command line."""
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        program = str(binaries.postgres_folder() / "postgres")
        return [program, "-D", str(path), "-h", "127.0.0.1", "-p", str(self.port), *options]

    def is_ready(self) -> bool:
        """Read the state that the postmaster keeps in its pid file, as pg_ctl does."""
        try:
            lines = (self.path / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server; its data and port stay for the next `start`, which after "immediate" recovers."""
        self._end(self.stop_modes[mode])

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server and start it again on the same port."""
        self.stop(mode)
        self.start()


class Valkey(Server):
    """Valkey, the free Redis, with nothing written to disk: a stopped one forgets everything."""

    kind = "valkey"

    @property
    def url(self) -> str:
        """The first of its 64 numbered databases."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, path: Path) -> list[str]:
        """Return the server's command line."""
        program = str(binaries.valkey_server())
        options = ["--save", "", "--appendonly", "no", "--databases", "64"]
        return [program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(path), *options]

    def is_ready(self) -> bool:
        """Ask for a PONG."""
        return _answers(self.port, b"PING\r\n", b"+PONG")

    def stop(self) -> None:
        """Stop the server; `start` brings it back empty, on the same port."""
        self._end(self.stop_signal)

    def pause(self) -> None:
        """Freeze the process: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)


class Nats(Server):
    """NATS with JetStream."""

    kind = "nats"

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"nats://127.0.0.1:{self.port}"

    def command(self, path: Path) -> list[str]:
        """Return the server's command line."""
        return [str(binaries.nats_server()), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(path)]

    def is_ready(self) -> bool:
        """Wait for the greeting."""
        return _answers(self.port, b"", b"INFO ")

    def stop(self) -> None:
        """Stop the server; its streams stay for the next `start`, on the same port."""
        self._end(self.stop_signal)


class Rabbit(Server):
    """RabbitMQ from Debian's packages, a node of its own with an epmd of its own, on loopback only."""

    kind = "rabbitmq"
    stop_signal = signal.SIGKILL  # the data is thrown away afterwards, so at once

    def __init__(self) -> None:
        super().__init__()
        self.user = nobody_if_root()
        self._programs = packages.rabbitmq_programs()
        self._node_port = self._epmd_port = 0

    @property
    def url(self) -> str:
        """The default virtual host, as the guest that RabbitMQ lets in from loopback."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self, path: Path) -> list[str]:
        """Return the server's command line."""
        return [str(self._programs.scripts / "rabbitmq-server")]

    def companion(self) -> list[str]:
        """Run epmd ourselves: Erlang would leave behind one that never ends."""
        return [str(self._programs.erlang / "bin/epmd"), "-port", str(self._epmd_port)]

    def environment(self, data: Path) -> dict[str, str]:
        """Return the variables that tell RabbitMQ to stay inside the data folder and off the standard ports."""
        folders_inside = ("MNESIA_BASE", "LOG_BASE", "SCHEMA_DIR", "GENERATED_CONFIG_DIR")
        files_inside = ("ENABLED_PLUGINS_FILE", "CONFIG_FILE", "ADVANCED_CONFIG_FILE", "FEATURE_FLAGS_FILE")
        inside = {f"RABBITMQ_{name}": str(data / name.lower()) for name in (*folders_inside, *files_inside)}
        system = super().environment(data)
        return system | inside | {
            "PATH": f"{self._programs.erlang / 'bin'}:{system['PATH']}",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_HOME": str(self._programs.scripts.parent),
            "RABBITMQ_CONF_ENV_FILE": str(data / "none"),
            "RABBITMQ_NODENAME": f"portico{self._epmd_port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_LOGS": "-",
            # The script becomes Erlang instead of waiting for it: signals are for Erlang, to freeze it too.
            "RUNNING_UNDER_SYSTEMD": "true",
        }  # fmt: skip

    def start(self) -> None:
        """Start the server, and its epmd before it; the node keeps its name and so its data."""
        self._node_port = self._node_port or free_port()
        self._epmd_port = self._epmd_port or free_port()
        super().start()

    def is_ready(self) -> bool:
        """Wait for the first frame of the protocol."""
        return _answers(self.port, b"AMQP\x00\x00\x09\x01", b"\x01")

    def stop(self) -> None:
        """Stop the server politely; its durable queues stay for the next `start`, on the same port."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Crash the server; what it has confirmed stays for the next `start`."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the process: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def control(self, *words: str) -> str:
        """Give the node an order, as `rabbitmqctl` does: `control("set_vm_memory_high_watermark", "0")`.

        Raises:
            ServiceError: it is refused.
        """
        data = self.path / "data"
        program = str(self._programs.scripts / "rabbitmqctl")
        answer = subprocess.run(
            [program, *words],
            cwd=data,
            env=self.environment(data) | {"LC_ALL": "C.UTF-8"},
            user=self.user and self.user.uid,
            group=self.user and self.user.gid,
            extra_groups=self.user and [],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            msg = f"rabbitmqctl {' '.join(words)} fails:\n{answer.stdout}{answer.stderr}"
            raise ServiceError(msg)
        return answer.stdout


def _answers(port: int, question: bytes, answer: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(question)
            return connection.recv(64).startswith(answer)
    except OSError:
        return False
