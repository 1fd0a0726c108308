"""A real nginx for tests: the one that is installed, or Debian's package, unpacked without installing it."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from portico.testing.services import folders

SHIPPED = Path(__file__).resolve().parents[2] / "deploy/nginx/portico.conf"
PACKAGES = ("nginx", "nginx-common")
SECONDS = 120
AROUND = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/portico.conf;
}}
"""


def installed_nginx() -> Path | None:
    """Return nginx's program if it is on this machine, or was unpacked by an earlier run."""
    unpacked = folders.root() / "nginx/usr/sbin/nginx"
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is not None:
        return Path(found)
    return unpacked if unpacked.exists() else None


def nginx_program() -> Path | None:
    """Return nginx's program, downloaded where apt is; None if it cannot be had."""
    with folders.only_one("nginx"):
        if installed_nginx() is None and shutil.which("apt-get") and shutil.which("dpkg-deb"):
            _download(folders.root() / "nginx")
    return installed_nginx()


def _download(target: Path) -> None:
    folder = target.with_name("nginx-download")
    shutil.rmtree(folder, ignore_errors=True)
    for path in ("state/lists/partial", "cache/archives/partial"):
        (folder / path).mkdir(parents=True)
    own = [
        "-o",
        f"Dir::State={folder}/state",
        "-o",
        f"Dir::Cache={folder}/cache",
        "-o",
        "APT::Sandbox::User=",
    ]
    for options in ([], own):  # the machine's lists may be missing or old
        if options:
            _run(folder, "apt-get", "update", "-qq", *options)
        if _run(folder, "apt-get", "download", "-qq", *options, *PACKAGES):
            break
    for package in folder.glob("*.deb"):
        _run(folder, "dpkg-deb", "-x", str(package), str(folder / "tree"))
    if (folder / "tree").exists():
        (folder / "tree").rename(target)
    shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, *command: str) -> bool:
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=SECONDS)
    return run.returncode == 0


def for_test(port: int, nodes: Sequence[int], *, kept_seconds: float | None = None) -> str:
    """Return the shipped file with addresses of this machine, without TLS; `kept_seconds` 0 keeps no connection."""
    text = SHIPPED.read_text(encoding="utf-8")
    plain = text[: text.index("server {\n    listen 80;")] + text[text.index("server {\n    listen 443") :]
    plain = re.sub(r"\n    ssl_[^\n]+", "", plain).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    for number, node in enumerate(nodes, start=11):
        plain = plain.replace(f"10.0.0.{number}:8000", f"127.0.0.1:{node}")
    if kept_seconds == 0:
        return re.sub(r"\n    keepalive(_timeout)? [^\n]+", "", plain)
    if kept_seconds is not None:
        plain = plain.replace("keepalive_timeout 5s", f"keepalive_timeout {round(kept_seconds * 1000)}ms")
    return plain


@contextmanager
def running(program: Path, folder: Path, configuration: str) -> Iterator[None]:
    """Run nginx with `configuration` inside its `http` block."""
    prepare(folder, configuration)
    command = [str(program), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with (folder / "nginx.out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    deadline = time.monotonic() + 10
    while not (folder / "nginx.pid").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        assert process.poll() is None, (folder / "nginx.out").read_text()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def prepare(folder: Path, configuration: str) -> None:
    """Write the files."""
    folder.mkdir(exist_ok=True)
    (folder / "portico.conf").write_text(configuration, encoding="utf-8")
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder), encoding="utf-8")


def accepts(program: Path, folder: Path, configuration: str) -> str:
    """Return what `nginx -t` has to say; empty if it accepts the configuration without a word of warning."""
    prepare(folder, configuration)
    command = [str(program), "-t", "-q", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stderr.strip()
