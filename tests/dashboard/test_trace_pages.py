"""The pages of traces over HTTP: what they show is what was recorded, on both databases."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from serving_pages import served

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.analytics import Analytics
from asp_telemetry.dashboard.app import create_app
from asp_telemetry.dashboard.formatting import money, short
from asp_telemetry.dashboard.pages import traces
from databases import AnyDatabase

HOSTILE = '<script>alert("1")</script>'


@pytest.fixture
def recorded_url(any_database: AnyDatabase) -> Iterator[str]:
    """Record three traces into each database in turn: a whole one, one with a failure, one whose names are markup."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True)
    with (
        asp.context(user_id="ana"),
        asp.task("TASK-1", project_id="shop"),
        asp.span("plan", kind="agent", agent_role="Planning"),
    ):
        with asp.span("model", kind="generation") as model:
            model.record_usage(input_tokens=12_000, output_tokens=200, model="gpt-4o-mini", provider="openai")
        with asp.endpoint_call("intelligence", "POST", "/api/rag/query") as call:
            call.response(503)
    with asp.task("TASK-2"), pytest.raises(ValueError, match="broken"), asp.span("search", kind="tool"):
        raise ValueError("broken & bent")
    with asp.span(HOSTILE, kind="agent", agent_role=HOSTILE) as hostile:
        hostile.set(metadata={"note": HOSTILE})
    assert asp.flush(timeout=20).complete
    yield any_database.url
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


@pytest.fixture
def site(recorded_url: str) -> Iterator[httpx.Client]:
    with served(create_app(recorded_url)) as address, httpx.Client(base_url=address) as client:
        yield client


def words(answer: httpx.Response) -> str:
    """Return what can be read on a page."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def linked(answer: httpx.Response, text: str) -> str:
    """Return where the first link with this text leads to."""
    found, *_ = re.findall(rf'<a href="([^"]*)"[^>]*>{re.escape(text)}</a>', answer.text)
    return unescape(found)


def test_the_list_has_the_sums_of_whole_traces(site: httpx.Client, recorded_url: str) -> None:
    """Cost, tokens and failures stand beside each trace, as the analytics count them."""
    with Analytics.sync(recorded_url) as ask:
        found = {one.task_id or one.name: one for one in ask.recent_traces()}
    page = site.get("/traces")
    assert page.status_code == 200
    assert [found[name].failures for name in ("TASK-1", "TASK-2")] == [0, 1]
    shown = words(page)
    whole = found["TASK-1"]
    assert f"0 {short(whole.tokens_in, 'tokens')} 200 tokens {money(whole.cost_usd)}" in shown
    assert shown.index("TASK-2") < shown.index("TASK-1")


def test_a_trace_is_drawn_with_its_figures_and_errors(site: httpx.Client) -> None:
    """Every execution and event has its line and bar; errors are told with what they said."""
    page = site.get(linked(site.get("/traces"), "TASK-1"))
    assert page.status_code == 200
    shown = words(page)
    for text in (
        "plan agent",
        "model generation",
        "endpoint intelligence POST /api/rag/query",
        "12 k + 200 tokens",
    ):
        assert text in shown
    assert page.text.count('<rect class="bar') == 4
    assert page.text.count('<rect class="bar bar-bad"') == 1
    failed = site.get(linked(site.get("/traces"), "TASK-2"))
    search = site.get(linked(failed, "search").partition("#")[0])
    assert "Execution search ValueError : broken & bent" in words(search)
    assert 'aria-current="true">search' in search.text


def test_an_id_leads_to_its_trace(site: httpx.Client) -> None:
    """Whoever has the id of any execution types it and sees its trace, with the filters kept."""
    page = site.get("/traces", params={"id": " 0198c2f4-0000-7000-8000-000000000001 ", "user": "ana"})
    assert page.status_code == 303
    assert page.headers["location"] == "/traces/0198c2f4-0000-7000-8000-000000000001?user=ana"
    of_task = site.get("/traces", params={"id": "TASK-2"})
    assert of_task.status_code == 303
    assert "Trace of task TASK-2" in words(site.get(of_task.headers["location"]))
    assert "no execution and no task has the id 'TASK-9'" in words(
        site.get("/traces", params={"id": "TASK-9"})
    )
    gone = site.get(page.headers["location"])
    assert gone.status_code == 404
    assert "no execution has the id" in words(gone)
    assert "'plan' is no id" in words(site.get("/traces/plan"))
    assert site.get(f"/traces/{uuid4()}").status_code == 404


def test_filters_choose_traces_by_what_is_in_them(site: httpx.Client) -> None:
    """A role, a user or a failure anywhere in a trace brings the whole trace."""

    def listed(**query: str) -> set[str]:
        return set(re.findall(r"TASK-\d", words(site.get("/traces", params=query))))

    assert listed() == {"TASK-1", "TASK-2"}
    assert listed(role="Planning") == listed(user="ana") == listed(project="shop") == {"TASK-1"}
    assert listed(failures="1") == {"TASK-2"}
    nothing = site.get("/traces", params={"role": "Nobody"})
    assert "No trace of this choice has begun in the last 30 days." in words(nothing)


def test_names_are_text(site: httpx.Client) -> None:
    """An agent that is named like a script is shown, not run, and its metadata too."""
    page = site.get("/traces")
    assert HOSTILE in unescape(page.text)
    assert HOSTILE not in page.text
    trace = site.get(linked(page, "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;"))
    assert trace.status_code == 200
    assert HOSTILE not in trace.text
    assert f"Trace of {HOSTILE}" in unescape(trace.text)


def test_older_pages_lose_nothing(site: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going from page to page shows each trace once."""
    monkeypatch.setattr(traces, "SHOWN", 1)
    seen, address = [], "/traces?days=7"
    while address:
        page = site.get(address)
        seen += re.findall(r'<th scope="row" class="[a-z]+"><a href="/traces/([0-9a-f-]+)\?', page.text)
        address = linked(page, "Older traces") if "Older traces" in page.text else ""
        if address:
            assert parse_qs(urlsplit(address).query)["days"] == ["7"]
    assert len(seen) == len(set(seen)) == 3


def test_a_line_that_is_not_there_is_refused(site: httpx.Client) -> None:
    """A page of a waterfall that has no such lines says which there are."""
    address = linked(site.get("/traces"), "TASK-1")
    wrong = site.get(address, params={"from": "99"})
    assert wrong.status_code == 400
    assert "from=99 is no line of this trace; give a number from 0 to 3" in words(wrong)
