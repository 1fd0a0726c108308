"""Rounds in which servers take turns, because the speed of a shared machine drifts; ratios are of the same round."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.figures import Figure, Plan
from benchmarks.load import Result, Script, run
from benchmarks.servers import Server


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server and what it is asked; `script` is called before each round, with the seconds that it will take."""

    server: Server
    script: Callable[[float], Script]


def always(script: Script) -> Callable[[float], Script]:
    """Return a contestant's script that is the same in each round."""
    return lambda _seconds: script


def same(message: bytes) -> Script:
    """Return the script that sends one request again and again."""
    return lambda _number, _last: message


def alternating(plan: Plan, *contestants: Contestant) -> list[list[Result]]:
    """Measure servers in turn, after a short warm-up each; an answer that is not 200 ends the benchmark."""
    outcome: list[list[Result]] = [[] for _ in contestants]
    for each in contestants:
        asyncio.run(run(each.server.port, each.script(0.5), seconds=0.5))
    for _ in range(plan.rounds):
        for results, each in zip(outcome, contestants, strict=True):
            results.append(_measured(each, plan.seconds))
    return outcome


def _measured(contestant: Contestant, seconds: float) -> Result:
    script = contestant.script(seconds)
    before = contestant.server.cpu_seconds()
    result = asyncio.run(run(contestant.server.port, script, seconds=seconds))
    all_good(result)
    result.cpu_microseconds = (contestant.server.cpu_seconds() - before) / len(result.latencies) * 1e6
    return result


def all_good(result: Result) -> None:
    """End the benchmark where something was refused.

    Raises:
        RuntimeError: there were answers other than 200.
    """
    bad = {status: count for status, count in result.statuses.items() if status != 200}
    if bad:
        raise RuntimeError(f"answers other than 200: {bad}")


def rates(database: str, name: str, results: list[Result]) -> Iterator[Figure]:
    """Yield answers a second and what each cost: the rate depends on the neighbours of the machine, the cost hardly."""
    yield Figure(database, name, median(each.rate for each in results), "req/s", "")
    cost = median(each.cpu_microseconds for each in results)
    yield Figure(database, f"{name}, processor time", cost, "µs", "")


def share(results: list[Result], yardstick: list[Result]) -> float:
    """Return how many answers there were for one of the yardstick, as the median of the rounds."""
    return median(ours.rate / bare.rate for ours, bare in zip(results, yardstick, strict=True))
