"""A Celery worker goes on with the trace of who sent it a task."""

import celery
import celery.signals
import pytest
from celery.contrib.testing.worker import start_worker

import asp_telemetry as asp

app = celery.Celery("tests", broker="memory://", backend="cache+memory://")


@celery.signals.setup_logging.connect
def leave_logging_alone(**_):
    """Keep the worker from switching off the loggers of other tests: who is connected here is asked to do it."""


@app.task(bind=True, name="tests.work")
def work(self, number):
    with asp.extract(self.request.headers or {}), asp.span("worked", kind="agent") as span:
        return number, span.root_id


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_a_worker_goes_on_with_the_trace(recorded):
    """`inject` into the message's headers and `extract` in the task make one trace of both."""
    with start_worker(app, perform_ping_check=False, pool="threads", shutdown_timeout=30):
        with asp.span("sending") as sender:
            result = work.apply_async((7,), headers=asp.inject())
        number, root = result.get(timeout=30)
    assert (number, root) == (7, sender.id)
    rows = {row["name"]: row for row in recorded.traces()}
    assert rows["worked"]["parent_id"] == sender.id
