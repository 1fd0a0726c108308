"""What a Celery worker costs by itself: one task that claims the same row and ends it, with nothing of ours between.

    python -m benchmarks.bare_celery announce     # a message for each job that waits, as Portico's own
    celery -A benchmarks.bare_celery worker -P threads -c 16

It reads the settings that `portico worker` reads: `PORTICO_DATABASE__URL` (PostgreSQL) and `PORTICO_JOBS__BROKER_URL`.
"""

import asyncio
import os
import sys
import threading
from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import uvloop
from celery import Celery, signals

from portico.messaging.celery.broker import JobBroker
from portico.messaging.celery.wire import TASK, wire_queue

CLAIM = """
UPDATE portico_jobs SET status = 'running', claim = $2, claimed_until = clock_timestamp() + interval '30 s',
       worker = 'bare', attempts = attempts + 1, started_at = now(), progress = NULL
WHERE id = $1 AND status = 'queued' AND run_at <= now() RETURNING name, arguments
"""
FINISH = """
UPDATE portico_jobs SET status = 'done', claim = NULL, claimed_until = NULL, finished_at = now()
WHERE id = $1 AND claim = $2 AND status = 'running'
"""
DATABASE = os.environ.get("PORTICO_DATABASE__URL", "")
BROKER = os.environ.get("PORTICO_JOBS__BROKER_URL", "memory://")

app = Celery("bare", broker=BROKER, set_as_current=False)
app.conf.update(
    task_queues=[wire_queue("default")],
    task_default_queue=wire_queue("default").name,
    accept_content=["json"],
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=2,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)
_live: dict[str, Any] = {}


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def start_loop(**_: Any) -> None:
    is_open = threading.Event()

    async def live() -> None:
        _live["loop"] = asyncio.get_running_loop()
        _live["pool"] = await asyncpg.create_pool(DATABASE, min_size=4, max_size=10)
        is_open.set()
        await asyncio.Event().wait()

    threading.Thread(target=uvloop.run, args=[live()], daemon=True).start()
    is_open.wait()


@app.task(name=TASK)  # type: ignore[untyped-decorator]
def run_job(job_id: str) -> None:
    asyncio.run_coroutine_threadsafe(_claim_and_finish(UUID(job_id)), _live["loop"]).result()


async def _claim_and_finish(job_id: UUID) -> None:
    claim = uuid4()
    if await _live["pool"].fetchrow(CLAIM, job_id, claim) is not None:
        await _live["pool"].execute(FINISH, job_id, claim)


async def announce() -> None:
    connection = await asyncpg.connect(DATABASE)
    waiting: dict[str, list[UUID]] = defaultdict(list)
    for row in await connection.fetch("SELECT id, queue FROM portico_jobs WHERE status = 'queued'"):
        waiting[row["queue"]].append(row["id"])
    await connection.close()
    broker = JobBroker(BROKER)
    broker.send(waiting)
    broker.close()


if __name__ == "__main__" and sys.argv[1:] == ["announce"]:
    asyncio.run(announce())
