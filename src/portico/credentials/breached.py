"""The offline list of breached passwords: eight bytes of SHA-1 for each, sorted, searched in place.

The file lies in the wheel (`data/breached_passwords.bin`, written by `scripts/build_breached_passwords.py`). Eight
bytes are enough: with 56,000 entries a password that is not on the list is taken for one with a chance of 3 in 10^15.
SHA-1 is the form in which breached passwords are published; nothing is protected by it.
"""

import hashlib
import mmap
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import as_file, files

PREFIX_BYTES = 8


class _Prefixes(Sequence[bytes]):
    """The file as a sorted sequence, without reading it into memory."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data) // PREFIX_BYTES

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]  # slices are not needed
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * PREFIX_BYTES
        return self._data[start : start + PREFIX_BYTES]


def is_breached(password: str) -> bool:
    """Tell whether the password, as typed or in small letters, is on the list."""
    return any(_holds(candidate) for candidate in {password, password.lower()})


def count_breached() -> int:
    """Return how many passwords are on the list."""
    return len(_list())


def prefix_of(password: str) -> bytes:
    """Return what the list holds for a password."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).digest()[:PREFIX_BYTES]


def _holds(password: str) -> bool:
    known, wanted = _list(), prefix_of(password)
    index = bisect_left(known, wanted)
    return index < len(known) and known[index] == wanted


@lru_cache(maxsize=1)
def _list() -> _Prefixes:
    with (
        as_file(files("portico.credentials") / "data" / "breached_passwords.bin") as path,
        path.open("rb") as file,
    ):
        return _Prefixes(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
