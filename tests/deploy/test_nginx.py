"""The nginx file that we ship: nginx accepts it, and it says what the guide and Portico's own limits say."""

import re
import subprocess
from pathlib import Path

import pytest

from portico.core.settings import Environment, Settings
from portico.http.server import server_options
from tests.deploy import nginx

TEXT = nginx.SHIPPED.read_text(encoding="utf-8")


def seconds(name: str) -> float:
    """Return what the file sets, in seconds."""
    found = re.search(rf"^\s*{name} (\d+)s;", TEXT, re.MULTILINE)
    assert found is not None, name
    return float(found.group(1))


def test_idle_connections_go_before_portico_closes_them() -> None:
    settings = Settings(environment=Environment.STAGING)

    assert seconds("keepalive_timeout") < settings.drain.total_seconds()
    assert seconds("keepalive_timeout") < server_options(settings)["timeout_keep_alive"]


def test_nginx_is_as_patient_and_takes_as_much_as_portico() -> None:
    http = Settings().http

    assert seconds("proxy_read_timeout") > http.request_timeout.total_seconds()
    assert f"client_max_body_size {http.max_body_bytes // 1_048_576}m;" in TEXT
    assert f"large_client_header_buffers 4 {http.max_header_bytes // 1024}k;" in TEXT


@pytest.mark.bar("P29")
def test_nothing_that_may_have_been_done_is_repeated() -> None:
    rules = re.findall(r"^\s*proxy_next_upstream ([^;]+);", TEXT, re.MULTILINE)

    assert rules == ["error timeout"]
    assert TEXT.count("max_fails=0;") == TEXT.count("    server 10.")


def test_nginx_accepts_the_file(tmp_path: Path) -> None:
    program = nginx.installed_nginx()
    if program is None:
        pytest.skip("nginx is not here: make test-nginx downloads it")
    subject = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem"), "-subj", "/CN=id.example.com"]
    subprocess.run([*subject, *files], check=True, capture_output=True)
    text = TEXT.replace("/etc/ssl/id.example.com.pem", str(tmp_path / "pem"))
    text = text.replace("/etc/ssl/id.example.com.key", str(tmp_path / "key"))
    for port in ("80", "443"):  # which are not ours to take
        text = text.replace(f"listen {port}", f"listen unix:{tmp_path}/{port}")

    assert nginx.accepts(program, tmp_path / "nginx", text) == ""
