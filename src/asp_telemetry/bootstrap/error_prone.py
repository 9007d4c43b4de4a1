"""Error-prone detection: whether defects come up where they were expected."""

from collections import Counter
from collections.abc import Collection, Sequence
from math import ceil

from asp_telemetry.bootstrap.evidence import Defect, EndedTask, Reading

FLAGGED_SHARE = 0.2
"""How many of the components may be flagged; a fifth of the files holds most defects, as T. J. Ostrand, E. J. Weyuker and
R. M. Bell found: https://doi.org/10.1109/TSE.2005.49"""


def measure_error_prone(tasks: Sequence[EndedTask], defects: Sequence[Defect], wanted: int) -> Reading:
    """Measure how many defects came up in components that were flagged before their task began to count.

    What an agent has warned of stands in the task's metadata as `error_prone_components`; without it, the fifth of the known
    components with most defects per task counts as flagged, known from earlier tasks alone.

    Args:
        tasks: Completed tasks, the oldest first.
        defects: Their defects.
        wanted: How many tasks to measure, the newest.

    Returns:
        The share of defects that came up in flagged components, in percent; None where no defect did.
    """
    placed: dict[str, list[str]] = {}
    for defect in defects:
        if defect.is_real and defect.component_path:
            placed.setdefault(defect.task_id, []).append(defect.component_path)
    touching = [task for task in tasks if _components(task)]
    measured = touching[-wanted:]
    first = len(touching) - len(measured)
    touched: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    hits = found = flagged_components = known_components = 0
    for place, task in enumerate(touching):
        paths = placed.get(task.task_id, [])
        if place >= first:
            warned = _warned(task)
            flagged = flagged_by_history(touched, broken) if warned is None else warned
            known = set(touched) | set(_components(task))
            flagged_components += len(known & set(flagged))
            known_components += len(known)
            # Nothing could be known before the first task.
            if touched or warned is not None:
                found += len(paths)
                hits += sum(1 for path in paths if path in flagged)
        touched.update(set(_components(task)) | set(paths))
        broken.update(paths)
    measures = {"defects": float(found), "hits": float(hits)}
    if known_components:
        measures["flagged_percent"] = round(100.0 * flagged_components / known_components, 2)
    return Reading(
        100.0 * hits / found if found else None, measured, [task.ended_at for task in touching], measures
    )


def flagged_by_history(touched: Counter[str], broken: Counter[str]) -> Collection[str]:
    """Return the components to beware of: of all known, the fifth with most defects per task that touched it.

    Args:
        touched: How many tasks have touched each component.
        broken: How many defects each has had.

    Example:
        >>> sorted(flagged_by_history(Counter({"a": 4, "b": 2, "c": 1, "d": 9}), Counter({"a": 1, "b": 3})))
        ['b']
    """
    most = ceil(FLAGGED_SHARE * len(touched))
    ranked = sorted(
        (path for path in touched if broken[path]),
        key=lambda path: (-broken[path] / touched[path], -broken[path], path),
    )
    return frozenset(ranked[:most])


def _components(task: EndedTask) -> list[str]:
    return (
        [path for path in task.components if isinstance(path, str)]
        if isinstance(task.components, list)
        else []
    )


def _warned(task: EndedTask) -> Collection[str] | None:
    warned = task.metadata.get("error_prone_components") if isinstance(task.metadata, dict) else None
    return frozenset(map(str, warned)) if isinstance(warned, list) else None
