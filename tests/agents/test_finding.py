"""Finding agents: the documented weights, each part explained, the same order on both databases."""

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.agents import lookup
from asp_telemetry.capture.routing import WEIGHTS
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.testing import capture

TEAM = """
name: debugger
type: specialist
domain: web
capabilities: [debugging, root-cause analysis]
triggers: [debug, stack trace]
trigger_patterns: ['(fix|find).* bug']
context: {language: [python, rust]}
---
name: coder
type: specialist
domain: web
capabilities: [python, testing]
triggers: [implement, write code]
context: {language: python}
---
name: Zorro
type: coordinator
triggers: [plan]
---
name: Écrivain
type: specialist
triggers: [écrire, 翻訳]
---
name: old
type: specialist
status: deprecated
triggers: [debug, plan]
---
name: tried
type: specialist
status: testing
triggers: [debug, plan]
"""


@pytest.fixture
def team(registry, folder):
    folder.write("team.yaml", TEAM)
    asp.load_agents(folder.path, registry.url)
    return registry


def found(team, *args, **kwargs):
    return [match.agent for match in asp.find_agents(*args, url=team.url, **kwargs)]


def test_the_confidence_is_the_documented_sum(team):
    """0.40 trigger + 0.30 context + 0.20 capability + 0.10 historical, each part in the answer."""
    [best, other] = asp.find_agents(
        "Please find this bug",
        capabilities=["Debugging", "python"],
        context={"Language": "PYTHON", "domain": "api"},
        url=team.url,
    )
    assert WEIGHTS == {"trigger": 0.40, "context": 0.30, "capability": 0.20, "historical": 0.10}
    assert (best.agent, best.trigger, best.context, best.capability, best.historical) == (
        "debugger",
        0.8,
        0.5,
        0.5,
        0.5,
    )
    assert best.confidence == pytest.approx(0.4 * 0.8 + 0.3 * 0.5 + 0.2 * 0.5 + 0.1 * 0.5)
    assert (other.agent, other.trigger, other.context, other.capability) == ("coder", 0.0, 0.5, 0.5)
    assert best.explanation == {
        "trigger": "the text has /(fix|find).* bug/",
        "context": "1 of 2 fit: language=PYTHON",
        "capability": "has Debugging, lacks python",
        "historical": "nothing is known yet, which counts as 0.5",
    }
    assert best.reason.startswith("trigger 0.80: the text has /(fix|find).* bug/; context 0.50: ")
    assert best.strategy == "fuzzy_match"


@pytest.mark.parametrize(
    ("text", "agents"),
    [
        ("debug it", ["debugger"]),
        ("DEBUGGING is needed", ["debugger"]),
        ("@debugger please", ["debugger"]),
        ("here is a stack-trace", ["debugger"]),
        ("a trace of the stack", ["debugger"]),
        ("implementing a plan", ["Zorro", "coder"]),
        ("ask zorro", ["Zorro"]),
        ("il faut écrire", ["Écrivain"]),
        ("これを翻訳して", ["Écrivain"]),
        ("nothing of all that", []),
        ("", []),
        ("!?", []),
    ],
)
def test_texts_call_for_agents(team, text, agents):
    """Words in any form, phrases, names and patterns call for active agents; nothing else does."""
    if text:
        assert found(team, text) == agents
    else:
        assert len(found(team, text)) == 4  # nothing is asked for, as without a text


def test_more_signs_weigh_more(team):
    """A phrase weighs more than the same words apart, two triggers more than one, a name more than a word."""

    def trigger(text):
        return asp.find_agents(text, url=team.url)[0].trigger

    assert trigger("plan") < trigger("stack trace") < trigger("stack trace debug") < 1
    assert trigger("the trace of a stack") < trigger("a stack trace")
    assert trigger("plan") < trigger("zorro")


def test_equals_stand_in_the_order_of_their_names(team):
    """Without any question all active agents come, the same order everywhere, capital letters first."""
    assert found(team) == ["Zorro", "coder", "debugger", "Écrivain"]
    assert found(team, limit=2) == ["Zorro", "coder"]


def test_capabilities_alone_and_from_the_text(team):
    """Asked-for capabilities are compared whatever their form; else those count that the text names."""
    [match] = asp.find_agents(capabilities="root cause analysis", url=team.url)
    assert (match.agent, match.capability, match.trigger, match.context) == ("debugger", 1.0, None, None)
    assert match.strategy == "capability_match"
    assert found(team, capabilities=["python", "tests"]) == ["coder"]
    [match] = asp.find_agents("tests!", url=team.url)
    assert (match.agent, match.capability, match.trigger) == ("coder", 1.0, 0.0)
    assert match.explanation["capability"] == "the text speaks of testing"
    assert found(team, capabilities=[]) == found(team)


def test_history_decides_between_equals(team):
    """Who has done better comes first; who is new stands between."""
    team.run(
        "UPDATE agent_definitions SET success_rate = 0.9, quality_score = 0.7 WHERE agent_name = 'debugger';"
        "UPDATE agent_definitions SET success_rate = 0.1 WHERE agent_name = 'Zorro';"
    )
    matches = asp.find_agents(url=team.url, max_age_seconds=0)
    assert [(match.agent, match.historical) for match in matches] == [
        ("debugger", 0.8), ("coder", 0.5), ("Écrivain", 0.5), ("Zorro", 0.1),
    ]  # fmt: skip
    assert matches[0].explanation == {"historical": "success rate 0.90, quality 0.70"}
    assert matches[0].strategy == "historical"


