"""Costs can be computed again under other prices: exactly, with everything that sums them up, and without losing a figure."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asp_telemetry as asp

SONNET = "claude-sonnet-4-20250514"
LIST_PRICE = Decimal("0.0006")  # 100 x 3 + 20 x 15 USD per million
CHEAP = f'model = "{SONNET}"\ninput_mtok = 0.1\noutput_mtok = 1'
DEAR = 'model = "claude-*"\ninput_mtok = 30\noutput_mtok = 150'
OWN = 'model = "in-house-*"\ninput_mtok = 0.07\noutput_mtok = 1.15'


def test_a_cost_is_computed_again_and_the_old_one_stays(ledger):
    """The row has the new figure and says where it comes from; its history has the old one, with its prices."""
    ledger.call(SONNET)
    summary = ledger.reprice(ledger.prices(CHEAP))
    value, facts = ledger.cost()
    assert value == Decimal("0.00003")
    assert facts["unit_prices"] == {"input_tokens": "0.1", "output_tokens": "1"}
    assert facts["priced_as"] == f"*/{SONNET}"
    assert facts["prices"].startswith("prices-")
    (old,) = facts["history"]
    assert Decimal(old["amount"]) == LIST_PRICE
    assert (old["priced_as"], old["unit_prices"]["input_tokens"]) == ("anthropic/claude-sonnet-4-0", "3")
    assert old["prices"].startswith("genai-prices")
    assert (summary.changed, summary.old_total, summary.new_total) == (1, LIST_PRICE, Decimal("0.00003"))
    ((usage, _),) = ledger.traces()
    assert (usage["cost"], usage["source"]) == ("0.00003", "computed")


def test_a_second_run_changes_nothing(ledger):
    """Repeated under the same prices, a repricing leaves every row, and every time of change, as it is."""
    with asp.task("T"):
        ledger.call(SONNET)
        ledger.call("in-house-7b")
        ledger.call(SONNET, "claude-opus-4-8", "in-house-7b", SONNET)
        ledger.call(SONNET, cost="0.5")
    prices = ledger.prices(CHEAP, OWN)
    assert ledger.reprice(prices).writes == 5
    before = ledger.everything()
    again = ledger.reprice(prices)
    assert (again.writes, again.unchanged) == (0, 6)
    assert again.old_total == again.new_total
    assert ledger.everything() == before


def test_the_installed_prices_change_nothing(ledger):
    """What the writer has priced, repricing under the same list finds right, whatever the answers were."""
    with asp.task("T"):
        ledger.call(SONNET, "claude-opus-4-8", "in-house-7b", SONNET)
        ledger.call(SONNET, service_tier="batch")
        ledger.call(SONNET, cost="0.5")
        ledger.call(cost="0.25")
        asp.current_span().record_metric("API_Cost", "0.125", "USD")
        ledger.call("in-house-7b")
        ledger.call(SONNET, cache_read_input_tokens=7, server_tool_use={"web_search_requests": 2})
    before = ledger.everything()
    summary = ledger.reprice()
    assert (summary.writes, summary.unchanged, summary.told) == (0, 7, 3)
    assert summary.left == {"the price list has no model 'in-house-7b' of provider 'anthropic'": 2}
    assert ledger.everything() == before


def test_an_unknown_model_gets_its_price(ledger):
    """A cost that was unknown is added beside its tokens, the trace says it, and nothing is unpriced any more."""
    with asp.task("T", project_id="P"), asp.span("Code", kind="agent", agent_role="Code", iteration=3):
        ledger.call("in-house-7b")
    ((_, context),) = ledger.traces()
    assert context["unpriced"]
    assert ledger.costs() == []
    summary = ledger.reprice(ledger.prices(OWN))
    value, facts = ledger.cost()
    assert value == Decimal("0.00003")
    assert (facts["source"], facts["usage"]) == ("computed", {"input_tokens": 100, "output_tokens": 20})
    assert facts["history"][0]["amount"] is None
    assert facts["history"][0]["without"] == context["unpriced"]
    assert (summary.added, summary.old_total, summary.new_total) == (1, 0, Decimal("0.00003"))
    ((usage, context),) = ledger.traces()
    assert (usage["cost"], "unpriced" in context) == ("0.00003", False)
    assert ledger.task_cost() == Decimal("0.00003")
    like = "timestamp, task_id, project_id, agent_role, agent_iteration, correlation_id, llm_model, llm_provider, nested"
    rows = ledger.database.rows(f"SELECT DISTINCT {like} FROM agent_cost_vector WHERE llm_model IS NOT NULL")
    assert len(rows) == 1
    assert (rows[0][1:5]) == ("T", "P", "Code", 3)


def test_tiers_and_searches_are_priced_as_they_were_served(ledger):
    """What a row says of an answer suffices for its exact price: one-hour writes, searches, tier, answer by answer."""
    ledger.call(
        "in-house-7b", cache_creation_input_tokens=50, cache_read_input_tokens=30, service_tier="batch",
        cache_creation={"ephemeral_1h_input_tokens": 20}, server_tool_use={"web_search_requests": 3},
    )  # fmt: skip
    with asp.span("call", kind="generation") as span:
        for tier in ("standard", "batch", "standard"):
            span.record_usage(ledger.usage("in-house-7b", service_tier=tier))
    rest = "output_mtok = 8\ncache_read_mtok = 0.5\ncache_write_mtok = 4\ncache_write_1h_mtok = 6\nweb_searches_kcount = 10"
    plain = f'model = "in-house-*"\ninput_mtok = 2\n{rest}'
    ledger.reprice(
        ledger.prices(f'service_tier = "batch"\n{plain}'.replace("input_mtok = 2", "input_mtok = 1"), plain)
    )
    found = [value for _, value, _ in ledger.costs()]
    millionths = 100 * 1 + 30 * Decimal("0.5") + 30 * 4 + 20 * 6 + 20 * 8
    assert found == [millionths / 10**6 + Decimal("0.03"), Decimal(2 * 360 + 260) / 10**6]
    facts = ledger.costs()[1][2]
    assert [answer.get("unit_prices", {}).get("input_tokens") for answer in facts["answers"]] == [
        None,
        "1",
        None,
    ]
    ledger.reprice(ledger.prices(plain))
    assert [value for _, value, _ in ledger.costs()] == [
        found[0] + Decimal("0.0001"),
        Decimal(3 * 360) / 10**6,
    ]


def test_what_was_told_stays(ledger):
    """The provider's figure and one's own stay; the computed figure beside them is brought up to date, with its history."""
    ledger.call(SONNET, cost="0.0382")
    with asp.span("call") as span:
        span.record_usage(ledger.usage(SONNET))
        span.record_cost("0.5", source="manual")
    ledger.reprice(ledger.prices(CHEAP))
    (_, told, first), (_, manual, second) = ledger.costs()
    assert (told, first["source"], first["computed"]) == (Decimal("0.0382"), "provider", "0.00003")
    assert (manual, second["source"], second["computed"]) == (Decimal("0.5"), "manual", "0.00003")
    assert [(old["amount"], old["computed"]) for old in first["history"]] == [("0.0382", "0.0006")]
    assert [usage["cost"] for usage, _ in ledger.traces()] == ["0.0382", "0.5"]


def test_one_of_two_answers_told_its_cost(ledger):
    """Where some answers told what they cost and some did not, only what was computed is computed again."""
    with asp.span("call", kind="generation") as span:
        for cost in ({"cost": 0.25}, {}):
            usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, **cost}
            span.record_usage({"object": "chat.completion", "model": SONNET, "choices": [], "usage": usage})
    assert ledger.cost()[0] == Decimal("0.25") + LIST_PRICE
    ledger.reprice(ledger.prices(CHEAP))
    value, facts = ledger.cost()
    assert value == Decimal("0.25003")
    assert (facts["source"], facts["computed"]) == ("provider", "0.00006")


def test_the_history_keeps_every_figure_in_order(ledger):
    """However often prices change, no figure is lost, and their order is that of time."""
    ledger.call(SONNET)
    files = [ledger.prices(CHEAP), ledger.prices(DEAR), ledger.prices(CHEAP.replace("0.1", "0.2"))]
    for prices in files:
        ledger.reprice(prices)
    value, facts = ledger.cost()
    assert value == Decimal("0.00004")
    assert [old["amount"] for old in facts["history"]] == ["0.0006", "0.00003", "0.006"]
    replaced = [old["replaced_at"] for old in facts["history"]]
    assert replaced == sorted(replaced)
    assert [old["prices"].partition(" ")[0] for old in facts["history"][1:]] == [
        path.name for path in files[:2]
    ]


def test_all_that_sums_up_costs_follows(ledger):
    """A finished task's cost and the cost of fixing a defect are those of the new prices; an open task waits for its end."""
    with asp.task("T"):
        defect = asp.log_defect(
            defect_type="6_Conventional_Code_Bug",
            phase_injected="Code",
            phase_removed="Test",
            description="d",
        )
        ledger.call(SONNET)
        with asp.fixing(defect):
            ledger.call(SONNET)
            ledger.call("in-house-7b")
    ledger.reprice(ledger.prices(CHEAP, OWN))
    assert ledger.task_cost() == Decimal("0.00009")

    def effort():
        ((text,),) = ledger.database.rows("SELECT effort_to_fix_json FROM defect_log")
        found = json.loads(text, parse_float=Decimal)
        return Decimal(found["api_cost_usd"]).quantize(Decimal("1E-10")), found["tokens"]

    assert effort() == (Decimal("0.00006"), 240)
    ledger.reprice(ledger.prices(DEAR, OWN))
    assert ledger.task_cost() == Decimal("0.01203")
    assert effort() == (Decimal("0.00603"), 240)
    (total,) = ledger.database.rows("SELECT sum(api_cost_usd) FROM trace_summary")
    assert Decimal(str(total[0])).quantize(Decimal("1E-10")) == Decimal("0.01203")


