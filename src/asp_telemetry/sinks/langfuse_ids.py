"""Says by which ids Langfuse knows our executions and tasks."""

from hashlib import sha256


def trace_id_of_task(task_id: str) -> str:
    """Return the trace of a task: the one that `Langfuse.create_trace_id(seed=task_id)` makes.

    Args:
        task_id: The task.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> trace_id_of_task("TASK-42")
        'eeff3c4ad225a6f793f5a8537e571eb6'
    """
    return sha256(task_id.encode()).digest()[:16].hex()


def trace_id(task_id: str | None, root_id: str) -> str:
    """Return the trace of an execution: its task's, or where no task was given, its own trace.

    Args:
        task_id: The row's task, which is the root's id where none was given.
        root_id: The row's root, a UUID.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> trace_id("01234567-89ab-cdef-0000-000000000001", "01234567-89ab-cdef-0000-000000000001")
        '0123456789abcdef0000000000000001'
    """
    if task_id is None or task_id == root_id:
        return root_id.replace("-", "")
    return trace_id_of_task(task_id)


def observation_id(correlation_id: str) -> str:
    """Return the observation of an execution: its span id, the second half of its UUID.

    Args:
        correlation_id: The row's id, a UUID.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> observation_id("01234567-89ab-cdef-0000-000000000001")
        '0000000000000001'
    """
    return correlation_id.replace("-", "")[16:]
