"""Where the trail is sent: one file a kind of sink. Each takes a batch in order, or raises and gets it again."""

from portico.audit.sinks.http import HttpSink
from portico.audit.sinks.otlp import OtlpSink
from portico.audit.sinks.port import MakeSink, Sink, SinkFailed
from portico.audit.sinks.syslog import SyslogSink

__all__ = ["SINKS", "Sink", "SinkFailed"]

SINKS: dict[str, MakeSink] = {
    "syslog": SyslogSink.configured,
    "http": HttpSink.configured,
    "otlp": OtlpSink.configured,
}
"""The sinks by the names under which they are known; each is made from the settings, or is None."""