@pytest.mark.parametrize(
    ("wanted", "changed"),
    [
        ({"model": "claude-opus*"}, 1),
        ({"provider": "anthropic"}, 2),
        ({"provider": "openai"}, 0),
        ({"model": "CLAUDE-*", "provider": "anth*"}, 2),
        ({"since": datetime.now(UTC) + timedelta(days=1)}, 0),
        ({"until": datetime(2021, 1, 1, tzinfo=UTC)}, 0),
    ],
)
def test_only_what_is_asked_for(ledger, wanted, changed):
    """Model, provider and time pick the costs; the others stay as they are."""
    ledger.call(SONNET)
    ledger.call("claude-opus-4-8")
    assert ledger.reprice(ledger.prices(DEAR), **wanted).changed == changed
    assert sum("history" in facts for _, _, facts in ledger.costs()) == changed


def test_a_dry_run_changes_nothing(ledger):
    """A dry run says what a run would do, to the last digit, and writes nothing."""
    with asp.task("T"):
        ledger.call(SONNET)
        ledger.call("in-house-7b")
    before, prices = ledger.everything(), ledger.prices(CHEAP, OWN)
    planned = ledger.reprice(prices, dry_run=True)
    assert ledger.everything() == before
    assert ledger.reprice(prices) == planned
    assert planned.writes == 2


