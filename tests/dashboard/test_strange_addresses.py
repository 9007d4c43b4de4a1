"""Whatever stands in an address, either database answers it with a page that says what is wrong, and none fails."""

from collections.abc import Callable

from asking_pages import Dashboard

from databases import AnyDatabase, make_with_example

Start = Callable[..., Dashboard]
PATHS = [
    "/tasks/a%00b", "/agents/a%00b", "/traces/a%00b", "/tasks/%ff%fe", "/agents/%ed%a0%80", "/agents/%2e%2e/",
    "/agents/Code?before=%00&after=1.0", "/estimation?type=%00", "/estimation?without=%00", "/estimation?complexity=2147483647",
    "/?project=%ff", "/?project=%ed%a0%80", "/tasks?status=%00", "/tasks/" + "x" * 3000,
    "/?since=0001-01-01", "/?until=9999-12-31", "/?since=0001-01-01T00:00%2B23:59", "/?until=9999-12-31T23:59-23:59",
    "/agents?since=0001-01-01", "/traces?since=0001-01-01&until=0001-01-02", "/?days=0.0000001", "/?days=36500",
]  # fmt: skip


def test_no_address_makes_a_page_fail(any_database: AnyDatabase, dashboard: Start) -> None:
    """NUL, bytes that are no text, endless names and the ends of time: a page, a refusal with a sentence, or no such page."""
    make_with_example(any_database.url)
    asked = dashboard(any_database.url)
    answers = {path: asked.get(path) for path in PATHS}
    assert {
        path: answer.status for path, answer in answers.items() if answer.status not in {200, 400, 404}
    } == {}
    assert [path for path, answer in answers.items() if "<main" not in answer.text] == []
