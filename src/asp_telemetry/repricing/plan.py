"""Works out what becomes of the costs of one execution under other prices; reads and writes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from asp_telemetry.prices.book import PriceBook
from asp_telemetry.prices.price import Unpriced
from asp_telemetry.prices.provenance import FACTS, PRICED, Answer, figures, money_text, provenance
from asp_telemetry.repricing.request import RepriceRequest

Facts = dict[str, Any]
Name = tuple[str | None, str | None]
"""Model and provider."""

_COUNTS: Final = {
    "Tokens_In": "input_tokens",
    "Tokens_Out": "output_tokens",
    "Tokens_Cache_Read": "cache_read_tokens",
    "Tokens_Cache_Write": "cache_write_tokens",
    "Tokens_Reasoning": "reasoning_tokens",
    "Tokens_Audio_In": "input_audio_tokens",
    "Tokens_Audio_Out": "output_audio_tokens",
}
# Another version of a list that says the same of a cost is no news; nor is when or from what it was worked out.
_NO_NEWS: Final = frozenset({"prices", "at", "as_of", "basis", "history"})
_OLD_FIGURE: Final = ("computed", "priced_as", "prices", "unit_prices", "as_of", "without")


@dataclass(frozen=True)
class Execution:
    """Hold what the ledger knows of one execution.

    Attributes:
        execution_id: Its correlation id.
        rows: Its rows of tokens and costs: the columns by name, metadata parsed, amounts as Decimal.
        started_at: When it began, UTC text; None if its trace is gone.
        usage: The trace's usage, parsed.
        unpriced: What its context says of costs that are not known.
    """

    execution_id: str
    rows: tuple[Facts, ...]
    started_at: str | None = None
    usage: Facts | None = None
    unpriced: str | None = None


@dataclass(frozen=True)
class Change:
    """Give a cost row another amount or other facts."""

    row: Facts
    old: Decimal
    new: Decimal
    facts: Facts


@dataclass
class Plan:
    """Say what becomes of one execution.

    Attributes:
        execution_id: Its correlation id.
        changes: Rows that get other figures.
        added: Rows that are new: another row of the execution to take the columns from, the amount, the facts.
        usage: The trace's new usage, None where it stays.
        context: Whether the context's `unpriced` changes, to `unpriced`.
        unpriced: What is still without a price.
        defects: By how much the fixing of which defect costs more.
        tasks: The tasks whose sums change.
    """

    execution_id: str
    changes: list[Change] = field(default_factory=list)
    added: list[Change] = field(default_factory=list)
    usage: Facts | None = None
    context: bool = False
    unpriced: str | None = None
    unchanged: int = 0
    told: int = 0
    from_tokens: int = 0
    old_total: Decimal = Decimal(0)
    new_total: Decimal = Decimal(0)
    left: Counter[str] = field(default_factory=Counter)
    defects: dict[str, Decimal] = field(default_factory=dict)
    tasks: set[str] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be written."""
        return not (self.changes or self.added or self.usage is not None or self.context)


def unreadable(execution: Execution, request: RepriceRequest, error: Exception) -> Plan:
    """Leave an execution as it is whose rows somebody else has written, in words that are not ours."""
    plan = Plan(execution.execution_id)
    for row in execution.rows:
        if row["metric_type"] == "API_Cost" and request.is_about(*_name(row)):
            plan.unchanged += 1
            plan.old_total += row["metric_value"]
            plan.new_total += row["metric_value"]
    plan.left[f"the row cannot be understood: {type(error).__name__}"] += 1
    return plan