def test_prices_of_another_day(ledger):
    """All costs can be computed as of one day; the row says which day that was, and when the call was made."""
    ledger.call(SONNET)
    entries = [f"{CHEAP}\nvalid_to = 2026-01-31", f"{DEAR}\nvalid_from = 2026-02-01"]
    prices = ledger.prices(*entries)
    ledger.reprice(prices, as_of=date(2026, 1, 31))
    value, facts = ledger.cost()
    assert (value, facts["as_of"]) == (Decimal("0.00003"), "2026-01-31")
    ledger.reprice(prices)
    value, facts = ledger.cost()
    assert value == Decimal("0.006")
    assert "as_of" not in facts
    assert facts["history"][1]["as_of"] == "2026-01-31"


def test_a_price_is_not_lost_to_a_shorter_list(ledger):
    """A model that the new list does not know keeps the cost that it has, and the summary says why."""
    ledger.call("in-house-7b")
    ledger.reprice(ledger.prices(OWN))
    before = ledger.cost()
    summary = ledger.reprice()
    assert ledger.cost() == before
    assert (summary.writes, summary.left.total()) == (0, 1)


def test_archived_and_pruned_traces(ledger):
    """Costs are computed again when their traces are archived, and from the token rows when they are gone for good."""
    ledger.call("in-house-7b")
    ledger.call("in-house-8b")
    ledger.commit()
    ledger.database.run(
        "INSERT INTO execution_traces_archive SELECT * FROM execution_traces "
        "WHERE context IS NOT NULL ORDER BY started_at LIMIT 1; DELETE FROM execution_traces;"
    )
    summary = ledger.reprice(ledger.prices(OWN))
    assert (summary.added, summary.from_tokens) == (2, 1)
    (_, first, kept), (_, second, gone) = ledger.costs()
    assert first == second == Decimal("0.00003")
    assert ("basis" in kept, gone["basis"]) == (False, "token rows")
    ((usage, context),) = ledger.database.rows("SELECT usage, context FROM execution_traces_archive")
    assert json.loads(usage)["cost"] == "0.00003"
    assert "unpriced" not in json.loads(context or "{}")
    assert ledger.reprice(ledger.prices(OWN)).writes == 0


