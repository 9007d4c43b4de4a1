"""Tells the life of one invented task: how it is routed, planned, coded, reviewed, tested, and what breaks in it."""

from random import Random
from typing import Any, Final

from asp_telemetry.clock import utc_text
from asp_telemetry.estimation.estimate import MAKER
from asp_telemetry.sample.defects import add_defects
from asp_telemetry.sample.patterns import PatternBook
from asp_telemetry.sample.surroundings import Choice, add_call, add_handover, add_hooks, add_routing
from asp_telemetry.sample.team import (
    FLAWED_FILE,
    INCIDENT,
    MODEL_SWITCH,
    OLD_CODER,
    PEOPLE,
    PHASES,
    POSTMORTEM,
    PROJECTS,
    REGRESSION,
    REPAIR,
    TAG,
    Phase,
    code_version,
    learned,
)
from asp_telemetry.sample.trace import MS, Error, TraceBuilder
from asp_telemetry.usage import Usage
from asp_telemetry.writer.batch import Change, Entry
from asp_telemetry.writer.definitions import ScopeFacts, SiteFacts
from asp_telemetry.writer.facts import task_columns
from asp_telemetry.writer.money import Money

_TOKEN_MS: Final = 13  # about 75 output tokens a second
_RATES: Final = {"latency_ms": 11_400, "tokens": 6_300, "api_cost_usd": 0.017}
"""What the team expects of one unit of complexity."""
_LEARNED_RATES: Final = {**_RATES, "api_cost_usd": 0.0134}
"""What PROBE_AI expects of it since the repair, which has brought the prompt cache."""
_REACH: Final = {"70": 0.2, "90": 0.33}
"""How far the ranges of its estimates reach, as a share of the estimate."""
_TIMEOUT: Final[Error] = ("timeout", "APITimeoutError", "Request timed out after 60 s")
_GIVEN_UP: Final[Error] = (
    "error",
    "APITimeoutError",
    "gave up after three attempts: Request timed out after 60 s",
)
_ASSERTION: Final[Error] = ("error", "AssertionError", "test_totals failed: 41.99 is not 42.00")
_LIMIT: Final[Error] = ("error", "RateLimitError", "429: too many requests for this minute")
_SECOND: Final = 1_000 * MS
_RELIEVED: Final = 0.06
_FITTING: Final = 0.9
_FOLLOWED: Final = 0.85


def task_entries(
    chance: Random,
    task_id: str,
    started: int,
    days_ago: int,
    money: Money,
    book: PatternBook,
    *,
    down: bool = False,
) -> list[Entry]:
    """Tell the life of one task.

    Args:
        chance: What decides.
        task_id: What it is called.
        started: When it begins, in ns since the epoch.
        days_ago: Which day of the story it is.
        money: What prices its answers.
        book: What the router has learned so far; it learns from this task, too.
        down: Whether the provider of most models is down just then.

    Returns:
        What a store writes, lanes and positions apart.
    """
    return _Life(chance, task_id, started, days_ago, money, book, down=down).entries()


