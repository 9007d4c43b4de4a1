"""Answers the questions of the analytics in plain Python, over the records as they were made."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from records import PHASES, Record, Work

Rows = list[dict[str, Any]]
KNOWN = PHASES[:-1]
FAILED = {"error", "timeout", "abandoned"}


class Reckoning:
    """Answer for some records and some filters."""

    def __init__(self, work: Work, filters: dict[str, Any]) -> None:
        self.work = work
        self.filters = filters
        self.project_of = {task["task_id"]: task["project_id"] for task in work["task_metadata"]}

    # what is asked about

    def within(self, moment: Any) -> bool:
        since, until = self.filters.get("since"), self.filters.get("until")
        return (since is None or moment >= since) and (until is None or moment < until)

    def wanted(self, value: Any, name: str) -> bool:
        return name not in self.filters or value == self.filters[name]

    def costs(self, *types: str) -> list[Record]:
        return [
            row
            for row in self.work["agent_cost_vector"]
            if row["metric_type"] in types and self.within(row["timestamp"])
            and self.wanted(row["project_id"], "project") and self.wanted(row["user_id"], "user")
            and self.wanted(row["agent_role"], "role") and self.wanted(row["llm_model"], "model")
        ]  # fmt: skip

    def fits(self, trace: Record) -> bool:
        return (
            self.wanted(trace["user_id"], "user") and self.wanted(trace["agent_role"], "role")
            and self.wanted(self.project_of.get(trace["task_id"]), "project")
        )  # fmt: skip

    def traces(self) -> list[Record]:
        return [
            row for row in self.work["execution_traces"]
            if self.within(row["started_at"]) and self.fits(row) and self.called(row)
        ]  # fmt: skip

    def calls(self, trace: Record) -> bool:
        return any(
            row["correlation_id"] == trace["correlation_id"] and row["llm_model"] == self.filters["model"]
            for row in self.work["agent_cost_vector"]
        )

    def called(self, trace: Record) -> bool:
        if "model" not in self.filters:
            return True
        since = self.filters.get("since")
        seen, waiting = set(), [trace]
        while waiting:
            one = waiting.pop()
            if (since is None or one["started_at"] >= since) and self.calls(one):
                return True
            seen.add(one["correlation_id"])
            waiting += [
                row for row in self.work["execution_traces"]
                if row["parent_id"] == one["correlation_id"] and row["kind"] != "agent"
                and row["correlation_id"] not in seen
            ]  # fmt: skip
        return False

    def around(self, table: str, moment: str) -> list[Record]:
        inside = {
            row["correlation_id"]
            for row in self.work["execution_traces"]
            if self.fits(row) and self.called(row)
        }
        everything = not {"project", "user", "role", "model"} & set(self.filters)
        return [
            row
            for row in self.work[table]
            if self.within(row[moment]) and (everything or row["correlation_id"] in inside)
        ]

    def of_project(self, table: str, moment: Callable[[Record], Any]) -> list[Record]:
        return [
            row for row in self.work[table]
            if self.within(moment(row)) and self.wanted(row["project_id"], "project") and self.wanted(row["user_id"], "user")
            and self.worked(row["task_id"])
        ]  # fmt: skip

    def worked(self, task_id: str) -> bool:
        return not {"role", "model"} & set(self.filters) or any(
            row["task_id"] == task_id
            and self.wanted(row["agent_role"], "role")
            and self.wanted(row["llm_model"], "model")
            for row in self.work["agent_cost_vector"]
        )

    # costs

    def spending(self, key: Callable[[Record], dict[str, Any]], rows: list[Record] | None = None) -> Rows:
        types = ("API_Cost", "Latency", "Tokens_In", "Tokens_Out", "Tokens_Cache_Read", "Tokens_Cache_Write",
                 "Tokens_Reasoning", "Tool_Calls", "Retries")  # fmt: skip
        rows = self.costs(*types) if rows is None else rows
        return [{**group, **spent(found)} for group, found in grouped(rows, key)]

    def cost_by_agent_role(self) -> Rows:
        return self.spending(lambda row: {"agent_role": row["agent_role"]})

    def cost_by_model(self) -> Rows:
        found = self.spending(lambda row: {"model": row["llm_model"], "provider": row["llm_provider"]})
        return [row for row in found if row["model"] is not None]

    def cost_by_project(self) -> Rows:
        return self.spending(lambda row: {"project_id": row["project_id"]})

    def cost_by_user(self) -> Rows:
        return self.spending(lambda row: {"user_id": row["user_id"]})

    def cost_by_day(self) -> Rows:
        return self.spending(lambda row: {"day": day_of(row["timestamp"])})

    def cost_in_all(self) -> Rows:
        return self.spending(lambda _: {}) or [spent([])]

    # latency

    def latency(self, metric: str, key: Callable[[Record], dict[str, Any]]) -> Rows:
        return [
            {**group, **distributed([row["metric_value"] for row in found])}
            for group, found in grouped(self.costs(metric), key)
        ]

    def latency_by_agent_role(self) -> Rows:
        return self.latency("Latency", lambda row: {"agent_role": row["agent_role"]})

    def latency_by_day(self) -> Rows:
        return self.latency("Latency", lambda row: {"day": day_of(row["timestamp"])})

    def latency_in_all(self) -> Rows:
        return self.latency("Latency", lambda _: {}) or [distributed([])]

    def first_token_by_model(self) -> Rows:
        return self.latency(
            "Time_To_First_Token", lambda row: {"model": row["llm_model"], "provider": row["llm_provider"]}
        )

    # reliability

    def outcomes_in_all(self) -> Rows:
        return [ended(self.traces())]

    def outcomes_by_day(self) -> Rows:
        groups = grouped(self.traces(), lambda row: {"day": day_of(row["started_at"])})
        return [{**group, **ended(found)} for group, found in groups]

    def error_rates(self) -> Rows:
        groups = grouped(
            self.traces(), lambda row: {name: row[name] for name in ("kind", "name", "agent_role")}
        )
        return [{**group, **ended(found)} for group, found in groups]

    def errors(self) -> Rows:
        failed = [row for row in self.traces() if row["status"] in {"error", "timeout"}]
        rows = []
        for group, found in grouped(
            failed, lambda row: {n: row[n] for n in ("error_type", "agent_role", "name")}
        ):
            newest = max(found, key=lambda row: (row["started_at"], row["correlation_id"]))
            rows.append(
                {**group, "occurrences": len(found), "traces": len({row["root_id"] for row in found}),
                 "first_seen_at": min(row["started_at"] for row in found), "last_seen_at": newest["started_at"],
                 "newest_message": newest["error_message"], "newest_id": str(newest["correlation_id"])}
            )  # fmt: skip
        return rows

    def running(self) -> Rows:
        names = ("kind", "name", "agent_role", "task_id", "user_id", "started_at")
        return [
            {
                "id": str(row["correlation_id"]),
                "root_id": str(row["root_id"]),
                **{name: row[name] for name in names},
            }
            for row in self.traces()
            if row["status"] == "in_progress"
        ]

    def recent_traces(self) -> Rows:
        names = ("kind", "name", "agent_role", "task_id", "user_id", "started_at", "status")
        rows = []
        for root, found in grouped(self.work["execution_traces"], lambda row: {"root_id": row["root_id"]}):
            ids = {row["correlation_id"] for row in found}
            sums = spent([row for row in self.work["agent_cost_vector"] if row["correlation_id"] in ids])
            counted = {
                "root_id": str(root["root_id"]), "executions": len(found),
                "failures": count(row["status"] in FAILED for row in found), "cost_usd": sums["cost_usd"],
            }  # fmt: skip
            if any(self.fits(row) and ("model" not in self.filters or self.calls(row)) for row in found):
                rows += [
                    {"id": str(row["correlation_id"]), **counted, **{name: row[name] for name in names}}
                    for row in found
                    if row["parent_id"] not in ids - {row["correlation_id"]}
                    and self.within(row["started_at"])
                ]
        return sorted(rows, key=lambda row: (row["started_at"], row["id"]), reverse=True)[:50]

    def agent_reliability(self) -> Rows:
        rows = []
        agents = [row for row in self.traces() if row["kind"] == "agent"]
        for group, found in grouped(agents, lambda row: {"agent_role": row["agent_role"]}):
            costs = [row for row in self.costs("API_Cost") if row["agent_role"] == group["agent_role"]]
            cost = sum((row["metric_value"] for row in costs), Decimal(0)) if costs else None
            outcomes = ended(found)
            times = [row["duration_ms"] for row in found if row["duration_ms"] is not None]
            rows.append(
                {**group, **outcomes, **distributed(times), "cost_usd": cost,
                 "cost_per_success_usd": each(cost, outcomes["successes"])}
            )  # fmt: skip
        return rows

    def endpoint_reliability(self) -> Rows:
        rows = []
        calls = self.around("endpoint_calls", "started_at")
        for group, found in grouped(
            calls,
            lambda row: {
                "service": row["service_name"],
                "method": row["http_method"],
                "path": row["endpoint_path"],
            },
        ):
            good = count(row["success"] for row in found)
            rows.append(
                {**group, "calls": len(found), "successes": good,
                 "timeouts": count(row["error_type"] == "timeout" for row in found),
                 "retries": sum(row["retry_count"] or 0 for row in found),
                 "last_failure_at": max((row["started_at"] for row in found if not row["success"]), default=None),
                 **distributed([row["duration_ms"] for row in found if row["duration_ms"] is not None]),
                 "success_rate": good / len(found)}
            )  # fmt: skip
        return rows

    def hook_reliability(self) -> Rows:
        rows = []
        for group, found in grouped(
            self.around("hook_executions", "started_at"),
            lambda row: {n: row[n] for n in ("hook_type", "tool_name")},
        ):
            runs, good = (
                count(row["status"] != "in_progress" for row in found),
                count(row["success"] for row in found),
            )
            rows.append(
                {**group, "runs": runs, "successes": good, "timeouts": count(row["status"] == "timeout" for row in found),
                 "last_started_at": max(row["started_at"] for row in found),
                 **distributed([row["duration_ms"] for row in found if row["duration_ms"] is not None]),
                 "success_rate": good / runs if runs else None}
            )  # fmt: skip
        return rows

    # tasks and defects

    def tasks(self) -> Rows:
        rows = []
        for task in self.of_project("task_metadata", lambda row: row["created_at"]):
            thought = json.loads(task["estimated_cost_vector_json"] or "null")
            took = json.loads(task["actual_cost_vector_json"] or "null")
            figures = {
                name: (number(thought, name), number(took, name))
                for name in ("latency_ms", "tokens", "api_cost_usd")
            }
            complexities = task["estimated_complexity"], task["actual_complexity"]
            size = complexities[0] if complexities[1] is None else complexities[1]
            rows.append(
                {
                    "task_id": task["task_id"], "status": task["status"],
                    "estimated_cost_usd": figures["api_cost_usd"][0], "actual_cost_usd": figures["api_cost_usd"][1],
                    "estimated_tokens": figures["tokens"][0], "actual_latency_ms": figures["latency_ms"][1],
                    "latency_error": off(*figures["latency_ms"]), "tokens_error": off(*figures["tokens"]),
                    "cost_error": off(*figures["api_cost_usd"]), "complexity_error": off(*complexities),
                    "defect_density": None if task["defect_count"] is None or not size else task["defect_count"] / size,
                }
            )  # fmt: skip
        return rows

    def estimate_accuracy(self) -> Rows:
        done = [
            task for task in self.of_project("task_metadata", lambda row: row["created_at"])
            if task["status"] == "completed"
        ]  # fmt: skip
        rows = []
        for figure, unit, name in (
            ("complexity", "units", None), ("latency", "ms", "latency_ms"), ("tokens", "tokens", "tokens"),
            ("cost", "USD", "api_cost_usd"),
        ):  # fmt: skip
            pairs = [
                (task["estimated_complexity"], task["actual_complexity"])
                if name is None
                else tuple(
                    number(json.loads(task[f"{which}_cost_vector_json"] or "null"), name)
                    for which in ("estimated", "actual")
                )
                for task in done
            ]
            known = [(e, a) for e, a in pairs if e is not None and a is not None and e > 0 and a > 0]
            off_by = [abs(e - a) / a for e, a in known]
            rows.append(
                {
                    "figure": figure, "unit": unit, "tasks": len(known),
                    "mape_share": math.fsum(off_by) / len(known) if known else None,
                    "bias_share": math.fsum(a for _, a in known) / math.fsum(e for e, _ in known) - 1 if known else None,
                    "near_share": sum(one <= 0.2 for one in off_by) / len(known) if known else None,
                }
            )  # fmt: skip
        return rows

    def cost_per_successful_task(self) -> Rows:
        tasks = [
            task for task in self.of_project("task_metadata", lambda row: row["completed_at"] or row["created_at"])
            if task["status"] in {"completed", "failed"}
        ]  # fmt: skip
        rows = []
        for group, found in grouped(
            tasks, lambda row: {"project_id": row["project_id"], "task_type": row["task_type"]}
        ):
            costs: dict[str, Decimal] = defaultdict(Decimal)
            for row in self.work["agent_cost_vector"]:
                if row["metric_type"] == "API_Cost" and row["task_id"] in {task["task_id"] for task in found}:
                    costs[row["task_id"]] += row["metric_value"]
            cost = sum(costs.values()) if costs else None
            done = count(task["status"] == "completed" for task in found)
            rows.append(
                {**group, "tasks": len(found), "successes": done, "priced": len(costs), "cost_usd": cost,
                 "success_rate": done / len(found), "cost_per_success_usd": each(cost, done)}
            )  # fmt: skip
        return rows

    def real_defects(self) -> list[Record]:
        return [
            row
            for row in self.of_project("defect_log", lambda row: row["created_at"])
            if not row["false_positive"]
        ]

    def defects(self) -> Rows:
        return [logged(row) for row in self.of_project("defect_log", lambda row: row["created_at"])]

    def defects_by_type(self) -> Rows:
        rows = []
        for group, found in grouped(self.real_defects(), lambda row: {"defect_type": row["defect_type"]}):
            efforts = [json.loads(row["effort_to_fix_json"] or "null") for row in found]
            costs = [cost for effort in efforts if (cost := number(effort, "api_cost_usd")) is not None]
            times = [time for effort in efforts if (time := number(effort, "latency_ms")) is not None]
            rows.append(
                {**group, "defects": len(found),
                 **{name.lower(): count(row["severity"] == name for row in found)
                    for name in ("Critical", "High", "Medium", "Low")},
                 "unresolved": count(row["resolved_at"] is None for row in found),
                 "fix_cost_usd": sum(Decimal(str(cost)) for cost in costs) if costs else None,
                 "fix_ms": sum(times) if times else None}
            )  # fmt: skip
        return rows

    def defects_by_phase(self) -> Rows:
        groups = grouped(
            self.real_defects(), lambda row: {n: row[n] for n in ("phase_injected", "phase_removed")}
        )
        return [{**group, "defects": len(found)} for group, found in groups]

    def phase_yields(self) -> Rows:
        places = [
            (KNOWN.index(row["phase_injected"]), KNOWN.index(row["phase_removed"]))
            for row in self.real_defects()
            if row["phase_injected"] in KNOWN and row["phase_removed"] in KNOWN
        ]
        places = [(put_in, taken_out) for put_in, taken_out in places if put_in < taken_out]
        rows = []
        for here, phase in enumerate(KNOWN):
            present = [taken_out for put_in, taken_out in places if put_in <= here and taken_out >= here]
            removed = present.count(here)
            rows.append(
                {"phase": phase, "injected": count(put_in == here for put_in, _ in places), "removed": removed,
                 "escaped": len(present) - removed, "phase_yield": removed / len(present) if present else None}
            )  # fmt: skip
        return rows

    def review_effectiveness(self) -> Rows:
        rows = []
        for phase in ("DesignReview", "CodeReview"):
            here = KNOWN.index(phase)
            right = wrong = unknown = escaped = 0
            for row in self.of_project("defect_log", lambda row: row["created_at"]):
                if row["phase_injected"] not in KNOWN or row["phase_removed"] not in KNOWN:
                    continue
                put_in, taken_out = KNOWN.index(row["phase_injected"]), KNOWN.index(row["phase_removed"])
                if taken_out == here and row["flagged_by_agent"]:
                    wrong += bool(row["false_positive"])
                    right += bool(row["validated_by_human"]) and not row["false_positive"]
                    unknown += not row["validated_by_human"] and not row["false_positive"]
                escaped += put_in < here < taken_out and not row["false_positive"]
            judged, there = right + wrong, right + escaped
            rows.append(
                {"review_phase": phase, "true_positives": right, "false_positives": wrong, "unvalidated": unknown,
                 "escapes": escaped, "true_positive_rate": right / judged if judged else None,
                 "false_positive_rate": wrong / judged if judged else None,
                 "escape_rate": escaped / there if there else None}
            )  # fmt: skip
        return rows

    def defect_density_by_component(self) -> Rows:
        every_task = {task["task_id"]: task for task in self.work["task_metadata"]}
        defects = [row for row in self.real_defects() if row["component_path"] is not None]
        touched = {(row["component_path"], row["task_id"]) for row in defects}
        for task in self.of_project("task_metadata", lambda row: row["created_at"]):
            touched |= {(path, task["task_id"]) for path in task["components_affected"] or ()}
        rows = []
        for path in {path for path, _ in touched}:
            tasks = [task for other, task in touched if other == path]
            sizes = [
                size
                for task in tasks
                if task in every_task and (size := complexity(every_task[task])) is not None
            ]
            own = [row for row in defects if row["component_path"] == path]
            rows.append(
                {"component_path": path, "tasks": len(tasks), "complexity": sum(sizes) if sizes else None,
                 "defects": len(own), "severe_defects": count(row["severity"] in {"Critical", "High"} for row in own),
                 "defect_density": len(own) / sum(sizes) if sum(sizes) else None}
            )  # fmt: skip
        return rows

    # router, patterns, bootstrap

    def routed(self, key: str, column: str) -> Rows:
        decisions = [
            row
            for row in self.around("router_performance_metrics", "measured_at")
            if row["metric_type"] == "routing_decision"
        ]
        rows = []
        for group, found in grouped(decisions, lambda row: {key: row[column]}):
            times = [
                row["total_routing_time_us"] for row in found if row["total_routing_time_us"] is not None
            ]
            hits, misses = (
                count(row["cache_hit"] is True for row in found),
                count(row["cache_hit"] is False for row in found),
            )
            judged = [row["actual_success"] for row in found if row["actual_success"] is not None]

            def mean(name: str, rows: list[Record] = found, *, absolute: bool = False) -> float | None:
                values = [abs(row[name]) if absolute else row[name] for row in rows if row[name] is not None]
                return float(sum(values) * 10**6) / len(values) / 10**6 if values else None

            rows.append(
                {**group, "decisions": len(found), "average_us": sum(times) / len(times) if times else None,
                 "p50_us": ranked(times, 50), "p95_us": ranked(times, 95), "p99_us": ranked(times, 99),
                 "max_us": max(times, default=None), "over_target": count(time > 100_000 for time in times),
                 "cache_hits": hits, "cache_misses": misses, "confidence": mean("confidence_score"),
                 **{name: mean(name) for name in ("trigger_confidence", "context_confidence", "capability_confidence",
                                                  "historical_confidence")},
                 "validated": count(row["selection_validated"] for row in found), "judged": len(judged),
                 "successes": count(judged), "prediction_error": mean("prediction_error"),
                 "absolute_prediction_error": mean("prediction_error", absolute=True),
                 "cache_hit_rate": hits / (hits + misses) if hits + misses else None,
                 "success_rate": count(judged) / len(judged) if judged else None}
            )  # fmt: skip
        return rows

    def router_quality(self) -> Rows:
        return self.routed("strategy", "selection_strategy")

    def router_quality_by_agent(self) -> Rows:
        return self.routed("selected_agent", "selected_agent")

    def pattern_effectiveness(self) -> Rows:
        rows = []
        for pattern in self.work["success_patterns"]:
            offers = [
                row
                for row in self.around("pattern_usage_log", "used_at")
                if row["pattern_id"] == pattern["id"]
            ]
            used = [row for row in offers if row["used"]]
            good, bad = (
                count(row["success"] is True for row in used),
                count(row["success"] is False for row in used),
            )
            partly = count(row["success"] is False and row["outcome"] == "partial_success" for row in used)
            matches = [row["match_score"] for row in offers]
            variances = [
                row["performance_variance"] for row in offers if row["performance_variance"] is not None
            ]
            rows.append(
                {"pattern_id": str(pattern["id"]), "template": pattern["prompt_text"], "offered": len(offers), "used": len(used), "successes": good,
                 "partial_successes": partly, "failures": bad - partly,
                 "average_match": float(sum(matches) * 10**6) / len(matches) / 10**6 if matches else None,
                 "average_variance": float(sum(variances) * 10**6) / len(variances) / 10**6 if variances else None,
                 "use_rate": len(used) / len(offers) if offers else None,
                 "success_rate": good / (good + bad) if good + bad else None}
            )  # fmt: skip
        return rows

    def error_patterns(self) -> Rows:
        names = (
            "error_type",
            "agent",
            "hook_type",
            "endpoint_path",
            "severity",
            "first_seen_at",
            "last_seen_at",
        )
        return [
            {"pattern_id": str(row["id"]), "message": row["error_message_pattern"],
             "occurrences": row["occurrence_count"], **{name: row[name] for name in names}}
            for row in self.work["error_patterns"]
            if self.within(row["last_seen_at"])
        ]  # fmt: skip

    def chaining_patterns(self) -> Rows:
        names = ("primary_agent", "delegated_agents", "delegation_depth", "success_rate", "last_used_at")
        return [
            {"pattern_id": str(row["id"]), "uses": row["usage_count"], "average_ms": row["avg_total_duration_ms"],
             "average_overhead_ms": row["avg_coordination_overhead_ms"], **{name: row[name] for name in names}}
            for row in self.work["agent_chaining_patterns"]
            if self.within(row["last_used_at"] or row["created_at"])
        ]  # fmt: skip

    # one task

    def task(self, task_id: str) -> Rows:
        names = (
            "task_id",
            "project_id",
            "status",
            "created_at",
            "completed_at",
            "estimated_complexity",
            "defect_count",
        )
        return [
            {name: row[name] for name in names}
            for row in self.work["task_metadata"]
            if row["task_id"] == task_id
        ]

    def task_executions(self, task_id: str) -> Rows:
        names = (
            "kind",
            "name",
            "agent_role",
            "started_at",
            "duration_ms",
            "status",
            "error_type",
            "error_message",
        )
        rows = []
        for row in self.work["execution_traces"]:
            if row["task_id"] != task_id:
                continue
            own = [
                metric
                for metric in self.work["agent_cost_vector"]
                if (metric["task_id"], metric["correlation_id"]) == (task_id, row["correlation_id"])
            ]
            costs = [metric["metric_value"] for metric in own if metric["metric_type"] == "API_Cost"]
            tokens = [
                metric["metric_value"]
                for metric in own
                if metric["metric_type"] in {"Tokens_In", "Tokens_Out"}
            ]
            rows.append(
                {"id": str(row["correlation_id"]), "root_id": str(row["root_id"]), **{name: row[name] for name in names},
                 "cost_usd": sum(costs) if costs else None, "tokens": int(sum(tokens)) if tokens else None}
            )  # fmt: skip
        return rows

    def task_defects(self, task_id: str) -> Rows:
        return [logged(row) for row in self.work["defect_log"] if row["task_id"] == task_id]

    def bootstrap_status(self) -> Rows:
        groups = grouped(self.work["bootstrap_metrics"], lambda row: {"capability": row["capability_name"]})
        return [measured(max(found, key=lambda row: (row["measured_at"], row["id"]))) for _, found in groups]

    def bootstrap_history(self) -> Rows:
        return [measured(row) for row in self.work["bootstrap_metrics"] if self.within(row["measured_at"])]

    # versions

    def agent_versions(self) -> Rows:
        filters = {name: value for name, value in self.filters.items() if name != "model"}
        rows = Reckoning(self.work, filters).costs("Latency")
        groups = grouped(rows, lambda row: {"agent_role": row["agent_role"], "version": row["agent_version"]})
        return [
            {**group, "runs": len(found), "first_run_at": min(row["timestamp"] for row in found),
             "last_run_at": max(row["timestamp"] for row in found)}
            for group, found in groups
        ]  # fmt: skip

    def compare_versions(self, role: str, before: str, after: str) -> Rows:
        """Return what is known of both versions; how sure a difference is has tests of its own."""
        costs: dict[str, dict[str, Decimal]] = {before: {}, after: {}}
        tokens: dict[str, dict[str, Decimal]] = {before: {}, after: {}}
        times: dict[str, list[Decimal]] = {before: [], after: []}
        ends: dict[str, list[str]] = {before: [], after: []}
        statuses = {row["correlation_id"]: row["status"] for row in self.work["execution_traces"]}
        for row in self.costs("API_Cost", "Tokens_In", "Tokens_Out", "Latency"):
            version = row["agent_version"]
            if row["agent_role"] != role or version not in costs:
                continue
            if row["metric_type"] == "Latency":
                times[version].append(row["metric_value"])
                if statuses.get(row["correlation_id"]) in FAILED | {"success"}:
                    ends[version].append(statuses[row["correlation_id"]])
            else:
                of_task = costs[version] if row["metric_type"] == "API_Cost" else tokens[version]
                of_task[row["task_id"]] = of_task.get(row["task_id"], Decimal(0)) + row["metric_value"]
        tasks = {version: {*costs[version], *tokens[version]} for version in costs}
        put_in = Counter(
            row["task_id"]
            for row in self.work["defect_log"]
            if row["phase_injected"] == role and not row["false_positive"]
        )
        alone = {
            version: tasks[version] - tasks[other] for version, other in ((before, after), (after, before))
        }
        samples = {
            "cost per task": {version: list(costs[version].values()) for version in costs},
            "tokens per task": {version: list(tokens[version].values()) for version in costs},
            "latency per run": times,
            "success rate": {version: [end == "success" for end in ends[version]] for version in costs},
            "defects per task": {version: [put_in[task] for task in alone[version]] for version in costs},
        }
        rows = []
        for measure, values in samples.items():
            means = [
                float(sum(values[one])) / len(values[one]) if values[one] else None for one in (before, after)
            ]
            rows.append(
                {"measure": measure, "samples_before": len(values[before]), "samples_after": len(values[after]),
                 "before": means[0], "after": means[1]}
            )  # fmt: skip
        return rows


def grouped(
    rows: Iterable[Record], key: Callable[[Record], dict[str, Any]]
) -> list[tuple[dict[str, Any], list[Record]]]:
    groups: dict[tuple[Any, ...], tuple[dict[str, Any], list[Record]]] = {}
    for row in rows:
        group = key(row)
        groups.setdefault(tuple(group.values()), (group, []))[1].append(row)
    return list(groups.values())


def spent(rows: list[Record]) -> dict[str, Any]:
    def values(metric: str) -> list[Decimal]:
        return [row["metric_value"] for row in rows if row["metric_type"] == metric]

    def tokens(metric: str) -> int:
        return int(sum(values(metric)))

    times = [row["metric_value"] for row in rows if row["metric_type"] == "Latency" and not row["nested"]]
    inside, out = tokens("Tokens_In"), tokens("Tokens_Out")
    return {
        "agent_runs": len(values("Latency")), "model_calls": len(values("Tokens_In")),
        "cost_usd": sum(values("API_Cost"), Decimal(0)) if values("API_Cost") else None,
        "tokens_in": inside, "tokens_out": out, "tokens_cache_read": tokens("Tokens_Cache_Read"),
        "tokens_cache_write": tokens("Tokens_Cache_Write"), "tokens_reasoning": tokens("Tokens_Reasoning"),
        "tool_calls": tokens("Tool_Calls"), "retries": tokens("Retries"),
        "latency_ms": float(sum(times)) if times else None,
        "cache_read_share": tokens("Tokens_Cache_Read") / inside if inside else None,
        "reasoning_share": tokens("Tokens_Reasoning") / out if out else None,
        "output_share": out / (inside + out) if inside + out else None,
    }  # fmt: skip


def distributed(times: list[Decimal]) -> dict[str, Any]:
    average = float(sum(times) * 10**6) / len(times) / 10**6 if times else None
    return {
        "measured": len(times), "average_ms": None if average is None else round(average, 6),
        **{f"p{part}_ms": ranked(times, part) for part in (50, 90, 95, 99)}, "max_ms": max(times, default=None),
    }  # fmt: skip


def ranked(values: list[Any], part: int) -> Any:
    """Return the nearest-rank percentile."""
    return sorted(values)[math.ceil(len(values) * part / 100) - 1] if values else None


def ended(rows: list[Record]) -> dict[str, Any]:
    statuses = [row["status"] for row in rows]
    over = len(statuses) - statuses.count("in_progress")
    return {
        "executions": over, "in_progress": statuses.count("in_progress"), "successes": statuses.count("success"),
        "errors": statuses.count("error"), "timeouts": statuses.count("timeout"),
        "cancelled": statuses.count("cancelled"), "abandoned": statuses.count("abandoned"),
        "success_rate": statuses.count("success") / over if over else None,
        "error_rate": count(status in FAILED for status in statuses) / over if over else None,
    }  # fmt: skip


def logged(row: Record) -> dict[str, Any]:
    names = ("defect_id", "created_at", "resolved_at", "task_id", "defect_type", "severity", "phase_injected",
             "phase_removed", "component_path", "description", "flagged_by_agent", "validated_by_human", "false_positive")  # fmt: skip
    return {name: row[name] for name in names}


def measured(row: Record) -> dict[str, Any]:
    value, target = row["primary_metric_value"], row["primary_metric_target"]
    reached = value <= target if row["metric_direction"] == "lower_is_better" else value >= target
    return {
        "capability": row["capability_name"], "mode": row["capability_mode"], "measured_at": row["measured_at"],
        "value": value, "target": target, "graduation_criteria_met": row["graduation_criteria_met"], "on_target": reached,
        "enough_tasks": row["tasks_completed"] >= row["tasks_required_for_graduation"],
    }  # fmt: skip


def day_of(moment: Any) -> date:
    return moment.astimezone(UTC).date()


def count(those: Iterable[Any]) -> int:
    return sum(map(bool, those))


def each(cost: Any, those: int) -> Decimal | None:
    return None if cost is None or not those else (cost / those).quantize(Decimal("1E-10"))


def number(vector: Any, name: str) -> Any:
    value = vector.get(name) if isinstance(vector, dict) else None
    return None if isinstance(value, bool | str) else value


def complexity(task: Record) -> Any:
    return task["estimated_complexity"] if task["actual_complexity"] is None else task["actual_complexity"]


def off(thought: Any, took: Any) -> float | None:
    return None if thought is None or took is None or thought <= 0 else (took - thought) / thought
