"""The log: one way in for structlog, the standard library, uvicorn and SQLAlchemy, one line for each entry.

JSON in production, coloured in development. Every entry carries the id of the request under way; secrets are masked
(`portico.core.masking`). `access_line` is the quick way for the one line that every request writes.
"""

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from portico.core.context import current_request
from portico.core.masking import clean, harmless_text, masked_text
from portico.core.settings import Settings

_QUIET = {
    "uvicorn.access": logging.CRITICAL,
    "sqlalchemy.engine": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "alembic": logging.WARNING,
}
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
_TEXT_WITH_LINES = ("exception", "stack")
_OURS = frozenset({"timestamp", "level", "logger", "request_id", "event"})

type AccessLine = Callable[[str, str, int, float, str, str | None], None]


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every logger of the process to `stream` (standard output); called once by each entry point.

    Calling it again replaces what was set before, also for loggers that are already in use.
    """
    out = stream or sys.stdout
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(in_json=writes_json(settings), in_colour=out.isatty()))
    root = logging.getLogger()
    for old in [old for old in root.handlers if getattr(old, "portico", False)]:
        root.removeHandler(old)
    handler.portico = True  # type: ignore[attr-defined]  # so that a second call knows its own
    root.addHandler(handler)
    root.setLevel(settings.logging.level.upper())
    _quieten()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Not cached: a cached logger outlives the next configuration, and the line of each request is not its business.
        cache_logger_on_first_use=False,
    )


def writes_json(settings: Settings) -> bool:
    """Tell whether the log is JSON: by setting, else everywhere but in development."""
    if settings.logging.format == "auto":
        return not settings.is_development
    return settings.logging.format == "json"


def _quieten() -> None:
    for name in _UVICORN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _formatter(*, in_json: bool, in_colour: bool) -> structlog.stdlib.ProcessorFormatter:
    end: Processor = (
        structlog.processors.JSONRenderer() if in_json else structlog.dev.ConsoleRenderer(colors=in_colour)
    )
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _drop_colours,
            _lift_traceback,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_request_id,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            mask_event,
            end,
        ],
        foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
    )


def _drop_colours(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop the colour that uvicorn sends along for terminals."""
    event.pop("color_message", None)
    return event


def _lift_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the traceback that uvicorn logs as a message where tracebacks stand; its last line is the message."""
    text = event.get("event")
    if isinstance(text, str) and text.startswith("Traceback (most recent call last)"):
        event["exception"] = text.rstrip()
        event["event"] = event["exception"].splitlines()[-1]
    return event


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    request_id = current_request().request_id
    if request_id != "-":
        event.setdefault("request_id", request_id)
    return event


def mask_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Clean every field of an entry; tracebacks keep their line breaks."""
    for name, value in event.items():
        if name in _TEXT_WITH_LINES:
            event[name] = harmless_text(_masked_lines(str(value)), keep_lines=True)
        elif name == "event":
            event[name] = clean(value)
        elif name not in _OURS:
            event[name] = clean(value, name=name)
    return event


def _masked_lines(text: str) -> str:
    return "\n".join(masked_text(line) for line in text.splitlines())


def access_line(settings: Settings, stream: TextIO | None = None) -> AccessLine | None:
    """Return what writes the line of one request, or None if there is to be none.

    It takes method, route template, status, milliseconds, request id and principal id, all of which the edge has
    checked or made itself: nothing of them needs masking, so that the line costs a few microseconds.
    """
    if not settings.logging.access or settings.logging.level in {"warning", "error"}:
        return None
    out = stream or sys.stdout
    return _json_access_line(out) if writes_json(settings) else _console_access_line(out)


def _json_access_line(out: TextIO) -> AccessLine:
    write, flush, stamp = out.write, out.flush, _Stamp()

    def line(  # noqa: PLR0917 - called on every request, keywords would cost
        method: str, route: str, status: int, milliseconds: float, request_id: str, principal: str | None
    ) -> None:
        who = f',"principal":"{principal}"' if principal else ""
        write(
            f'{{"timestamp":"{stamp()}","level":"info","event":"request","method":"{method}","route":"{route}",'
            f'"status":{status},"ms":{milliseconds:.2f},"request_id":"{request_id}"{who}}}\n'
        )
        flush()

    return line


def _console_access_line(out: TextIO) -> AccessLine:
    colours = {1: "36", 2: "32", 3: "36", 4: "33", 5: "31"} if out.isatty() else {}

    def line(  # noqa: PLR0917 - called on every request, keywords would cost
        method: str, route: str, status: int, milliseconds: float, request_id: str, principal: str | None
    ) -> None:
        colour = colours.get(status // 100)
        shown = f"\x1b[{colour}m{status}\x1b[0m" if colour else str(status)
        out.write(f"{shown} {method:<6} {route}  {milliseconds:.1f} ms  {request_id} {principal or ''}\n")
        out.flush()

    return line


class _Stamp:
    """The time as text; the part down to the second is made once a second."""

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def __call__(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        return f"{self._prefix}{int((now - second) * 1_000_000):06d}Z"
