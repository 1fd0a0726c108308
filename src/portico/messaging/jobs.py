"""Declaring jobs: a decorator, the arguments' types, and how a run ends.

    @job("shop.remind", attempts=5)
    async def remind(run: JobRun, *, order_id: UUID, note: str = "") -> None: ...

    runtime.get(Jobs).enqueue(unit, remind, order_id=order.id)

Arguments are stored as JSON and checked when the job is written and again when it runs. Take ids, not data: operators
see them. A job that was written by another release still runs: arguments that the function no longer takes are passed
over, new ones need a default, and a renamed job keeps its old name in `formerly`.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Concatenate, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from portico.messaging.errors import PayloadInvalid
from portico.messaging.events import faults_of
from portico.messaging.runs import JobRun
from portico.messaging.types import Backoff

DEFAULT_QUEUE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job[**P]:
    """Work of one kind: its name in the database, what does it, and how stubbornly it is tried."""

    name: str
    handler: Callable[Concatenate[JobRun, P], Awaitable[None]]
    queue: str = DEFAULT_QUEUE
    attempts: int = 10
    time_limit: timedelta = timedelta(minutes=5)
    backoff: Backoff = field(default_factory=Backoff)
    formerly: tuple[str, ...] = ()
    priority: int = 0
    run_at: datetime | None = None
    unique_key: str | None = None

    def when(
        self, *, run_at: datetime | None = None, priority: int | None = None, unique_key: str | None = None
    ) -> "Job[P]":
        """Return the same job to be enqueued for later, ahead of others, or once.

        A lower `priority` runs first, 0 is usual. While a job with the same `unique_key` waits, no other is added;
        one that already runs does not count, for it may have read what has changed since.
        """
        return replace(
            self,
            run_at=run_at or self.run_at,
            priority=self.priority if priority is None else priority,
            unique_key=unique_key or self.unique_key,
        )

    def encode(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """Return the arguments ready for JSON.

        Raises:
            TypeError: they are not those of the function.
            PayloadInvalid: a value has another type.
        """
        signature = inspect.signature(self.handler)
        bound = signature.bind(None, *args, **kwargs).arguments
        del bound[next(iter(signature.parameters))]
        return self._checked(bound).model_dump(mode="json", exclude_unset=True)

    def decode(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return stored arguments as the function takes them.

        Raises:
            PayloadInvalid: they do not fit.
        """
        checked = self._checked(arguments)
        return {name: getattr(checked, name) for name in type(checked).model_fields}

    async def run(self, run: JobRun, arguments: Mapping[str, Any]) -> None:
        """Call the function with stored arguments.

        Raises:
            PayloadInvalid: they do not fit.
        """
        handler: Callable[..., Awaitable[None]] = self.handler
        await handler(run, **self.decode(arguments))

    def _checked(self, arguments: Mapping[str, Any]) -> BaseModel:
        try:
            return _arguments_of(self.handler).model_validate(dict(arguments))
        except ValidationError as error:
            raise PayloadInvalid(faults_of(error)) from None


def job[**P](
    name: str,
    *,
    queue: str = DEFAULT_QUEUE,
    attempts: int = 10,
    time_limit: timedelta = timedelta(minutes=5),
    backoff: Backoff | None = None,
    formerly: Iterable[str] = (),
    priority: int = 0,
) -> Callable[[Callable[Concatenate[JobRun, P], Awaitable[None]]], Job[P]]:
    """Declare an async function as the job `name` (dotted, at most 120 characters).

    It is tried up to `attempts` times with `backoff` in between, each time for `time_limit` at most.

    Raises:
        TypeError: the function is not async, or cannot be called by names.
    """

    def declare(handler: Callable[Concatenate[JobRun, P], Awaitable[None]]) -> Job[P]:
        if not inspect.iscoroutinefunction(handler):
            raise TypeError(f"the job {name!r} must be an async function")
        _refuse_unnamed_parameters(name, handler)
        return Job(
            name=name,
            handler=handler,
            queue=queue,
            attempts=attempts,
            time_limit=time_limit,
            backoff=backoff or Backoff(),
            formerly=tuple(formerly),
            priority=priority,
        )

    return declare


class JobRegistry:
    """The jobs that this release knows, by their names and former names."""

    def __init__(self, jobs: Iterable[Job[...]]) -> None:
        self._jobs: dict[str, Job[...]] = {}
        for known in jobs:
            for name in (known.name, *known.formerly):
                other = self._jobs.setdefault(name, known)
                if other.handler is not known.handler:
                    raise ValueError(f"two jobs are called {name!r}")

    def __iter__(self) -> Iterator[Job[...]]:
        return iter({id(known): known for known in self._jobs.values()}.values())

    def find(self, name: str) -> Job[...] | None:
        """Return the job called `name`, or None."""
        return self._jobs.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name under which a job may have been written."""
        return tuple(sorted(self._jobs))

    @property
    def queues(self) -> tuple[str, ...]:
        """Return the queues that jobs use."""
        return tuple(sorted({known.queue for known in self._jobs.values()}))


def _refuse_unnamed_parameters(name: str, handler: Callable[..., Any]) -> None:
    parameters = list(inspect.signature(handler).parameters.values())
    named = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if not parameters or any(parameter.kind not in named for parameter in parameters[1:]):
        raise TypeError(f"the job {name!r} takes the run first, and then arguments with names")


@cache
def _arguments_of(handler: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(handler, include_extras=True)
    _, *parameters = inspect.signature(handler).parameters.values()
    fields: dict[str, Any] = {
        each.name: (hints[each.name], ... if each.default is each.empty else each.default)
        for each in parameters
    }
    return create_model("Arguments", __config__=ConfigDict(extra="ignore"), **fields)
