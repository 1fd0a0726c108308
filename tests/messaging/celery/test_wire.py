"""The messages are Celery's own, although Celery does not write them."""

from uuid import UUID

from celery import Celery
from celery.app.amqp import AMQP

from portico.messaging.celery.wire import TASK, announcement


def test_message_is_what_celery_itself_would_write() -> None:
    job_id = str(UUID(int=7))
    theirs = AMQP(Celery(set_as_current=False)).as_task_v2(job_id, TASK, [job_id], ignore_result=True)

    ours = announcement(UUID(int=7))

    assert ours["body"] == list(theirs.body)
    assert ours["correlation_id"] == theirs.properties["correlation_id"]
    assert ours["headers"].items() <= theirs.headers.items()
