"""Writes `src/portico/credentials/data/breached_passwords.bin` from lists that free packages bring along.

    python scripts/build_breached_passwords.py \
        --zxcvbn zxcvbn-4.5.0-py2.py3-none-any.whl \
        --zxcvbn-ts zxcvbn-ts-language-common-4.1.3.tgz \
        --django django-5.2.19-py3-none-any.whl

The packages are fetched by hand (`pip download --no-deps zxcvbn django`, `npm pack @zxcvbn-ts/language-common`), so
that nothing here needs a network; the same files give the same bytes. Sources and licences stand in the decision
record on breached passwords.
"""

import argparse
import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

from portico.credentials.breached import prefix_of

TARGET = Path(__file__).parent.parent / "src/portico/credentials/data/breached_passwords.bin"


def from_zxcvbn(wheel: Path) -> set[str]:
    """Return the password list of the Python port of zxcvbn (MIT)."""
    source = zipfile.ZipFile(wheel).read("zxcvbn/frequency_lists.py").decode()
    scope: dict[str, dict[str, list[str]]] = {}
    exec(compile(source, str(wheel), "exec"), scope)  # noqa: S102 - a data file written as Python
    return set(scope["FREQUENCY_LISTS"]["passwords"])


def from_zxcvbn_ts(archive: Path) -> set[str]:
    """Return the password list of zxcvbn-ts (MIT)."""
    with tarfile.open(archive) as package:
        member = package.extractfile("package/src/passwords.json")
        return set(json.load(member)) if member else set()


def from_django(wheel: Path) -> set[str]:
    """Return the list of Django's CommonPasswordValidator (BSD-3-Clause), made by Royce Williams."""
    packed = zipfile.ZipFile(wheel).read("django/contrib/auth/common-passwords.txt.gz")
    with gzip.open(io.BytesIO(packed), "rt", encoding="utf-8") as lines:
        return {line.strip() for line in lines}


def main() -> None:
    """Read the lists, write the file, say how many entries it has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("zxcvbn", "zxcvbn-ts", "django"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    passwords = from_zxcvbn(given.zxcvbn) | from_zxcvbn_ts(given.zxcvbn_ts) | from_django(given.django)
    prefixes = sorted({prefix_of(password) for password in passwords - {""}})
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(b"".join(prefixes))
    print(f"{len(prefixes)} passwords, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
