"""Budgets refuse calls before they are made, count what was spent exactly, and change nothing else."""

import pickle
from datetime import timedelta
from decimal import Decimal

import pytest
import spending
from spending import answer, calls, make_ask

import asp_telemetry as asp
from asp_telemetry import guard


def test_a_call_is_refused_once_the_limit_is_reached(recorded):
    """The call that reaches the limit returns its answer; the next one never runs, and leaves a row that says why."""
    ask = make_ask()
    with asp.budget(usd="0.0015") as b:
        assert ask(10_000)["usage"]["prompt_tokens"] == 10_000
        assert b.spent.usd == Decimal("0.0015") == b.limit.usd
        with pytest.raises(asp.BudgetExceeded) as refused:
            ask(1)
    assert calls == [10_000]
    assert (refused.value.limit, refused.value.spent, refused.value.unit) == (
        Decimal("0.0015"), Decimal("0.0015"), "USD",
    )  # fmt: skip
    assert "0.0015 USD" in str(refused.value)
    rows = recorded.traces()
    assert [(row["status"], row["error_type"]) for row in rows] == [
        ("success", None),
        ("error", "BudgetExceeded"),
    ]
    ask(1)
    assert calls == [10_000, 1]


def test_an_answer_that_crosses_the_limit_is_kept(recorded):
    """What was paid for reaches the caller and the ledger, however much it is."""
    ask = make_ask()
    with asp.budget(usd="0.000001") as b:
        assert ask(1_000_000)["usage"]["total_tokens"] == 1_000_000
        assert b.spent.usd == Decimal("0.15")
        assert b.remaining.usd == 0
    assert [row["metric_value"] for row in recorded.metrics("API_Cost")] == [0.15]


def test_private_prices_hold_for_budgets_too(recorded, tmp_path):
    """What a budget counts is what the ledger says, also by the user's own prices, and from the moment they are set."""
    ask = make_ask()
    with asp.budget(usd=1) as b:
        ask(1_000_000)
        assert b.spent.usd == Decimal("0.15")
    prices = tmp_path / "prices.toml"
    prices.write_text('[[models]]\nmodel = "gpt-4o-mini"\ninput_mtok = 0.4\noutput_mtok = 1\n')
    asp.configure(recorded.url, strict=True, replace=True, prices=str(prices))
    with asp.budget(usd=1) as b:
        ask(1_000_000)
        assert b.spent.usd == Decimal("0.4")
    assert [row["metric_value"] for row in recorded.metrics("API_Cost")] == [0.15, 0.4]


def test_what_a_call_expects_is_refused_before_it_is_made(recorded):
    """A call that says what it will cost is refused if that is more than is left, whatever its kind."""
    ask = make_ask(expected_usd="0.002")
    with asp.budget(usd="0.003") as b:
        ask(1_000)
        assert b.spent.usd == Decimal("0.00015")
        ask(10_000)
        with pytest.raises(asp.BudgetExceeded) as refused:
            ask(1)
        assert (refused.value.asked, refused.value.spent) == (Decimal("0.002"), Decimal("0.00165"))
        with pytest.raises(asp.BudgetExceeded), asp.span("search", kind="tool", expected_usd=1):
            calls.append(0)
        with asp.span("search", kind="tool", expected_usd="0.0001"):
            pass
    assert calls == [1_000, 10_000]


def test_history_refuses_what_calls_of_a_site_usually_cost(recorded):
    """Without an expectation the mean of the calls before is one."""
    ask = make_ask()
    with asp.budget(tokens=10_000):
        ask(2_000)
        ask(4_000)
        ask(3_000)
        with pytest.raises(asp.BudgetExceeded) as refused:
            ask(1)
    assert refused.value.asked == 3_000
    assert (refused.value.spent, refused.value.limit, refused.value.unit) == (9_000, 10_000, "tokens")


def test_only_what_spends_is_refused(recorded):
    """Tools and plain blocks run on when nothing is left, and what they record still counts."""
    with asp.budget(tokens=10) as b:
        with asp.span("prepare"):
            asp.current_span().record_usage(input_tokens=10)
        with asp.span("search", kind="tool"), asp.span("part"):
            asp.current_span().record_usage(input_tokens=5)
        assert b.spent.tokens == 15
        for kind in ("agent", "generation", "embedding"):
            with pytest.raises(asp.BudgetExceeded), asp.span("x", kind=kind):
                calls.append(0)
    assert not calls


def test_nested_budgets_all_apply(recorded):
    """The inner budget refuses for its own sake and for that of the outer; both count."""
    ask = make_ask()
    with asp.budget(tokens=100, name="outer") as outer:
        with asp.budget(tokens=50, name="inner") as inner:
            ask(50)
            with pytest.raises(asp.BudgetExceeded) as refused:
                ask(1)
            assert refused.value.name == "inner"
        assert (inner.spent.tokens, outer.spent.tokens) == (50, 50)
        with asp.budget(tokens=1000):
            ask(50)
            with pytest.raises(asp.BudgetExceeded) as refused:
                ask(1)
            assert refused.value.name == "outer"
    assert calls == [50, 50]


