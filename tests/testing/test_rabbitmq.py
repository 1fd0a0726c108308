"""The test kit's RabbitMQ: from Debian's packages, nobody's, and gone afterwards."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.connection import Connection

from portico.testing import services
from portico.testing.services import packages

pytestmark = pytest.mark.amqp


@pytest.fixture(scope="module")
def rabbit() -> Iterator[services.Rabbit]:
    try:
        server = services.Rabbit()
    except services.ServiceMissing as error:
        pytest.skip(str(error))
    with server:
        yield server


def send(url: str, queue_name: str) -> None:
    confirmed = {"confirm_publish": True}
    with (
        Connection(url, connect_timeout=5, transport_options=confirmed) as connection,
        connection.SimpleQueue(queue_name) as queue,
    ):
        queue.put("a message")


def receive(url: str, queue_name: str) -> object:
    with Connection(url, connect_timeout=5) as connection, connection.SimpleQueue(queue_name) as queue:
        message = queue.get(timeout=5)
        message.ack()
        return message.payload


def programs_in(folder: Path) -> list[Path]:
    """The processes that work inside the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(process)
        except OSError:
            continue
    return found


def test_message_goes_there_and_back(rabbit: services.Rabbit) -> None:
    send(rabbit.url, "trip")

    assert receive(rabbit.url, "trip") == "a message"


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_it_runs_as_nobody_when_we_are_root(rabbit: services.Rabbit) -> None:
    owners = {process.stat().st_uid for process in programs_in(rabbit.path)}

    assert owners == {65534}


def test_crashed_one_keeps_its_queues_and_address(rabbit: services.Rabbit) -> None:
    url = rabbit.url
    send(url, "kept")

    rabbit.kill()
    rabbit.start()

    assert rabbit.url == url
    assert receive(url, "kept") == "a message"


def test_closed_one_leaves_neither_processes_nor_files() -> None:
    with services.Rabbit() as server:
        folder = server.path
        assert programs_in(folder)

    assert programs_in(folder) == []
    assert not folder.exists()


def test_machine_without_apt_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(services.ServiceMissing, match="no apt"):
        packages._download(tmp_path / "rabbitmq")


def test_machine_without_network_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    (tmp_path / "apt.conf").write_text('Dir::Etc "/nowhere"; Dir::State::lists "/nowhere";')

    with pytest.raises(services.ServiceMissing, match="cannot be downloaded"):
        packages._download(tmp_path / "rabbitmq")
    assert not (tmp_path / "rabbitmq").exists()


def test_address_from_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_TEST_AMQP_URL", "amqp://elsewhere:4//")

    assert services.amqp_url() == "amqp://elsewhere:4//"