def test_the_registry_is_kept_in_memory(team):
    """A second look-up asks no database; one that shall not be old does; loading makes the next one read."""
    asp.find_agents("debug", url=team.url)
    again = asp.find_agents("debug", url=team.url)
    assert again.cache_hit
    assert again.age_seconds >= 0
    assert set(again.took) == {"cache_lookup", "trigger_matching", "confidence_scoring"}
    team.run("UPDATE agent_definitions SET is_active = false WHERE agent_name = 'debugger'")
    assert found(team, "debug") == ["debugger"]
    fresh = asp.find_agents("debug", url=team.url, max_age_seconds=0)
    assert ([match.agent for match in fresh], fresh.cache_hit) == ([], False)


def test_routers_go_on_while_the_database_is_away(team, monkeypatch):
    """What was read before is used, the trouble is counted; a process that never read it is told."""
    assert found(team, "debug") == ["debugger"]

    class Away:
        async def fetch(self, sql, values):
            raise StoreUnavailableError("away")

        async def close(self):
            pass

    monkeypatch.setattr(lookup, "open_reader", lambda url: Away())
    assert found(team, "debug", max_age_seconds=0) == ["debugger"]
    assert any("registry of agents" in reason for reason in guard.counts())
    lookup.forget(lookup.chosen_database(team.url))
    with pytest.raises(StoreUnavailableError, match="away"):
        found(team, "debug")


def test_rows_written_by_hand_are_found(registry):
    """Rows that no load has checked are used as far as they go; a pattern that cannot be used is told once."""
    array = '\'["(", "deploy"]\'' if registry.is_sqlite else "ARRAY['(', 'deploy']"
    registry.run(
        f"INSERT INTO agent_definitions (agent_name, agent_type, yaml_config, parsed_metadata, trigger_patterns) "
        f"VALUES ('hand', 'gardener', '{{}}', '[1]', {array})"
    )
    assert found(registry, "please deploy") == ["hand"]
    assert guard.counts()["a trigger pattern of the registry cannot be used"] == 1


def test_long_and_hostile_requests_are_bounded(team):
    """Only the head of a text counts, and whatever is handed over gives an answer."""
    assert found(team, "debug " + "x" * 10_000_000) == ["debugger"]
    assert found(team, "x" * 4_000 + " debug") == []
    assert found(team, "debug \0 \ud800") == ["debugger"]
    assert (
        found(team, "debug", context={"language": range(3), 1: None, "type": {"specialist", "x"}})[0]
        == "debugger"
    )
    assert found(team, context={str(n): n for n in range(5_000)}) == []


def test_a_match_can_be_routed(team):
    """What is found goes into `asp.routing()` as it is, and the confidence that it computes is the same."""
    with capture(everywhere=True, strict=True) as recording:
        with asp.routing("debug the stack trace") as routing:
            matches = asp.find_agents("debug the stack trace", context={"domain": "web"}, url=team.url)
            best = matches[0]
            routing.took(**matches.took)
            routing.cache(matches.cache_hit, age_seconds=matches.age_seconds)
            routing.choose(
                best.agent,
                **best.parts,
                reason=best.reason,
                strategy=best.strategy,
                alternatives=matches.alternatives(),
            )
        [row] = recording.rows("SELECT * FROM agent_routing_decisions")
        [metric] = recording.rows(
            "SELECT * FROM router_performance_metrics WHERE metric_type = 'routing_decision'"
        )
    assert (row["selected_agent"], row["confidence_total"]) == ("debugger", best.confidence)
    assert row["selection_reason"] == best.reason
    assert '"coder"' in row["alternatives"]
    assert metric["confidence_scoring_us"] >= 0
    assert matches.as_dicts()[0]["agent"] == "debugger"


def test_the_configured_database_is_asked(configured, folder):
    """A program that has configured where it records asks the same database."""
    folder.agent("here", triggers="[fix]")
    asp.load_agents(folder.path)
    assert configured.rows("SELECT agent_name FROM agent_definitions")[0]["agent_name"] == "here"
    assert [match.agent for match in asp.find_agents("fix")] == ["here"]


def test_a_block_that_records_apart_has_a_registry_of_its_own(configured, folder):
    """Inside `capture()` agents are loaded into, and found in, the block's database alone."""
    folder.agent("here", triggers="[fix]")
    with capture() as recording:
        asp.load_agents(folder.path)
        assert [match.agent for match in asp.find_agents("fix")] == ["here"]
        assert len(recording.rows("SELECT * FROM agent_definitions")) == 1
    asp.load_agents([folder.write("other.yaml", "name: other\ntype: specialist")])
    assert asp.find_agents("fix") == []


def test_a_context_that_is_none_is_refused(team):
    """A context that is no mapping is a mistake of the program, and the message shows what to write."""
    with pytest.raises(asp.ConfigurationError, match="context='python' is no mapping"):
        found(team, context="python")