class _Life:
    """Be one task while it is told."""

    def __init__(
        self,
        chance: Random,
        task_id: str,
        started: int,
        days_ago: int,
        money: Money,
        book: PatternBook,
        *,
        down: bool,
    ) -> None:
        self._chance, self._days_ago, self._down, self._book = chance, days_ago, down, book
        self._project = project = chance.choices(PROJECTS, [project.share for project in PROJECTS])[0]
        self._type, self._request = chance.choice(project.requests)
        self._components = chance.sample(project.components, chance.choices((1, 2), (3, 2))[0])
        self._estimated = round(chance.triangular(4, 34, 12))
        self._suspect = FLAWED_FILE if FLAWED_FILE in self._components else chance.choice(self._components)
        sees = chance.random() < 0.45 + 0.5 * learned(days_ago)
        self._said = self._suspect if sees else chance.choice(project.components)
        # Estimates come closer to the truth as the team learns.
        spread = 0.42 - 0.30 * learned(days_ago)
        self._actual = max(2, round(self._estimated * chance.lognormvariate(0.05, spread / 2)))
        self._spread = spread
        scope = ScopeFacts(task_id, None, project.name, chance.choice(PEOPLE), None, TAG, None, (TAG,), None)
        self._trace = TraceBuilder(chance, started, scope, money)
        self._started, self._now = started, started
        self._error: Error | None = None

    def entries(self) -> list[Entry]:
        """Tell it."""
        trace, chance = self._trace, self._chance
        task = SiteFacts("task", "task", "task", None, None, None)
        offer = self._book.offered(self._request)
        follows = chance.random() < (_FOLLOWED if offer else _FITTING)
        choice = Choice(self._project.agent, offer.id if offer else None, follows)
        match, routed = add_routing(
            trace, chance, self._now, self._request, choice, learned(self._days_ago), down=self._down
        )
        self._now += 180 * MS
        add_call(trace, chance, self._now, down=self._down)
        for phase in PHASES:
            self._phase(phase)
            if self._error is not None:
                break
        else:
            if self._type == "payments" or chance.random() < 0.25:
                self._phase(POSTMORTEM)
        end = self._now + 40 * MS
        trace.add(
            task, task, self._started, end - self._started, execution=trace.root, error=self._error, prompt=self._request
        )  # fmt: skip
        self._describe(end)
        add_defects(
            trace, chance, end, self._days_ago, self._actual, self._components, self._suspect, failed=self._error is not None
        )  # fmt: skip
        routed(end, success=self._error is None)
        if offer is not None:
            self._book.went(
                chance, trace, offer, end, match=match, used=follows, failed=self._error is not None
            )
        self._book.saw(chance, trace, self._project, self._request, end, self._days_ago)
        return trace.entries

    def _phase(self, phase: Phase) -> None:
        chance, trace = self._chance, self._trace
        provider, model = self._served_by(phase)
        coding = phase.role == "Code"
        version = code_version(self._days_ago) if coding else "1.1.0"
        agent = SiteFacts(phase.name, "agent", phase.role, model, provider, version)
        rounds = 1 + (phase.role in {"Code", "Test"} and chance.random() < 0.28)
        for iteration in range(1, rounds + 1):
            execution, began = trace.new_id(), self._now
            error = self._work(phase, agent, execution, iteration)
            if coding and iteration == 1:
                add_handover(
                    trace, chance, self._project.agent, began, self._now - began, failed=error is not None
                )
            retries = 2 if error is _GIVEN_UP else int(chance.random() < 0.06)
            trace.add(
                agent, agent, began, self._now - began + 15 * MS,
                execution=execution, parent=trace.root, iteration=iteration, retries=retries, error=error,
            )  # fmt: skip
            self._now += 60 * MS
            if error is not None:
                self._error = error
                return

    def _work(self, phase: Phase, agent: SiteFacts, execution: str, iteration: int) -> Error | None:
        """Do what an agent does once: ask its model, call its tools; return how it failed."""
        chance, trace = self._chance, self._trace
        generation = SiteFacts("messages.create", "generation", agent.role, agent.model, agent.provider, None)
        if self._down and agent.provider == "anthropic":
            for _ in range(3):
                trace.add(
                    generation, agent, self._now, 60 * _SECOND, parent=execution, iteration=iteration, error=_TIMEOUT
                )  # fmt: skip
                self._now += 62 * _SECOND
            # A few get through at last.
            if chance.random() < 0.7:
                return _GIVEN_UP
        wasted = 1.8 if phase.role == "Code" and REPAIR < self._days_ago <= REGRESSION else 1.0
        size = self._actual * wasted * (1.0 if iteration == 1 else 0.45) * chance.lognormvariate(0, 0.12)
        asks = 2 if phase.tools else 1
        for ask in range(asks):
            if chance.random() < 0.012:
                trace.add(
                    generation,
                    agent,
                    self._now,
                    900 * MS,
                    parent=execution,
                    iteration=iteration,
                    error=_LIMIT,
                )
                self._now += 4 * _SECOND
            self._ask(generation, agent, execution, iteration, phase, size / asks)
            if ask == 0 and phase.tools:
                self._call_tools(phase, agent, execution, iteration)
        hopeless = phase.role == "Test" and iteration == 1 and chance.random() < 0.02
        return _ASSERTION if hopeless else None

    def _ask(
        self,
        generation: SiteFacts,
        agent: SiteFacts,
        execution: str,
        iteration: int,
        phase: Phase,
        size: float,
    ) -> None:
        asked, answered = 900 + round(phase.tokens_in * size), 40 + round(phase.tokens_out * size)
        # The prompt cache came with the repaired version.
        cached = round(asked * self._chance.uniform(0.4, 0.65)) if self._days_ago <= REPAIR else None
        usage = Usage(agent.model, agent.provider, None, asked, answered, cached)
        first = round((350 + asked / 60) * self._chance.uniform(0.8, 1.3)) * MS
        duration = first + round(answered * _TOKEN_MS * self._chance.uniform(0.85, 1.2)) * MS
        self._trace.add(
            generation, agent, self._now, duration,
            parent=execution, iteration=iteration, usage=usage, first_token=first,
        )  # fmt: skip
        self._now += duration + 20 * MS

    def _call_tools(self, phase: Phase, agent: SiteFacts, execution: str, iteration: int) -> None:
        for name in phase.tools:
            tool, failed = SiteFacts(name, "tool", agent.role, None, None, None), False
            duration = round(self._chance.lognormvariate(5.5 if name != "run_tests" else 8.6, 0.6)) * MS
            failed = name == "run_tests" and iteration == 1 and self._chance.random() < 0.2
            called = self._trace.add(
                tool, agent, self._now, duration,
                parent=execution, iteration=iteration, error=_ASSERTION if failed else None,
            )  # fmt: skip
            if name != "read_file":
                add_hooks(self._trace, self._chance, name, called, self._now, duration)
            self._now += duration + 5 * MS

    def _served_by(self, phase: Phase) -> tuple[str, str]:
        before = phase.role == "Code" and self._days_ago > MODEL_SWITCH
        # Since the incident another provider steps in where the first one is busy.
        relieved = (
            phase.provider == "anthropic" and self._days_ago < INCIDENT and self._chance.random() < _RELIEVED
        )
        return OLD_CODER if before or relieved else (phase.provider, phase.model)

    def _estimate(self) -> tuple[dict[str, float], dict[str, Any]]:
        """Return what the task is thought to take, and who thinks so: since the repair PROBE_AI, a person before."""
        chance, by_probe = self._chance, self._days_ago < REPAIR
        rates, spread = (_LEARNED_RATES, 0.7 * self._spread) if by_probe else (_RATES, self._spread)
        told = {
            name: self._estimated * rate * chance.lognormvariate(0, spread) for name, rate in rates.items()
        }
        vector = {
            "latency_ms": round(told["latency_ms"]), "tokens": round(told["tokens"]),
            "api_cost_usd": round(told["api_cost_usd"], 4),
        }  # fmt: skip
        if not by_probe:
            return vector, {}
        ranges = {
            name: {level: [value * (1 - reach), value * (1 + reach)] for level, reach in _REACH.items()}
            for name, value in vector.items()
        }
        return vector, {"estimate": {"by": MAKER, "methods": dict.fromkeys(vector, "A"), "ranges": ranges}}

    def _describe(self, end: int) -> None:
        vector, made = self._estimate()
        phase = "Learning" if self._days_ago > 60 else "Shadow" if self._days_ago > 21 else "Autonomous"
        reviewed = self._chance.random() < 0.55
        corrected = reviewed and self._chance.random() < 0.45 * (1 - learned(self._days_ago))
        facts = {
            "task_id": self._trace.scope.task_id,
            "task_type": self._type,
            "task_description": self._request,
            "estimated_complexity": self._estimated,
            "estimated_cost_vector": vector,
            "components_affected": self._components,
            "semantic_units": [{"unit": "SU-001", "description": self._request, "complexity": self._estimated}],
            "bootstrap_phase": phase,
            "metadata": {"sample": True, "error_prone_components": [self._said], **made},
        }  # fmt: skip
        self._trace.put(
            Change.TASK, task_columns(facts, self._trace.scope, utc_text(self._started - _SECOND))
        )
        known: dict[str, Any] = {
            "task_id": facts["task_id"],
            "actual_complexity": self._actual,
            "human_reviewed": reviewed,
        }
        if corrected:
            known["human_corrections"] = [{"unit": "SU-001", "what": "split into two units"}]
        self._trace.put(Change.TASK, task_columns(known, self._trace.scope, utc_text(end)))