class Planner:
    """Work out what becomes of executions; the same executions and prices give the same plans.

    Args:
        request: Which costs, and whose prices.
        now: The moment that replaced figures bear, UTC text.
    """

    def __init__(self, request: RepriceRequest, now: str) -> None:
        self._request = request
        self._book = PriceBook(request.prices)
        self._now = now

    def plan(self, execution: Execution) -> Plan:
        """Work out what becomes of the costs of one execution."""
        plan = Plan(execution.execution_id)
        costs = [row for row in execution.rows if row["metric_type"] == "API_Cost"]
        shown: dict[Name, list[Answer]] = {}
        covered: set[Name] = set()
        reasons: list[str] = []
        open_elsewhere = whole = False
        for row in costs:
            facts = row["metadata"] or {}
            name = _name(row)
            covered.add(name)
            stated = _stated(facts, name)
            is_told = facts.get("source") != "computed" and not _is_by_answer(facts)
            whole = whole or is_told
            if not self._request.is_about(*name):
                open_elsewhere = open_elsewhere or "without" in facts
                continue
            plan.old_total += row["metric_value"]
            answers, reason = self._recost(plan, execution, row, stated, is_told=is_told)
            if reason is not None:
                reasons.append(reason)
            if not is_told or "models" in (execution.usage or {}):
                for answer in answers:
                    shown.setdefault((answer.model, answer.provider), []).append(answer)
        for name, group in _token_groups(execution.rows).items():
            if name in covered or whole:
                continue
            if not self._request.is_about(*name):
                open_elsewhere = True
                continue
            answers, reason = self._add(plan, execution, name, group)
            if reason is not None:
                reasons.append(reason)
            shown[name] = answers
        self._plan_trace(plan, execution, shown, reasons, open_elsewhere=open_elsewhere)
        return plan

    def _recost(
        self, plan: Plan, execution: Execution, row: Facts, stated: list[Facts], *, is_told: bool
    ) -> tuple[list[Answer], str | None]:
        """Compute one cost again; return its answers if they hold now, and why some are without a price."""
        facts: Facts = row["metadata"] or {}
        basis, old = facts.get("basis"), row["metric_value"]
        plan.told += facts.get("source") != "computed"
        if not stated and facts.get("source") == "computed":
            basis, stated = self._from_elsewhere(execution, _name(row))
        if not stated:
            if not is_told:
                plan.left["the row says nothing of its tokens"] += 1
            return self._keep(plan, old, facts)
        at = _moment(facts, execution, row)
        answers = self._priced(stated, at)
        if any(
            isinstance(answer.price, Unpriced) and "without" not in known and answer.reported is None
            for answer, known in zip(answers, stated, strict=True)
        ):
            # It had a price, and this list has none: no reason to lose it.
            if not is_told:
                plan.left.update(figures(answers).reasons)
            if not is_told or "computed" in facts:
                return self._keep(plan, old, facts)
        new = old
        added = figures(answers)
        if not is_told and added.cost is not None:
            new = Decimal(money_text(added.cost))
        told = {**provenance(answers, facts.get("source", "manual"), at, whole=is_told), **self._how(basis)}
        plan.new_total += new
        if _news(facts) == _news(told) and (is_told or Decimal(money_text(old)) == new):
            plan.unchanged += 1
        else:
            told = self._with_history(facts, {"amount": money_text(old)}, told)
            plan.changes.append(Change(row, old, new, told))
            plan.from_tokens += basis is not None
            _note_effect(plan, row, new - old)
        reason = "; ".join(added.reasons) if added.reasons and not is_told else None
        if reason is not None:
            plan.left.update(added.reasons)
        return answers, reason

    def _add(
        self, plan: Plan, execution: Execution, name: Name, group: list[Facts]
    ) -> tuple[list[Answer], str | None]:
        """Give a cost to tokens that have none; return their answers, and why some are without a price."""
        basis, stated = self._from_elsewhere(execution, name)
        row = group[0]
        at = _moment({}, execution, row)
        answers = self._priced(stated, at)
        added = figures(answers)
        plan.left.update(added.reasons)
        reason = "; ".join(added.reasons) or None
        if added.cost is None:
            return answers, reason
        amount = Decimal(money_text(added.cost))
        source = "computed" if added.reported is None else "provider"
        told = {**provenance(answers, source, at), **self._how(basis if basis == "token rows" else None)}
        why = (
            {"amount": None}
            if execution.unpriced is None
            else {"amount": None, "without": execution.unpriced}
        )
        known = {key: fact for key, fact in (row["metadata"] or {}).items() if key not in FACTS}
        plan.added.append(Change(row, Decimal(0), amount, self._with_history(known, why, told)))
        plan.new_total += amount
        plan.from_tokens += basis == "token rows"
        _note_effect(plan, row, amount)
        return answers, reason

    def _plan_trace(
        self,
        plan: Plan,
        execution: Execution,
        shown: Mapping[Name, list[Answer]],
        reasons: list[str],
        *,
        open_elsewhere: bool,
    ) -> None:
        """Let the trace show the figures of the rows; what stands in it of other models stays."""
        if execution.usage is not None:
            usage = _revalued(execution.usage, shown)
            plan.usage = usage if usage != execution.usage else None
        if execution.unpriced is not None and not open_elsewhere:
            plan.unpriced = "; ".join(dict.fromkeys(reasons)) or None
            plan.context = plan.unpriced != execution.unpriced

    def _priced(self, stated: Iterable[Facts], at: str) -> list[Answer]:
        moment = datetime.strptime(at, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        if self._request.as_of is not None:
            moment = datetime.combine(self._request.as_of, moment.timetz())
        answers = []
        for known in stated:
            units = {name: known[name] for name in PRICED if name in known}
            usage = {**units, "model": known["model"], "provider": known["provider"]}
            price = self._book.price(usage, at=moment)
            answers.append(Answer(known["model"], known["provider"], units, known.get("cost"), price))
        return answers

    @staticmethod
    def _from_elsewhere(execution: Execution, name: Name) -> tuple[str, list[Facts]]:
        """Find the units of a model in the trace, else in its token rows: those know nothing of tiers and searches."""
        entry = _entry_of(execution.usage, name)
        if entry is not None and not entry.keys().isdisjoint(PRICED):
            return "trace", [{**_named(part, name), "cost": None} for part in entry.get("answers", [entry])]
        units: Facts = {}
        for row in _token_groups(execution.rows).get(name, ()):
            count = _COUNTS[row["metric_type"]]
            units[count] = units.get(count, 0) + int(row["metric_value"])
        return "token rows", [_named(units, name)] if units else []

    def _how(self, basis: str | None) -> Facts:
        how: Facts = {} if self._request.as_of is None else {"as_of": self._request.as_of.isoformat()}
        return how if basis is None else {**how, "basis": basis}

    def _with_history(self, old: Facts, figure: Facts, new: Facts) -> Facts:
        """Put the new facts in place of the old, and the old figure at the end of the history."""
        other = {name: fact for name, fact in old.items() if name not in FACTS}
        kept: Facts = {name: old[name] for name in _OLD_FIGURE if name in old}
        entry: Facts = {**figure, **kept, "replaced_at": self._now}
        history: list[Facts] = [*old.get("history", ()), entry]
        return {**other, **new, "history": history}

    @staticmethod
    def _keep(plan: Plan, old: Decimal, facts: Facts) -> tuple[list[Answer], str | None]:
        plan.unchanged += 1
        plan.new_total += old
        return [], facts.get("without")


def _name(row: Facts) -> Name:
    return row["llm_model"], row["llm_provider"]


def _named(units: Facts, name: Name) -> Facts:
    return {**units, "model": name[0], "provider": name[1]}


def _is_by_answer(facts: Facts) -> bool:
    """Tell whether a cost is the sum over answers, some of which say themselves what they cost."""
    stated = [facts["usage"]] if "usage" in facts else facts.get("answers", [])
    return not facts.get("whole") and any("cost" in answer for answer in stated)


def _stated(facts: Facts, name: Name) -> list[Facts]:
    """Return the answers that a row speaks of, each with model and provider."""
    if "usage" in facts:
        # What was told by hand or by the provider need not have had a price, and then says none.
        without = {} if "unit_prices" in facts else {"without": facts.get("without")}
        return [{**_named(facts["usage"], name), **without}]
    return [{"model": name[0], "provider": name[1], **answer} for answer in facts.get("answers", ())]


def _token_groups(rows: Iterable[Facts]) -> dict[Name, list[Facts]]:
    groups: dict[Name, list[Facts]] = {}
    for row in rows:
        if row["metric_type"] in _COUNTS:
            groups.setdefault(_name(row), []).append(row)
    return groups


def _entry_of(usage: Facts | None, name: Name) -> Facts | None:
    entries: list[Facts] = [] if usage is None else usage.get("models", [usage])
    return next((entry for entry in entries if (entry.get("model"), entry.get("provider")) == name), None)


def _moment(facts: Facts, execution: Execution, row: Facts) -> str:
    """Return when the call was made, UTC text in whole seconds."""
    return str(facts.get("at") or execution.started_at or row["timestamp"])[:19]


def _news(facts: Facts) -> Facts:
    news = {name: fact for name, fact in facts.items() if name in FACTS and name not in _NO_NEWS}
    if "answers" in news:
        news["answers"] = [
            {name: fact for name, fact in answer.items() if name != "prices"} for answer in news["answers"]
        ]
    return news


def _revalued(usage: Facts, shown: Mapping[Name, list[Answer]]) -> Facts:
    if "models" in usage:
        return {**usage, "models": [_revalued(entry, shown) for entry in usage["models"]]}
    answers = shown.get((usage.get("model"), usage.get("provider")))
    added = figures(answers) if answers else None
    if added is None or added.cost is None:
        return usage
    source = "computed" if added.reported is None else "provider"
    return {**usage, "cost": money_text(added.cost), "source": source}


def _note_effect(plan: Plan, row: Facts, difference: Decimal) -> None:
    """Note which sums change with a cost."""
    if not difference:
        return
    plan.tasks.add(row["task_id"])
    defect = (row["metadata"] or {}).get("fixing")
    if defect is not None:
        plan.defects[defect] = plan.defects.get(defect, Decimal(0)) + difference
