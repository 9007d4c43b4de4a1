"""Hooks around tools and prompts: each becomes one row of `hook_executions`."""

from functools import lru_cache
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.blocks import Block, add_bounded
from asp_telemetry.capture.content import content, redacted_message
from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.encoder import MAX_TEXT, clean, identifier
from asp_telemetry.capture.lifecycle import child_frame, leave_out_of_turn, status_of
from asp_telemetry.guard import describe
from asp_telemetry.journal.layout import PARENT, SCOPE, Kind, Status

_MAX_NAME = 200


class _HookFrame(list[Any]):
    """Be the stand-in for the execution that a hook runs around, and say which hook it is while that is open.

    A frame goes wherever the current execution goes: into tasks, and with `propagate()` into threads.
    """

    __slots__ = ("hook_id",)
    hook_id: str | None


class Hook(Block):
    """Record what one hook does; made by `hook()`.

    Nothing here raises: what cannot be recorded is counted in `stats()` with its reason.
    """

    __slots__ = (
        "_context", "_error", "_frame", "_functions", "_gates", "_gates_failed", "_modifications", "_names",
        "_parent_id", "_queries",
    )  # fmt: skip

    kind = Kind.HOOK
    what = "a hook"

    def __init__(self, hook_type: str, tool_name: str | None, script: str | None) -> None:
        super().__init__()
        self._names = {"hook_type": hook_type, "tool_name": tool_name, "hook_script": script}
        self._functions: list[str] = []
        self._gates: list[str] = []
        self._gates_failed: list[str] = []
        self._queries: list[Any] = []
        self._modifications: dict[str, Any] = {}
        self._context: dict[str, Any] = {}
        self._error: str | None = None
        self._parent_id: str | None = None
        self._frame: _HookFrame | None = None

    def gate(self, name: str, *, passed: bool = True) -> None:
        """Note a quality gate that was checked; one that was not passed makes the hook a failed one.

        Args:
            name: The gate's name, such as `"SV-001"`.
            passed: Whether it was passed.
        """
        gates = self._gates if passed else self._gates_failed
        self._note("gate", lambda: add_bounded(gates, identifier(name, _MAX_NAME)))

    def gathered(self, name: str) -> None:
        """Note what was called to gather knowledge.

        Args:
            name: The function's name, such as `"IC-001"`.
        """
        self._note("gathered", lambda: add_bounded(self._functions, identifier(name, _MAX_NAME)))

    def queried(self, query: str, **facts: Any) -> None:
        """Note what was looked up; stored without secrets.

        Args:
            query: What was asked.
            **facts: What else is worth keeping, such as `results=3`.
        """
        self._note("queried", lambda: add_bounded(self._queries, {"query": query, **facts}))

    def modified(self, **changes: Any) -> None:
        """Note what the hook has changed of the call that it runs around; stored without secrets.

        Args:
            **changes: The new values by name.
        """
        self._note("modified", lambda: self._modifications.update(changes))

    def note(self, **facts: Any) -> None:
        """Add what has no column of its own; stored without secrets.

        Args:
            **facts: Values by name.
        """
        self._note("note", lambda: self._context.update(facts))

    def failed(self, message: str) -> None:
        """Note that the hook failed, where no exception tells.

        Args:
            message: What went wrong.
        """
        self._note("failed", lambda: self._fail(identifier(message, MAX_TEXT)))

    def _fail(self, message: str) -> None:
        self._error = redacted_message(clean(message))

    def _site(self) -> Site:
        return _site_of(identifier(self._names["hook_type"], _MAX_NAME))

    def _enter(self, span: state.SpanList) -> None:
        self._parent_id = enclosing_hook()
        frame = _HookFrame(child_frame(span, span[SCOPE]))
        frame.hook_id = self.id
        self._frame = frame
        state.set_current(frame)

    def _leave(self) -> None:
        frame, self._frame = self._frame, None
        if frame is None:
            return
        frame.hook_id = None
        if state.get_current() is frame:
            # Not what was current when it began: that may have been a hook that has ended meanwhile.
            state.set_current(frame[PARENT])
        else:
            leave_out_of_turn(frame)

    def _facts(self, error: BaseException | None) -> dict[str, Any]:
        status = Status.SUCCESS if error is None else Status(status_of(error))
        if error is not None and status != Status.SUCCESS:
            self._fail(describe(error))
        elif self._error is None and self._gates_failed:
            self._fail(f"not passed: {', '.join(self._gates_failed)}")
        if status == Status.SUCCESS and self._error is not None:
            status = Status.ERROR
        if self._gates_failed:
            self._context["quality_gates_failed"] = self._gates_failed
        script = self._names["hook_script"]
        return {
            "parent_id": self._parent_id,
            "hook_type": identifier(self._names["hook_type"], _MAX_NAME),
            "tool_name": None
            if self._names["tool_name"] is None
            else identifier(self._names["tool_name"], _MAX_NAME),
            "hook_script": None
            if script is None
            else identifier(redacted_message(identifier(script, MAX_TEXT)), 2_000),
            "status": status.name.lower(),
            "success": status == Status.SUCCESS,
            "error_message": self._error,
            "intelligence_functions_executed": self._functions or None,
            "quality_gates_validated": self._gates or None,
            "rag_queries_executed": content(self._queries) if self._queries else None,
            "modifications_made": content(self._modifications) if self._modifications else None,
            "context": content(self._context) if self._context else None,
        }


def hook(hook_type: str, *, tool_name: str | None = None, script: str | None = None) -> Hook:
    """Record a hook around a tool or a prompt, with `with` or `async with`.

    Args:
        hook_type: SessionStart, UserPromptSubmit, PreToolUse, PostToolUse, SubagentStop, Stop, or any other.
        tool_name: The tool that it runs around.
        script: What runs, such as a file's name.

    Returns:
        The hook; endpoint calls and hooks inside name it as theirs. An exception that leaves the block is its failure.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.hook("PreToolUse", tool_name="Write") as h:
        ...     h.gate("SV-001")
        ...     h.gathered("IC-001")
    """
    return Hook(hook_type, tool_name, script)


def enclosing_hook() -> str | None:
    """Return the id of the innermost open hook around the current execution, if there is one."""
    found = state.get_current()
    while found is not None:
        if type(found) is _HookFrame and found.hook_id is not None:
            return found.hook_id
        found = found[PARENT]
    return None


@lru_cache(maxsize=256)
def _site_of(hook_type: str) -> Site:
    """Make the site of an execution that a hook begins; its trace then tells what began it."""
    site = Site(hook_type, "span")
    site.facts["source"] = "hook_trigger"
    return site
