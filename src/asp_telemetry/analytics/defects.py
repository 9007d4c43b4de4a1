"""Questions about defects: where they are put in and taken out, and how well phases and reviews hold them up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Final, Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import TaskWorkFilter
from asp_telemetry.analytics.rows import Rows, SummedMilliseconds, Usd, set_derived, share

PHASES: Final = ("Planning", "Design", "DesignReview", "Code", "CodeReview", "Test", "Postmortem")
"""The phases in their order."""


class DefectFilter(TaskWorkFilter, total=False):
    """Narrow a list of defects; a time is that of the discovery.

    Attributes:
        limit: How many at most, the newest; 100 when left out.
    """

    limit: int | None


@dataclass(frozen=True)
class Defect:
    """Be a defect as it was logged.

    Attributes:
        created_at: When it was found, in UTC.
        resolved_at: When it was resolved, in UTC; None while it is open.
        flagged_by_agent: Whether an agent found it.
        validated_by_human: Whether a person has confirmed it.
        false_positive: Whether it was none.
    """

    defect_id: str
    created_at: datetime
    resolved_at: datetime | None
    task_id: str
    defect_type: str
    severity: str | None
    phase_injected: str
    phase_removed: str
    component_path: str | None
    description: str
    flagged_by_agent: bool | None
    validated_by_human: bool | None
    false_positive: bool | None


@dataclass(frozen=True)
class DefectType:
    """Be the defects of one type, false positives left out.

    Attributes:
        defects: How many; the four severities need not add up to it, because a defect may have none.
        unresolved: How many are not resolved.
        fix_cost_usd: What their fixes cost in USD, as far as that is known.
        fix_ms: How long their fixes took in ms, as far as that is known.
    """

    defect_type: str
    defects: int
    critical: int
    high: int
    medium: int
    low: int
    unresolved: int
    fix_cost_usd: Usd | None
    fix_ms: SummedMilliseconds | None


@dataclass(frozen=True)
class PhasePair:
    """Be one cell of the phase matrix: how many defects were put in by one phase and taken out by another."""

    phase_injected: str
    phase_removed: str
    defects: int


@dataclass(frozen=True)
class PhaseYield:
    """Be how well a phase removes defects, as the Personal Software Process counts it.

    Humphrey, The Personal Software Process, CMU/SEI-2000-TR-022: of the defects that were there, the part that the
    phase removed (https://insights.sei.cmu.edu/library/the-personal-software-process-psp/).

    Attributes:
        phase: The phase.
        injected: Defects that it put in.
        removed: Defects that it took out.
        escaped: Defects that were in the product when it ended: put in by it or before it, taken out after it.
        phase_yield: removed / (removed + escaped), from 0 to 1; None where there was nothing to find.
    """

    phase: str
    injected: int
    removed: int
    escaped: int
    phase_yield: float | None


@dataclass(frozen=True)
class ReviewEffectiveness:
    """Be what a review agent finds, wrongly finds, and lets through.

    Attributes:
        review_phase: DesignReview or CodeReview.
        true_positives: Defects that it flagged and a person confirmed.
        false_positives: What it flagged wrongly.
        unvalidated: What it flagged and nobody has judged.
        escapes: Defects from before it that were removed after it.
        true_positive_rate: Part of what was judged that was right, from 0 to 1.
        false_positive_rate: Part of what was judged that was wrong, from 0 to 1.
        escape_rate: Part of what there was to find that escaped, from 0 to 1.
    """

    review_phase: str
    true_positives: int
    false_positives: int
    unvalidated: int
    escapes: int
    true_positive_rate: float | None = field(init=False)
    false_positive_rate: float | None = field(init=False)
    escape_rate: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rates."""
        judged = self.true_positives + self.false_positives
        set_derived(
            self,
            true_positive_rate=share(self.true_positives, judged),
            false_positive_rate=share(self.false_positives, judged),
            escape_rate=share(self.escapes, self.true_positives + self.escapes),
        )


@dataclass(frozen=True)
class ComponentDensity:
    """Be how many defects a component has for the work that went into it, false positives left out.

    Attributes:
        component_path: The component.
        tasks: Tasks that touched it.
        complexity: Their actual, else estimated, complexity added up; None where none is known.
        defects: Its defects.
        severe_defects: Those that are Critical or High.
        defect_density: Defects for each unit of complexity; None where that is not known or 0.
    """

    component_path: str
    tasks: int
    complexity: int | None
    defects: int
    severe_defects: int
    defect_density: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the density."""
        set_derived(self, defect_density=share(self.defects, self.complexity))


class DefectQuestions(Questions):
    """Ask about defects; every question can be narrowed by `TaskWorkFilter`.

    A time is that of the discovery; a role and a model are those that worked on the task of the defect.
    """

    @question
    async def defects(self, **filters: Unpack[DefectFilter]) -> Rows[Defect]:
        """Return defects, false positives among them, the newest first."""
        return await self._ask("defects.list", Defect, filters)

    @question
    async def defects_by_type(self, **filters: Unpack[TaskWorkFilter]) -> Rows[DefectType]:
        """Return the defects of each type, the most frequent first."""
        return await self._ask("defects.by_type", DefectType, filters)

    @question
    async def defects_by_phase(self, **filters: Unpack[TaskWorkFilter]) -> Rows[PhasePair]:
        """Return the phase matrix: defects by the phase that put them in and the one that took them out.

        The phases come in their order, unknown ones after them; pairs without defects have no row.
        """
        pairs = await self._ask("defects.by_phase", PhasePair, filters)
        return Rows(
            sorted(pairs, key=lambda pair: (_ordinal(pair.phase_injected), _ordinal(pair.phase_removed)))
        )

    @question
    async def phase_yields(self, **filters: Unpack[TaskWorkFilter]) -> Rows[PhaseYield]:
        """Return how well each of the seven phases removes defects, in their order.

        Defects of unknown phases, and those that were removed before they were put in, count nowhere.
        """
        return phase_yields(await self._ask("defects.by_phase", PhasePair, filters))

    @question
    async def review_effectiveness(self, **filters: Unpack[TaskWorkFilter]) -> Rows[ReviewEffectiveness]:
        """Return what the two review agents find, wrongly find, and let through."""
        return await self._ask("defects.reviews", ReviewEffectiveness, filters)

    @question
    async def defect_density_by_component(self, **filters: Unpack[TaskWorkFilter]) -> Rows[ComponentDensity]:
        """Return the defects of each component for the work that went into it, the densest first, unknown ones last.

        A time is that of the defects' discovery and of the tasks' creation.
        """
        found = await self._ask("defects.by_component", ComponentDensity, filters)
        by_path = sorted(found, key=attrgetter("component_path"))
        return Rows(
            sorted(
                by_path,
                key=lambda one: (one.defect_density is None, -(one.defect_density or 0), -one.defects),
            )
        )


def phase_yields(pairs: Iterable[PhasePair]) -> Rows[PhaseYield]:
    """Return the yields of the seven phases.

    Args:
        pairs: The phase matrix.

    Example:
        >>> yields = phase_yields([PhasePair("Code", "CodeReview", 3), PhasePair("Code", "Test", 1)])
        >>> [(one.phase, one.phase_yield) for one in yields if one.phase_yield is not None]
        [('Code', 0.0), ('CodeReview', 0.75), ('Test', 1.0)]
    """
    known = [
        (PHASES.index(pair.phase_injected), PHASES.index(pair.phase_removed), pair.defects)
        for pair in pairs
        if pair.phase_injected in PHASES and pair.phase_removed in PHASES
    ]
    known = [(put_in, taken_out, defects) for put_in, taken_out, defects in known if put_in < taken_out]
    found: Rows[PhaseYield] = Rows()
    for place, phase in enumerate(PHASES):
        injected = sum(defects for put_in, _, defects in known if put_in == place)
        removed = sum(defects for _, taken_out, defects in known if taken_out == place)
        escaped = sum(defects for put_in, taken_out, defects in known if put_in <= place < taken_out)
        found.append(PhaseYield(phase, injected, removed, escaped, share(removed, removed + escaped)))
    return found


def _ordinal(phase: str) -> tuple[int, str]:
    return (PHASES.index(phase) if phase in PHASES else len(PHASES), phase)
