"""RabbitMQ's programs, taken from Debian's packages without installing them, without root and without Docker.

No wheel carries RabbitMQ. Where apt is (Debian, Ubuntu), its packages and Erlang's are downloaded once, 34 MB, and
unpacked into our own folder; a RabbitMQ that is installed already is used as it is.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from portico.testing.services import folders
from portico.testing.services.errors import ServiceError, ServiceMissing

WANTED = re.compile(r"erlang-[a-z0-9-]+|rabbitmq-server|libsctp1|socat")
"""What RabbitMQ depends on and no system has anyway; the alternatives with a graphical or whole Erlang are not."""
UNWANTED = re.compile(r"nox|esl|x11")
NO_EXTRAS = (
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
    "--no-enhances",
)
SECONDS_TO_DOWNLOAD = 300


@dataclass(frozen=True, slots=True)
class RabbitPrograms:
    """Where RabbitMQ and its Erlang lie: `scripts` holds `rabbitmq-server`, `erlang` is Erlang's root."""

    scripts: Path
    erlang: Path


@cache
def rabbitmq_programs() -> RabbitPrograms:
    """Return RabbitMQ's programs, downloaded and unpacked on first use.

    Raises:
        ServiceMissing: RabbitMQ is not installed, and cannot be downloaded.
    """
    if installed := _programs_below(Path("/")):
        return installed
    unpacked = folders.root() / "rabbitmq"
    with folders.only_one("rabbitmq"):
        found = _programs_below(unpacked)
        if found is None:
            _download(unpacked)
            found = _programs_below(unpacked)
    if found is None:
        msg = f"Debian's packages hold no RabbitMQ where we look for it, below {unpacked}"
        raise ServiceError(msg)
    return found


def _programs_below(root: Path) -> RabbitPrograms | None:
    erlang = root / "usr/lib/erlang"
    servers = sorted(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
    return RabbitPrograms(servers[-1].parent, erlang) if servers and erlang.is_dir() else None


def _download(target: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ServiceMissing("RabbitMQ is not installed, and there is no apt to download it with")
    shutil.rmtree(target, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix="rabbitmq-", dir=folders.root()))
    try:
        tree = temporary / "tree"
        for package in _fetch(temporary):
            _run(temporary, "dpkg-deb", "-x", str(package), str(tree))
        for folder in (tree, *(path for path in tree.rglob("*") if path.is_dir() and not path.is_symlink())):
            folder.chmod(0o755)  # whatever our umask is, nobody has to get in
        _move_erlang(tree, target)
        tree.rename(target)  # at one stroke: a killed run leaves no half of it
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move_erlang(tree: Path, target: Path) -> None:
    """Tell Erlang's start scripts where it will lie; in Debian's they know one place only."""
    for script in (tree / "usr/lib/erlang").glob("**/bin/erl"):
        text = script.read_text()
        script.write_text(text.replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={target}/usr/lib/erlang"))


def _fetch(folder: Path) -> list[Path]:
    """Download the packages into the folder: by package lists of our own, or else by those of the machine."""
    own = _own_lists(folder)
    reasons = []
    for options in (own, []):
        if options:
            _ask(
                folder, "apt-get", "update", "-qq", *options
            )  # a source of the machine's may be away: no matter
        names = _names(folder, options)
        answer = _ask(folder, "apt-get", "download", "-qq", *options, *names)
        if names and answer.returncode == 0:
            return sorted(folder.glob("*.deb"))
        reasons.append(answer.stderr.strip() or "apt knows no package rabbitmq-server")
    raise ServiceMissing(f"RabbitMQ cannot be downloaded: {reasons[0].splitlines()[-1]}")


def _own_lists(folder: Path) -> list[str]:
    """Return the options that keep apt's lists and cache in our folder, so that it needs no root and no fresh lists."""
    state, cached = folder / "state", folder / "cache"
    for path in (state / "lists/partial", cached / "archives/partial"):
        path.mkdir(parents=True)
    return ["-o", f"Dir::State={state}", "-o", f"Dir::Cache={cached}", "-o", "APT::Sandbox::User="]


def _names(folder: Path, options: list[str]) -> list[str]:
    answer = _ask(folder, "apt-cache", *options, "depends", "--recurse", *NO_EXTRAS, "rabbitmq-server")
    names = {line for line in answer.stdout.splitlines() if WANTED.fullmatch(line)}
    return sorted(name for name in names if not UNWANTED.search(name))


def _run(folder: Path, *command: str) -> None:
    answer = _ask(folder, *command)
    if answer.returncode != 0:
        msg = f"{' '.join(command)} fails:\n{answer.stderr}"
        raise ServiceError(msg)


def _ask(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS_TO_DOWNLOAD
    )