def test_rows_that_say_less(ledger):
    """Rows of an older version, which name only the price list, are computed from trace and tokens, and marked so."""
    ledger.call(SONNET)
    ledger.commit()
    ledger.database.run(
        """UPDATE agent_cost_vector SET metadata = '{"source":"computed","prices":"x"}' WHERE metric_type = 'API_Cost'"""
    )
    summary = ledger.reprice(ledger.prices(CHEAP))
    value, facts = ledger.cost()
    assert (value, facts["basis"], summary.from_tokens) == (Decimal("0.00003"), "trace", 1)
    assert facts["history"][0] | {"replaced_at": ""} == {"amount": "0.0006", "prices": "x", "replaced_at": ""}


@pytest.mark.parametrize(
    "metadata",
    [
        "null", '"text"', "[1]", '{"source":"computed","usage":5}', '{"source":"computed","usage":{"input_tokens":"x"}}',
        '{"source":"computed","answers":[1]}', '{"source":"computed","at":"yesterday","usage":{"input_tokens":1}}',
        '{"source":7,"usage":{"input_tokens":1},"history":3}',
    ],
)  # fmt: skip
def test_foreign_rows_stop_nothing(ledger, metadata):
    """A row whose metadata somebody else has written stays as it is, and the others are repriced."""
    ledger.call(SONNET)
    ledger.commit()
    ledger.database.run(
        f"UPDATE agent_cost_vector SET metadata = '{metadata}' WHERE metric_type = 'API_Cost'"
    )
    ledger.call("claude-opus-4-8")
    summary = ledger.reprice(
        ledger.prices(CHEAP, 'model = "claude-opus-4-8"\ninput_mtok = 1\noutput_mtok = 1')
    )
    assert ledger.costs()[0][1] == Decimal("0.00012")
    assert ledger.costs()[1][1] in {LIST_PRICE, Decimal("0.00003")}
    assert summary.changed >= 1


PRICES = st.decimals(0, 1000, places=6).map(str)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    a=st.tuples(PRICES, PRICES),
    b=st.tuples(PRICES, PRICES),
    calls=st.lists(st.integers(0, 10**6), max_size=3),
)
def test_there_and_back(ledger, a, b, calls):
    """Repriced to one list and back to the other, all figures are those of the other, to the last digit."""
    for tokens in calls:
        ledger.call("in-house-7b", input_tokens=tokens)
    files = [
        ledger.prices(f'model = "in-house-*"\ninput_mtok = {given_in}\noutput_mtok = {given_out}')
        for given_in, given_out in (a, b)
    ]

    def figures():
        return [(value, facts["unit_prices"]) for _, value, facts in ledger.costs()]

    first = ledger.reprice(files[1])
    wanted = figures()
    ledger.reprice(files[0])
    again = ledger.reprice(files[1])
    assert figures() == wanted
    assert again.new_total == first.new_total
