"""Counting for a metrics system: the one file that knows Prometheus' client, which is imported when something counts.

Each runtime counts for itself. Several processes of one host count together where `PROMETHEUS_MULTIPROC_DIR` names a
folder that was empty when the first of them started; `portico serve` sees to that for its workers.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_MAKING: Final = Lock()
"""Counters are written in a thread while the loop counts: neither is one made twice, nor the client imported twice."""


@dataclass(frozen=True, slots=True)
class CounterOf:
    """What is counted: its name without `_total`, a sentence, and by what it is told apart."""

    name: str
    sentence: str
    labels: tuple[str, ...] = ()


class Metrics:
    """The counters of this process; `runtime.get(Metrics)`."""

    def __init__(self) -> None:
        self._counters: dict[CounterOf, Counter] = {}
        self._expected: list[tuple[CounterOf, tuple[str, ...]]] = []

    def expect(self, counter: CounterOf, series: Iterable[tuple[str, ...]]) -> None:
        """Show these series from the start, at 0: what appears with its first count, nobody sees rise."""
        self._expected += [(counter, labels) for labels in series]

    def count(self, counter: CounterOf, *labels: str, amount: int = 1) -> None:
        """Add to a counter."""
        self._series(counter, labels).inc(amount)

    def written(self, accept: str) -> tuple[bytes, str]:
        """Return all counters in the form that an `Accept` header asks for, and its media type."""
        with _MAKING:
            from prometheus_client.exposition import choose_encoder

        for counter, labels in self._expected:
            self._series(counter, labels)
        encode, media_type = choose_encoder(accept)
        return encode(self._shared if os.environ.get(SHARED_FOLDER) else self._registry), media_type

    def _series(self, counter: CounterOf, labels: tuple[str, ...]) -> "Counter":
        with _MAKING:
            from prometheus_client import Counter

            known = self._counters.get(counter)
            if known is None:
                known = Counter(counter.name, counter.sentence, counter.labels, registry=self._registry)
                self._counters[counter] = known
        return known.labels(*labels) if labels else known

    @cached_property
    def _registry(self) -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry, disable_created_metrics

        disable_created_metrics()  # type: ignore[no-untyped-call]
        return CollectorRegistry()

    @cached_property
    def _shared(self) -> "CollectorRegistry":
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry
