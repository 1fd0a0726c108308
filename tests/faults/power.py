"""A disk that forgets: what SQLite writes is noted, so that a power failure can be played at every moment of it.

Between SQLite and the system stands a VFS of ours (https://www.sqlite.org/vfs.html), made the default one of this
process by way of the very library that Python's `sqlite3` uses. It hands everything on and keeps a log of writes,
truncations and syncs. Of what was written since a file's last sync, a power failure leaves any part: each write whole,
in part, or not at all, in any order.
"""

import ctypes
import ctypes.util
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTOR = 512
SYNC_THEIR_FOLDER = ("-wal", "-journal")
"""Files with whose first sync SQLite also syncs the folder that they are in."""
SQLITE_OK = 0
_CLOSE, _READ, _WRITE, _TRUNCATE, _SYNC = 1, 2, 3, 4, 5
"""Places in `sqlite3_io_methods`, counted in pointers; the first is the version."""
_METHODS = 19
"""How many pointers version 3 of it has."""
_FILE = ctypes.c_void_p
_WriteCall = ctypes.CFUNCTYPE(ctypes.c_int, _FILE, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TruncateCall = ctypes.CFUNCTYPE(ctypes.c_int, _FILE, ctypes.c_int64)
_SyncCall = ctypes.CFUNCTYPE(ctypes.c_int, _FILE, ctypes.c_int)
_DeleteCall = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_OpenCall = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, _FILE, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
)  # the name as an address: SQLite keeps it for the life of the file, and reads what stands behind it
_Methods = ctypes.c_void_p * _METHODS


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`, as far as it is looked at; the rest is copied as it is."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("application_data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 13),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes written to a file."""

    path: str
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Truncated:
    """A file cut to a length."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A file whose content is on the disk."""

    path: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A file that is gone, for sure if the folder was synced, too."""

    path: str
    is_sure: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """That a commit was told to somebody."""

    what: Any


type Moment = Written | Truncated | Synced | Deleted | Acknowledged


@dataclass(slots=True)
class Disk:
    """What happened, in order."""

    moments: list[Moment] = field(default_factory=list)

    def acknowledge(self, what: Any) -> None:
        """Note that somebody was told."""
        self.moments.append(Acknowledged(what))

    def acknowledged_before(self, moment: int) -> list[Any]:
        """Return what was told before a moment."""
        return [each.what for each in self.moments[:moment] if isinstance(each, Acknowledged)]

    def survivors(self, moment: int, chance: random.Random) -> dict[str, bytearray]:
        """Return the files as a power failure at that moment may leave them."""
        files: dict[str, _File] = {}
        ghosts: dict[str, _File] = {}
        for each in self.moments[:moment]:
            if isinstance(each, Acknowledged):
                continue
            if isinstance(each, Deleted):
                gone = files.pop(each.path, _File())
                if not each.is_sure:
                    ghosts[each.path] = gone
            elif isinstance(each, Synced):
                file = files.setdefault(each.path, _File())
                if file.is_new and each.path.endswith(SYNC_THEIR_FOLDER):
                    ghosts.clear()
                file.sync()
            else:
                files.setdefault(each.path, _File()).unsafe.append(each)
        files |= {path: ghost for path, ghost in ghosts.items() if chance.random() < 0.5}
        return {path: file.survivor(chance) for path, file in files.items()}


@dataclass(slots=True)
class _File:
    """What is on the disk of a file, and what is on its way there."""

    safe: bytearray = field(default_factory=bytearray)
    unsafe: list[Written | Truncated] = field(default_factory=list)
    is_new: bool = True

    def sync(self) -> None:
        for change in self.unsafe:
            _apply(self.safe, change)
        self.unsafe.clear()
        self.is_new = False

    def survivor(self, chance: random.Random) -> bytearray:
        content = bytearray(self.safe)
        for change in self.unsafe:
            for part in _torn(change, chance):
                _apply(content, part)
        return content


def _torn(change: Written | Truncated, chance: random.Random) -> Iterator[Written | Truncated]:
    """Yield what reached the disk of a change that nobody waited for: sectors by chance."""
    if isinstance(change, Truncated):
        if chance.random() < 0.5:
            yield change
        return
    fate = chance.random()
    for begin in range(0, len(change.content), SECTOR):
        if fate < 0.25 or (fate < 0.75 and chance.random() < 0.5):
            yield Written(change.path, change.offset + begin, change.content[begin : begin + SECTOR])


def _apply(content: bytearray, change: Written | Truncated) -> None:
    if isinstance(change, Truncated):
        del content[change.size :]
        return
    end = change.offset + len(change.content)
    content.extend(b"\0" * (end - len(content)))
    content[change.offset : end] = change.content


def sqlite_library() -> ctypes.CDLL | None:
    """Return the SQLite that `sqlite3` uses; None where it is built into the interpreter and shows nothing."""
    import _sqlite3

    candidates = [getattr(_sqlite3, "__file__", None), ctypes.util.find_library("sqlite3")]
    for name in [each for each in candidates if each]:
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(name)
            library.sqlite3_vfs_find.restype = ctypes.c_void_p
            library.sqlite3_libversion.restype = ctypes.c_char_p
            if library.sqlite3_libversion().decode() == sqlite3.sqlite_version:
                return library
    return None


@contextmanager
def forgetful_disk(library: ctypes.CDLL) -> Iterator[Disk]:
    """Note what SQLite does to the files that are opened inside the block, by any connection of this process."""
    disk = Disk()
    original = _Vfs.from_address(library.sqlite3_vfs_find(None))
    shim = _Vfs.from_buffer_copy(original)
    keep: list[Any] = []
    shim.name = b"forgetful"
    shim.open = ctypes.cast(_opening(original, disk, keep), ctypes.c_void_p).value
    shim.delete = ctypes.cast(_deleting(original, disk, keep), ctypes.c_void_p).value
    library.sqlite3_vfs_register(ctypes.byref(shim), 1)
    try:
        yield disk
    finally:
        library.sqlite3_vfs_register(ctypes.byref(original), 1)
        library.sqlite3_vfs_unregister(ctypes.byref(shim))


def _deleting(original: _Vfs, disk: Disk, keep: list[Any]) -> Any:
    delete_file = ctypes.cast(original.delete, _DeleteCall)

    def deleted(vfs: int, name: bytes, syncs_folder: int) -> int:
        status: int = delete_file(vfs, name, syncs_folder)
        if status == SQLITE_OK:
            disk.moments.append(Deleted(Path(name.decode()).name, bool(syncs_folder)))
        return status

    call = _DeleteCall(deleted)
    keep.append(call)
    return call


def _opening(original: _Vfs, disk: Disk, keep: list[Any]) -> Any:
    open_file = ctypes.cast(original.open, _OpenCall)
    tables: dict[int, Any] = {}
    paths: dict[int, str] = {}

    def opened(vfs: int, name: int | None, file: int, flags: int, out_flags: Any) -> int:
        status: int = open_file(vfs, name, file, flags, out_flags)
        methods = ctypes.c_void_p.from_address(file)
        if status == SQLITE_OK and name is not None and methods.value:
            paths[file] = Path(ctypes.string_at(name).decode()).name
            if methods.value not in tables:
                tables[methods.value] = _noting(methods.value, disk, paths, keep)
            methods.value = ctypes.addressof(tables[methods.value])
        return status

    call = _OpenCall(opened)
    keep += [call, tables]
    return call


def _noting(methods: int, disk: Disk, paths: dict[int, str], keep: list[Any]) -> Any:
    """Return a copy of a table of methods whose writing ones tell the disk."""
    table = _Methods.from_buffer_copy(_Methods.from_address(methods))
    write = ctypes.cast(table[_WRITE] or 0, _WriteCall)
    truncate = ctypes.cast(table[_TRUNCATE] or 0, _TruncateCall)
    sync = ctypes.cast(table[_SYNC] or 0, _SyncCall)

    def written(file: int, content: int, amount: int, offset: int) -> int:
        disk.moments.append(Written(paths[file], offset, ctypes.string_at(content, amount)))
        status: int = write(file, content, amount, offset)
        return status

    def truncated(file: int, size: int) -> int:
        disk.moments.append(Truncated(paths[file], size))
        status: int = truncate(file, size)
        return status

    def synced(file: int, flags: int) -> int:
        status: int = sync(file, flags)
        if status == SQLITE_OK:
            disk.moments.append(Synced(paths[file]))
        return status

    calls: list[tuple[int, Callable[..., int], Any]] = [
        (_WRITE, written, _WriteCall),
        (_TRUNCATE, truncated, _TruncateCall),
        (_SYNC, synced, _SyncCall),
    ]
    for place, function, kind in calls:
        call = kind(function)
        keep.append(call)
        table[place] = ctypes.cast(call, ctypes.c_void_p).value
    return table
