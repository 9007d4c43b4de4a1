"""The decorators `track_agent`, `track_tool` and `track`: everything that can be prepared once is prepared here."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar, overload

from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.state import let_capture
from asp_telemetry.capture.wrappers import wrap_async_generator, wrap_coroutine, wrap_function, wrap_generator
from asp_telemetry.guard import trouble

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = frozenset({
    "agent_role", "capture_content", "expected_tokens", "expected_usd", "ignore_arguments", "memory", "model", "name",
    "provider", "task_id", "version",
})  # fmt: skip


class Decorator(Protocol):
    """Return a function of the very type it is given."""

    def __call__(self, function: F, /) -> F:
        """Decorate a function."""


@overload
def track_agent(function: F, /) -> F: ...
@overload
def track_agent(
    agent_role: str | None = None,
    /,
    *,
    name: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    version: str | None = None,
    task_id: str | None = None,
    expected_usd: Any = None,
    expected_tokens: int | None = None,
    memory: bool = False,
    capture_content: bool | None = None,
    ignore_arguments: Iterable[str] = (),
) -> Decorator: ...
def track_agent(function_or_role: Any = None, /, **options: Any) -> Any:
    """Track a function as an agent: `@track_agent` or `@track_agent("Planning", ...)`.

    Works on functions, methods, static and class methods; plain, `async`, generators and async generators. The
    function's signature, type and behaviour stay as they were.

    Args:
        function_or_role: The role, such as Planning, Design, Code, CodeReview; the function's name if left out.
        **options: name (the function's if left out); model, provider and version to record; task_id, a value or
            the path of one in the arguments, such as `"request.task_id"`; expected_usd and expected_tokens, what a
            call spends at most: inside a `budget()` so much is reserved for it; memory, whether to measure by how much
            the process has grown during the call, as `Memory_Usage` in MB; capture_content, whether arguments and
            result are stored, whatever the setting; ignore_arguments, names of those that never are.

    Returns:
        The decorated function, or a decorator.

    Raises:
        TypeError: At decoration, if it is applied to something that is not a function, or an option is unknown.

    Example:
        >>> import asp_telemetry as asp
        >>> @asp.track_agent("Planning", model="claude-sonnet-4", version="1.2.3")
        ... def plan(task_id: str, brief: str) -> str:
        ...     return f"plan for {brief}"
    """
    if function_or_role is None or isinstance(function_or_role, str):
        return _decorator("agent", None, {"agent_role": function_or_role, **options})
    return _decorator("agent", function_or_role, options)


@overload
def track_tool(function: F, /) -> F: ...
@overload
def track_tool(
    name: str | None = None,
    /,
    *,
    version: str | None = None,
    task_id: str | None = None,
    memory: bool = False,
    capture_content: bool | None = None,
    ignore_arguments: Iterable[str] = (),
) -> Decorator: ...
def track_tool(function_or_name: Any = None, /, **options: Any) -> Any:
    """Track a function as a tool; each call counts in the enclosing agent's `Tool_Calls`.

    Args:
        function_or_name: The tool's name; the function's if left out.
        **options: version, task_id, memory, capture_content and ignore_arguments, as in `track_agent`.

    Returns:
        The decorated function, or a decorator.

    Example:
        >>> import asp_telemetry as asp
        >>> @asp.track_tool
        ... def search(query: str) -> list[str]:
        ...     return [query]
    """
    if isinstance(function_or_name, str):
        return _decorator("tool", None, {"name": function_or_name, **options})
    return _decorator("tool", function_or_name, options)


@overload
def track(function: F, /) -> F: ...
@overload
def track(
    *,
    kind: str = "span",
    name: str | None = None,
    agent_role: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    version: str | None = None,
    task_id: str | None = None,
    expected_usd: Any = None,
    expected_tokens: int | None = None,
    memory: bool = False,
    capture_content: bool | None = None,
    ignore_arguments: Iterable[str] = (),
) -> Decorator: ...
def track(function: Any = None, /, *, kind: str = "span", **options: Any) -> Any:
    """Track a function as any kind of execution.

    Args:
        function: The function, when used bare.
        kind: task, agent, generation, tool, chain, retriever, evaluator, guardrail, embedding or span.
        **options: agent_role, name, model, provider, version, task_id, expected_usd, expected_tokens, memory,
            capture_content and ignore_arguments, as in
            `track_agent`.

    Returns:
        The decorated function, or a decorator.

    Raises:
        ValueError: At decoration, if the kind is unknown.

    Example:
        >>> import asp_telemetry as asp
        >>> @asp.track(kind="retriever", name="search")
        ... def find(query: str) -> list[str]:
        ...     return [query]
    """
    return _decorator(kind, function, options)


def _decorator(kind: str, function: Any, options: dict[str, Any]) -> Any:
    """Decorate a function that is given at once, or return what will."""
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise TypeError(
            f"the decorator has no option {', '.join(unknown)}; it knows {', '.join(sorted(_OPTIONS))}"
        )
    if function is not None:
        return _decorate(function, kind, options)

    def decorate(function: Any) -> Any:
        return _decorate(function, kind, options)

    return decorate


def _decorate(function: Any, kind: str, options: dict[str, Any]) -> Any:
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(_decorate(function.__func__, kind, options))
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"only functions can be tracked, not {function!r}; decorate its methods")
    import inspect  # noqa: PLC0415 - costs 8 ms, and a program that only imports this package does not need it

    settings = dict(options)
    name = settings.pop("name", None) or getattr(function, "__name__", type(function).__name__)
    parameters = _parameters(inspect, function)
    task_of = _task_finder(inspect, parameters, settings.pop("task_id", None))
    content = settings.pop("capture_content", None)
    if content:
        let_capture(None)
    site = Site(
        name, kind, task_of=task_of, content=content, parameters=_positional(inspect, parameters),
        ignored=_ignored(settings.pop("ignore_arguments", ())), **settings,
    )  # fmt: skip
    call = function if inspect.isroutine(function) else getattr(function, "func", type(function).__call__)
    if inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(call):
        wrapped = wrap_async_generator(function, site)
    elif inspect.isgeneratorfunction(function) or inspect.isgeneratorfunction(call):
        wrapped = wrap_generator(function, site)
    elif inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
        wrapped = wrap_coroutine(function, site)
    else:
        wrapped = wrap_function(function, site)
    return wrapped


def _parameters(inspect: Any, function: Any) -> list[Any]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _positional(inspect: Any, parameters: list[Any]) -> tuple[str, ...]:
    """Return the names of the parameters that take positional arguments, with a star before the one that takes many."""
    marks = {
        inspect.Parameter.POSITIONAL_ONLY: "",
        inspect.Parameter.POSITIONAL_OR_KEYWORD: "",
        inspect.Parameter.VAR_POSITIONAL: "*",
    }
    return tuple(
        f"{marks[parameter.kind]}{parameter.name}" for parameter in parameters if parameter.kind in marks
    )


def _ignored(names: Any) -> frozenset[str]:
    if isinstance(names, str):
        raise TypeError(f"ignore_arguments={names!r} is one text; give a list of names: [{names!r}]")
    return frozenset(names)


def _task_finder(inspect: Any, parameters: list[Any], task_id: str | None) -> Any:
    """Prepare the function that finds the task id in a call's arguments; None if there is nothing to find."""
    places = {parameter.name: place for place, parameter in enumerate(parameters)}
    if task_id is None:
        path = ["task_id"] if "task_id" in places else []
    else:
        path = str(task_id).split(".")
        if path[0] not in places:
            return lambda _args, _kwargs: task_id
    if not path:
        return None
    place, rest = places[path[0]], path[1:]
    default = parameters[place].default
    fallback = None if default is inspect.Parameter.empty else default
    keyword_only = parameters[place].kind is inspect.Parameter.KEYWORD_ONLY

    def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = kwargs.get(path[0], fallback)
        if not keyword_only and path[0] not in kwargs and place < len(args):
            value = args[place]
        for step in rest:
            value = value.get(step) if isinstance(value, dict) else getattr(value, step, None)
            if value is None:
                trouble("a task id was not found", remedy=f"task_id={task_id!r} leads to nothing at {step!r}")
                return None
        return value

    return find
