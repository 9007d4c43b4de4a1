"""Repricing beside writers, and after it was killed: totals are right whoever comes first."""

import json
import signal
import subprocess
import sys
import threading
from decimal import Decimal

import pytest

import asp_telemetry as asp

OWN = 'model = "in-house-*"\ninput_mtok = 0.07\noutput_mtok = 1.15'
PRICE = Decimal("0.00003")


class StoppedError(Exception):
    """End a repricing between two of its batches."""


def stop_after(batches):
    """Make a report that ends the repricing after so many batches."""
    seen = []

    def report(summary):
        seen.append(summary.executions)
        if len(seen) == batches:
            raise StoppedError

    return report


def test_what_was_interrupted_goes_on(ledger):
    """Stopped in the middle and begun again, every cost is repriced once, and everything adds up."""
    with asp.task("T"):
        for _ in range(10):
            ledger.call("in-house-7b")
    prices = ledger.prices(OWN)
    with pytest.raises(StoppedError):
        ledger.reprice(prices, batch=2, report=stop_after(3))
    assert len(ledger.costs()) == 6
    assert ledger.task_cost() == 6 * PRICE
    assert ledger.reprice(prices, batch=2).added == 4
    assert [(value, len(facts["history"])) for _, value, facts in ledger.costs()] == [(PRICE, 1)] * 10
    assert ledger.task_cost() == 10 * PRICE


def test_killed_in_the_middle(ledger):
    """A repricing that is killed leaves whole batches; the next one finishes the rest."""
    with asp.task("T"):
        for _ in range(300):
            ledger.call("in-house-7b")
    prices = ledger.prices(OWN)
    ledger.commit()
    program = (
        "import anyio, sys\n"
        "from pathlib import Path\n"
        "from asp_telemetry.prices.private import load_private_prices\n"
        "from asp_telemetry.repricing import RepriceRequest, parse_moment, reprice\n"
        "request = RepriceRequest(since=parse_moment('2020-01-01'), prices=load_private_prices(Path(sys.argv[2])))\n"
        "anyio.run(lambda: reprice(sys.argv[1], request, batch=3, report=lambda s: print(s.added, flush=True)))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, ledger.database.url, str(prices)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "3\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = len(ledger.costs())
    assert 0 < done < 300
    assert done % 3 == 0
    assert ledger.task_cost() == done * PRICE
    assert ledger.reprice(prices).added == 300 - done
    assert ledger.task_cost() == 300 * PRICE


def test_writers_at_work_on_the_same_tasks(ledger):
    """While tasks are being worked on, finished and fixed, repricing over and over loses nothing of any total."""
    prices = [ledger.prices(OWN), ledger.prices(OWN.replace("0.07", "0.17"))]
    done, turned = threading.Event(), threading.Event()

    def work() -> None:
        for number in range(60):
            with asp.task(f"T-{number % 6}"):
                defect = asp.log_defect(
                    defect_id=f"D-{number % 3}", defect_type="6_Conventional_Code_Bug", phase_injected="Code",
                    phase_removed="Test", description="d",
                )  # fmt: skip
                ledger.call("in-house-7b")
                with asp.fixing(defect):
                    ledger.call("in-house-7b")
            if number % 5 == 0:
                asp.flush(timeout=20)
            if number % 20 == 0:  # however slow the machine is, it is repriced in between
                turned.clear()
                turned.wait(20)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    turns = 0
    while not done.is_set():
        ledger.reprice(prices[turns % 2], batch=4)
        turns += 1
        turned.set()
    worker.join()
    assert turns > 1
    ledger.reprice(prices[0], batch=50)
    costs = ledger.costs()
    assert [value for _, value, _ in costs] == [PRICE] * 120
    assert [ledger.task_cost(f"T-{number}") for number in range(6)] == [20 * PRICE] * 6
    rows = ledger.database.rows("SELECT effort_to_fix_json FROM defect_log ORDER BY defect_id")
    found = [Decimal(json.loads(text, parse_float=Decimal)["api_cost_usd"]) for (text,) in rows]
    assert [value.quantize(Decimal("1E-10")) for value in found] == [20 * PRICE] * 3


def test_two_at_once(ledger):
    """Two repricings at the same time add each unknown cost once."""
    with asp.task("T"):
        for _ in range(60):
            ledger.call("in-house-7b")
    prices = ledger.prices(OWN)
    ledger.commit()
    threads = [threading.Thread(target=ledger.reprice, args=(prices,), kwargs={"batch": 3}) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [value for _, value, _ in ledger.costs()] == [PRICE] * 60
    assert ledger.task_cost() == 60 * PRICE
