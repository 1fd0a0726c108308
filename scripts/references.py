"""Writes what the documentation repeats from the code; `--check` tells whether any of it is stale (exit status 1).

    python scripts/references.py            writes docs/reference/* and .env.example
    python scripts/references.py --check    changes nothing

The output depends on the code alone: not on the environment, `.env`, the clock, or the version of Python. What each
page says is in `scripts/reference/`.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


@contextlib.contextmanager
def nowhere() -> Iterator[None]:
    """Forget the settings of this machine."""
    kept, folder = dict(os.environ), Path.cwd()
    for name in [name for name in os.environ if name.upper().startswith("PORTICO_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        try:
            yield
        finally:
            os.chdir(folder)
            os.environ.update(kept)


def written() -> dict[str, str]:
    """Return every document, by its path in the repository."""
    with nowhere():
        from scripts.reference import commands, http, settings, vocabulary

        return {
            ".env.example": settings.env_example(),
            "docs/reference/settings.md": settings.settings_page(),
            "docs/reference/cli.md": commands.cli_page(),
            "docs/reference/routes.md": http.routes_page(),
            "docs/reference/permissions.md": http.permissions_page(),
            "docs/reference/errors.md": vocabulary.errors_page(),
            "docs/reference/events.md": vocabulary.events_page(),
            "docs/reference/openapi.json": http.openapi_document(),
        }


def stale(documents: Mapping[str, str], root: Path) -> list[str]:
    """Return the paths whose file below `root` says something else."""
    return [
        path
        for path, text in documents.items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing, exit with 1 if something is stale"
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="where the files are (default: this repository)"
    )
    options = parser.parse_args(arguments)
    documents = written()
    behind = stale(documents, options.root)
    for path in behind:
        if options.check:
            print(f"{path} is stale: run `python scripts/references.py`", file=sys.stderr)
            continue
        (options.root / path).parent.mkdir(parents=True, exist_ok=True)
        (options.root / path).write_text(documents[path], encoding="utf-8")
        print(f"wrote {path}")
    return 1 if behind and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