def test_a_budget_inside_a_span_counts_what_the_span_records(recorded):
    """An agent may open a budget around a part of its own work."""
    with asp.span("plan", kind="agent") as s, asp.budget(usd=1) as b:
        asp.current_span().record_usage(answer(100))
        s.record_usage(answer(100))
        assert b.spent.usd == 200 * spending.PRICE


def test_reported_costs_replace_computed_ones(recorded):
    """What the provider charged counts, not what the price list says; the last word holds."""
    with asp.budget(usd=1) as b, asp.span("x", kind="generation") as s:
        s.record_usage(answer(1_000_000))
        s.record_cost("0.5")
        assert b.spent.usd == Decimal("0.5")
        s.record_cost("0.3")
        s.record_usage({**answer(10), "usage": {"prompt_tokens": 10, "completion_tokens": 1, "cost": 7}})
        assert b.spent.usd == Decimal("0.3")
        assert b.spent.tokens == 1_000_011
    with asp.budget(usd=1) as b, asp.span("x", kind="generation") as s:
        s.record_usage({**answer(10), "usage": {"prompt_tokens": 10, "completion_tokens": 1, "cost": "0.7"}})
        assert b.spent.usd == Decimal("0.7")


def test_an_unknown_price_is_not_zero(recorded, caplog):
    """An answer without a price is counted as such and told of once per model; the tokens count all the same."""
    with asp.budget(tokens=1000), asp.span("x", kind="generation") as s:
        s.record_usage(answer(10, "of no interest"))
    with asp.budget(usd=1, tokens=1000) as b:
        for _ in range(2):
            with asp.span("x", kind="generation") as s:
                s.record_usage(answer(10, "in-house-7b"))
        with asp.span("x", kind="generation") as s:
            s.record_usage(answer(10, "in-house-8b"))
            s.record_cost("0.1")
        assert (b.spent.usd, b.spent.tokens, b.unpriced) == (Decimal("0.1"), 30, 2)
    assert [("in-house-7b" in text, "record_cost()" in text) for text in caplog.messages] == [(True, True)]
    assert any("in-house-7b" in reason for reason in guard.counts())


def test_each_task_has_its_own(recorded):
    """Under per="task" the tasks of a program do not spend each other's money, and a task keeps its account."""
    ask = make_ask()
    for name in ("A", "B"):
        with asp.budget(tokens=100, per="task") as b, asp.task(name):
            ask(100)
            assert b.spent.tokens == 100
    with asp.budget(tokens=100, per="task"), asp.task("A"), pytest.raises(asp.BudgetExceeded) as refused:
        ask(1)
    assert (refused.value.per, refused.value.key) == ("task", "A")
    with asp.budget(tokens=100, per="task", name="of another purpose"), asp.task("A"):
        ask(1)


@pytest.mark.parametrize("per", ["user", "session", "project"])
def test_keys_come_from_the_scope_of_the_call(recorded, per):
    """User, session and project are those that are set where the call is made."""
    ask = make_ask()
    with asp.budget(tokens=10, per=per) as b:
        for name in ("ana", "bob"):
            with asp.context(**{f"{per}_id": name}):
                ask(10)
                assert b.remaining.tokens == 0
                with pytest.raises(asp.BudgetExceeded) as refused:
                    ask(1)
                assert refused.value.key == name


def test_per_process_and_per_block(recorded):
    """A process has one account, each block without per= a new one."""
    ask = make_ask()
    with asp.budget(tokens=10, per="process"):
        ask(10)
    with asp.budget(tokens=10, per="process"), pytest.raises(asp.BudgetExceeded):
        ask(1)
    b = asp.budget(tokens=10)
    for _ in range(2):
        with b:
            ask(10)
        assert b.spent.tokens == 10


def test_a_window_slides(recorded, monkeypatch):
    """What was spent longer ago than the window no longer counts; what was spent since does."""
    now = [1000.0]
    monkeypatch.setattr("asp_telemetry.budgets.account.monotonic", lambda: now[0])
    with asp.budget(tokens=100, window=timedelta(minutes=1)) as b:
        make_ask()(60)
        now[0] += 30
        make_ask()(40)
        with pytest.raises(asp.BudgetExceeded):
            make_ask()(1)
        now[0] += 29.9
        assert b.spent.tokens == 100
        now[0] += 0.2
        assert b.spent.tokens == 40
        make_ask()(60)
        now[0] += 60
        assert b.spent.tokens == 0


def test_soft_limits_warn_once(recorded, caplog):
    """The share of a limit at which to warn is told once, to the log and to a function whose faults stay with us."""
    guard.be_strict(False)
    told = []

    def tell(reached):
        told.append(reached)
        raise ValueError

    ask = make_ask()
    with asp.budget(tokens=100, soft=0.5, on_soft=tell, name="team") as b:
        for _ in range(5):
            ask(20)
        assert b.spent.tokens == 100
    assert [(reached.limit, reached.spent, reached.unit, reached.name) for reached in told] == [
        (100, 60, "tokens", "team")
    ]
    assert "60 of 100 tokens" in caplog.text


