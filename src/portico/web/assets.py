"""Style, script and icon of the pages, served by us under names that carry a hash of their content.

A changed file has another address, so a browser may keep each for ever (RFC 8246), and nothing comes from
another origin (ASVS 5.0 V3.6.1).
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

PREFIX = "/_assets/"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its address on this server, its bytes, its media type."""

    path: str
    content: bytes
    media_type: str


class Assets:
    """The files in `portico/web/assets`, read once."""

    def __init__(self) -> None:
        folder = files("portico.web") / "assets"
        self._by_name = {
            entry.name: _read(entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.is_file()
        }
        self._by_path = {asset.path: asset for asset in self._by_name.values()}

    def path(self, name: str) -> str:
        """Return the address of `portico.css`.

        Raises:
            KeyError: there is no such file.
        """
        return self._by_name[name].path

    def find(self, path: str) -> Asset | None:
        """Return the file at an address, or None; an address with another hash is another file."""
        return self._by_path.get(path)


def _read(name: str, content: bytes) -> Asset:
    stem, _, suffix = name.rpartition(".")
    fingerprint = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{PREFIX}{stem}.{fingerprint}.{suffix}", content, MEDIA_TYPES[f".{suffix}"])
