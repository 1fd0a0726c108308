"""What goes over the broker: one queue for each queue of jobs, and messages with nothing but a job's id.

The messages are Celery's (task protocol 2), written by kombu alone: a server that only announces never imports Celery.
Source: https://docs.celeryq.dev/en/stable/internals/protocol.html
"""

from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from kombu.entity import Queue

TASK: Final = "portico.run_job"
PREFIX: Final = "portico."
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 3.0
TRANSIENT: Final = 1
"""Delivery mode: the broker need not write to disk what the database knows."""


def wire_queue(queue: str) -> Queue:
    """Return the broker's queue for a queue of jobs.

    It is reached through the nameless exchange. One with a name would, on Redis, be a key that FLUSHALL takes away:
    then messages go nowhere until a worker starts anew.
    """
    name = PREFIX + queue
    return Queue(name, routing_key=name, durable=True)


def announcement(job_id: UUID) -> dict[str, Any]:
    """Return body, headers and correlation of the message that lets a Celery worker run the job."""
    task_id = str(job_id)
    return {
        "body": [[task_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
        "headers": {
            "lang": "py",
            "task": TASK,
            "id": task_id,
            "root_id": task_id,
            "parent_id": None,
            "group": None,
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": f"['{task_id}']",
            "kwargsrepr": "{}",
            "ignore_result": True,
        },
        "correlation_id": task_id,
    }


def transport_options(url: str) -> dict[str, Any]:
    """Return what keeps a client from waiting for a broker that hangs."""
    if urlsplit(url).scheme.startswith("redis"):
        return {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS}
    return {"read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS, "confirm_publish": True}
