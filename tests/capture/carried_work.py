"""Does tracked work in other processes: started ones import it by name."""

import os

import asp_telemetry as asp


@asp.track
def leaf(number=0):
    """Be an execution of a process of its own."""
    asp.current_span().record_metric("Quality", number, "score")
    return os.getpid()


def failing():
    """Fail inside an execution."""
    with asp.span("failing"):
        raise ValueError("inside")


def serve(queue, results):
    """Work off messages with headers, as a worker of a task queue does; end at None."""
    for headers, number in iter(queue.get, None):
        with asp.extract(headers), asp.task(f"T-{number}"):
            leaf(number)
        results.put(number)
    asp.shutdown(20)


def spend_in_a_process(calls):
    """Ask a model so often inside a budget for one call; return how many calls were made."""
    made = 0
    with asp.budget(tokens=100):
        for _ in range(calls):
            try:
                with asp.span("ask", kind="generation") as span:
                    made += 1
                    span.record_usage(input_tokens=100, output_tokens=20, model="gpt-4o-mini")
            except asp.BudgetExceeded:
                pass
    return made