def test_a_budget_may_only_warn(recorded):
    """Without enforcement nothing is refused, and the limit itself is told."""
    told = []
    ask = make_ask()
    with asp.budget(tokens=100, enforce=False, on_soft=told.append):
        ask(100)
        ask(100)
    assert [reached.spent for reached in told] == [100]


def test_who_wants_to_be_told_is_told(recorded):
    """A function to call without a share to call it at is called at the limit, not never."""
    told = []
    with asp.budget(tokens=100, on_soft=told.append):
        make_ask()(100)
    assert [reached.spent for reached in told] == [100]


def test_check_and_reserve(recorded):
    """What is about to be spent can be checked and reserved; calls inside draw on it, and the rest is given back."""
    ask = make_ask()
    with asp.budget(tokens=100) as b:
        b.check(tokens=100)
        with pytest.raises(asp.BudgetExceeded):
            b.check(tokens=101)
        with b.reserve(tokens=80):
            assert b.remaining.tokens == 20
            with pytest.raises(asp.BudgetExceeded), b.reserve(tokens=101):
                calls.append(0)
            ask(50)
            assert (b.spent.tokens, b.remaining.tokens) == (50, 20)
        assert b.remaining.tokens == 50
    assert calls == [50]


def test_what_an_agent_reserves_covers_the_calls_inside(recorded):
    """An agent that has reserved the whole budget can spend it through its model calls, and nobody else can."""
    ask = make_ask()

    @asp.track_agent(expected_tokens=100)
    def plan(fail):
        with pytest.raises(asp.BudgetExceeded), asp.span("x", kind="generation", expected_tokens=101):
            calls.append(0)
        with asp.span("y", kind="generation", expected_tokens=90) as s:
            s.record_usage(input_tokens=30)
        ask(50)
        if fail:
            raise KeyError(fail)

    with asp.budget(tokens=100) as b:
        with pytest.raises(KeyError):
            plan(True)
        assert (b.spent.tokens, b.remaining.tokens) == (80, 20)
    assert calls == [50]


def test_refusals_cross_processes():
    """A pool of processes can hand the exception on."""
    with asp.budget(tokens=0) as b, pytest.raises(asp.BudgetExceeded) as refused:
        b.check()
    copy = pickle.loads(pickle.dumps(refused.value))
    assert (str(copy), vars(copy)) == (str(refused.value), vars(refused.value))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"usd": -1},
        {"usd": float("nan")},
        {"usd": "much"},
        {"tokens": 1.5},
        {"usd": 1, "per": "planet"},
        {"usd": 1, "window": 0},
        {"usd": 1, "window": "1h"},
        {"usd": 1, "soft": 2},
        {"usd": 1, "on_soft": 3},
        {"usd": 1, "shared": True},
        {"usd": 1, "shared": True, "per": "process"},
    ],
)
def test_wrong_arguments_are_told_at_once(arguments):
    """A guard that cannot work says so where it is made, with the value and the remedy."""
    with pytest.raises(asp.ConfigurationError):
        asp.budget(**arguments)


def test_wrong_expectations_reach_nobody(recorded):
    """An expectation that is no number is counted and left out; the call runs."""
    guard.be_strict(False)
    with asp.budget(usd=1), asp.span("x", kind="agent", expected_usd="cheap"):
        calls.append(1)
    assert calls == [1]
    assert asp.stats()["troubles"]["what a call is expected to spend was no amount"] == 1


def test_switched_off_means_nothing_is_seen(tmp_path):
    """A budget in a program that records nothing says that it cannot work."""
    asp.configure(f"sqlite:///{tmp_path}/a.db", disabled=True, replace=True)
    try:
        with asp.budget(tokens=0):
            make_ask()(1)
        assert "a budget was opened while recording is switched off" in asp.stats()["troubles"]
    finally:
        asp.configure(f"sqlite:///{tmp_path}/a.db", replace=True)
        guard.reset()
    assert calls == [1]


def test_memory_is_bounded(recorded, monkeypatch, caplog):
    """The least recently used keys are forgotten, with a warning where they may come again; reserved ones are kept."""
    monkeypatch.setattr("asp_telemetry.budgets.accounts._MOST", 3)
    with asp.budget(tokens=10, per="task") as b:
        for _ in range(5):
            make_ask()(10)
        assert not caplog.messages
        with asp.task("kept"), b.reserve(tokens=10):
            for name in "abcde":
                with asp.task(name):
                    make_ask()(10)
            with asp.task("e"), pytest.raises(asp.BudgetExceeded):
                make_ask()(10)
            with asp.task("kept"), pytest.raises(asp.BudgetExceeded):
                b.check(tokens=11)
            with asp.task("a"):
                make_ask()(10)
    assert "a budget forgot" in caplog.text
