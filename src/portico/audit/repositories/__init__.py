"""SQL of the trail."""

from portico.audit.repositories.chain import ChainRepository
from portico.audit.repositories.entries import EntryRepository
from portico.audit.repositories.reading import ChainReader
from portico.audit.repositories.retention import RetentionRepository
from portico.audit.repositories.sinks import SinkRepository
from portico.audit.repositories.trail import TrailRepository

__all__ = [
    "ChainReader",
    "ChainRepository",
    "EntryRepository",
    "RetentionRepository",
    "SinkRepository",
    "TrailRepository",
]
