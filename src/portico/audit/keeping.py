"""How long entries stay, by what they are of; pure, no I/O.

A stream loses its beginning when the longest time is over. What is kept for less goes before, entry by entry, and
leaves its digest under a signature, so that the chain is still proven across it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from portico.audit.canonical import time_text
from portico.audit.checkpoints import CheckpointKey, CheckpointReader
from portico.audit.types import LetGo, stream_name


@dataclass(frozen=True, slots=True)
class KeptClass:
    """Entries whose action begins with `prefix`, but with none of the longer prefixes `without`."""

    prefix: str
    without: tuple[str, ...]
    keep: timedelta


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long entries stay: `keep`, or what `actions` says of the longest prefix that fits; None is for ever."""

    keep: timedelta | None
    actions: Mapping[str, timedelta | None]

    @property
    def longest(self) -> timedelta | None:
        """Return after what time nothing is kept any more."""
        times = [self.keep, *self.actions.values()]
        known = [each for each in times if each is not None]
        return max(known) if len(known) == len(times) else None

    def classes(self) -> Iterator[KeptClass]:
        """Yield what goes earlier than the rest."""
        longest = self.longest
        for prefix, keep in {"": self.keep, **self.actions}.items():
            if keep is not None and keep != longest:
                longer = (each for each in self.actions if each != prefix and each.startswith(prefix))
                yield KeptClass(prefix, tuple(longer), keep)


def signed_let_go(key: CheckpointKey, let_go: LetGo) -> bytes:
    """Return the signature of what stands for an entry."""
    return key.sign_statement(_statement(let_go))


def is_signed_let_go(reader: CheckpointReader, let_go: LetGo) -> bool:
    """Tell whether we have let an entry go, or somebody deleted it."""
    return reader.is_signed(_statement(let_go), let_go.signature)


def _statement(let_go: LetGo) -> str:
    at = time_text(let_go.at).replace(" ", "T") + "Z"
    where = f"{stream_name(let_go.stream)} {let_go.position} {let_go.link}"
    return f"portico-let-go v1 {where} {at} {let_go.leaf.hex()}"
