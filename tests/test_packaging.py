"""What the wheel holds: everything that runs, nothing that only tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_wheel_holds_every_file_of_the_package(names: set[str]) -> None:
    source = ROOT / "src"
    files = {str(path.relative_to(source)) for path in (source / "portico").rglob("*") if path.is_file()}

    # Templates, static files, catalogues, `py.typed`: whatever is not a by-product of running.
    assert {name for name in files if "__pycache__" not in name} - names == set()


def test_wheel_says_that_it_is_typed(names: set[str]) -> None:
    assert "portico/py.typed" in names


@pytest.mark.bar("ASVS-15.2.3")
def test_wheel_holds_no_test(names: set[str]) -> None:
    parts = {part for name in names for part in Path(name).parts}

    assert {Path(name).parts[0] for name in names} == {"portico"}
    assert not {
        part for part in parts if part in {"tests", "benchmarks", "conftest.py"} or part.startswith("test_")
    }


@pytest.mark.bar("ASVS-13.4.1")
def test_wheel_holds_nothing_hidden(names: set[str]) -> None:
    assert not {name for name in names if any(part.startswith(".") for part in Path(name).parts)}
