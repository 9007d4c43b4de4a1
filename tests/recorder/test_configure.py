"""`configure()`: once, early, or with `replace=True`; and what happens to records that came before it."""

import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import asp_telemetry as asp
from asp_telemetry.errors import ConfigurationError


def run(code, cwd, **variables):
    """Run a program in a process of its own and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASP_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def names(path):
    """Return the names of the executions in a database."""
    connection = sqlite3.connect(path)
    try:
        return [
            name for (name,) in connection.execute("SELECT name FROM execution_traces ORDER BY started_at")
        ]
    finally:
        connection.close()


def test_a_second_configure_with_other_values_is_refused(configured, tmp_path):
    """Records never change their destination silently."""
    with pytest.raises(ConfigurationError, match="replace=True"):
        asp.configure(f"sqlite:///{tmp_path}/other.db")
    asp.configure(configured.url, strict=True)


def test_replace_sends_later_records_elsewhere(configured, tmp_path):
    """With replace=True what was recorded before is committed where it belonged."""
    with asp.span("before"):
        pass
    asp.configure(f"sqlite:///{tmp_path}/other.db", strict=True, replace=True)
    with asp.span("after"):
        pass
    asp.flush(timeout=20)
    assert names(configured.path) == ["before"]
    assert names(tmp_path / "other.db") == ["after"]


def test_unknown_settings_are_refused_by_name():
    """A misspelt setting is not ignored."""
    with pytest.raises(ConfigurationError, match="projectid"):
        asp.configure(projectid="x")


def test_a_database_without_a_store_is_refused_at_once():
    """A database that this version cannot write to is refused by `configure()`, not later in the background."""
    with pytest.raises(ConfigurationError, match="mysql://…") as caught:
        asp.configure("mysql://ana:s3cret@host/db", replace=True)
    assert "sqlite:///" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_records_before_configure_wait_for_it(tmp_path):
    """What is tracked while modules are imported goes where configure() says a moment later."""
    run(
        """
        import asp_telemetry as asp
        with asp.span("early"):
            pass
        asp.configure("sqlite:///chosen/b.db", project_id="P")
        with asp.span("late"):
            pass
        """,
        tmp_path,
    )
    assert names(tmp_path / "chosen" / "b.db") == ["early", "late"]
    assert not (tmp_path / "data" / "asp_telemetry.db").exists()


def test_configure_comes_too_late_once_records_have_gone(tmp_path):
    """After the default destination has taken records, another one is refused loudly."""
    done = run(
        """
        import asp_telemetry as asp
        with asp.span("early"):
            pass
        asp.flush()
        try:
            asp.configure("sqlite:///chosen/b.db")
        except asp.ConfigurationError as error:
            print(error)
        """,
        tmp_path,
    )
    assert "data/asp_telemetry.db" in done.stdout
    assert "chosen/b.db" in done.stdout


def test_without_configure_the_variables_hold(tmp_path):
    """A program that never calls configure() records where ASP_DATABASE_URL says."""
    run(
        "import asp_telemetry as asp\nwith asp.span('x'): pass\n",
        tmp_path,
        ASP_DATABASE_URL="sqlite:///here.db",
        ASP_PROJECT_ID="P",
    )
    assert names(tmp_path / "here.db") == ["x"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ASP_DATABASE_URL", "mysql://ana:s3cret@host/x"),
        ("ASP_DATABASE_URL", "mysql://ana:s3cret@[host/x"),
        ("ASP_SAMPLE_RATE", "often"),
        ("ASP_JOURNAL_MAX_BYTES", "lots"),
    ],
)
def test_a_bad_variable_does_not_reach_the_tracked_call(tmp_path, variable, value):
    """Without configure() a bad variable switches recording off, says so once, and the program runs on."""
    done = run(
        """
        import asp_telemetry as asp
        @asp.track_agent
        def work(): return 42
        print(work(), work())
        """,
        tmp_path,
        **{variable: value},
    )
    assert done.stdout == "42 42\n"
    assert done.stderr.count("nothing is recorded") == 1
    assert done.stderr.count("\n") == 1
    assert variable in done.stderr or "database URL" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_database_out_of_reach_does_not_reach_the_tracked_call(tmp_path):
    """A server that does not answer is told once, without its password, and the program runs on."""
    done = run(
        """
        import asp_telemetry as asp
        @asp.track_agent
        def work(): return 42
        print(work(), work(), asp.flush(timeout=1).pending)
        """,
        tmp_path,
        ASP_DATABASE_URL="postgresql://ana:s3cret@127.0.0.1:1/x",
        ASP_JOURNAL_DIR="journals",
    )
    assert done.stdout == "42 42 2\n"
    assert done.stderr.count("the database cannot be written") == 1
    assert done.stderr.count("\n") == 1
    assert "s3cret" not in done.stderr


def test_disabled_records_and_creates_nothing(tmp_path):
    """With ASP_TELEMETRY_DISABLED=1 nothing is written anywhere."""
    done = run(
        """
        import asp_telemetry as asp
        @asp.track_agent
        def work():
            asp.current_span().record_metric("x", 1, "count")
            asp.log_defect(defect_type="t", phase_injected="Code", phase_removed="Test", description="d")
            return 42
        with asp.task("T"):
            print(work())
        print(asp.flush().complete)
        """,
        tmp_path,
        ASP_TELEMETRY_DISABLED="1",
    )
    assert done.stdout == "42\nTrue\n"
    assert list(tmp_path.iterdir()) == []


def test_facts_of_configure_stand_on_every_row(tmp_path):
    """Project, user, environment and release are on what is recorded anywhere in the process."""
    asp.configure(
        f"sqlite:///{tmp_path}/a.db",
        project_id="P",
        user_id="ana",
        environment="prod",
        release="1.4",
        replace=True,
    )
    with asp.span("x", kind="agent"):
        pass
    asp.shutdown(timeout=20)
    connection = sqlite3.connect(tmp_path / "a.db")
    found = connection.execute(
        "SELECT user_id, environment, release, context FROM execution_traces"
    ).fetchone()
    metric = connection.execute("SELECT user_id, project_id FROM agent_cost_vector").fetchone()
    connection.close()
    assert found == ("ana", "prod", "1.4", '{"project_id":"P"}')
    assert metric == ("ana", "P")


def test_sampling_keeps_whole_traces(tmp_path):
    """A trace is recorded with all its executions or not at all."""
    asp.configure(f"sqlite:///{tmp_path}/a.db", sample_rate=0.5, strict=True, replace=True)
    for _ in range(200):
        with asp.span("root", kind="agent"), asp.span("child"), asp.span("grandchild"):
            pass
    asp.shutdown(timeout=20)
    connection = sqlite3.connect(tmp_path / "a.db")
    sizes = {size for (size,) in connection.execute("SELECT count(*) FROM execution_traces GROUP BY root_id")}
    kept = connection.execute("SELECT count(DISTINCT root_id) FROM execution_traces").fetchone()[0]
    connection.close()
    assert sizes == {3}
    assert 40 < kept < 160


def test_content_is_captured_only_when_asked_and_without_secrets(tmp_path):
    """Arguments and results are stored with capture_content=True alone, secrets blotted out."""

    @asp.track_agent
    def work(question, key):
        return {"answer": question.upper(), "used": key}

    for asked in (False, True):
        asp.configure(f"sqlite:///{tmp_path}/{asked}.db", capture_content=asked, strict=True, replace=True)
        work("why?", key="sk-abcdef1234567890")
        asp.shutdown(timeout=20)
        connection = sqlite3.connect(tmp_path / f"{asked}.db")
        found = connection.execute("SELECT input, output FROM execution_traces").fetchone()
        connection.close()
        if asked:
            assert "why?" in found[0]
            assert "WHY?" in found[1]
            assert "sk-abcdef" not in found[0] + found[1]
        else:
            assert found == (None, None)
    asp.configure(f"sqlite:///{tmp_path}/False.db", replace=True)


def test_what_a_bad_setting_loses_is_counted(tmp_path):
    """A program that cannot record runs on, and neither flush() nor stats() says that all is well."""
    done = run(
        """
        import asp_telemetry as asp

        @asp.track_tool
        def work():
            return 1

        assert [work(), work()] == [1, 1]
        print(asp.flush().complete, asp.stats()["accepted"], asp.stats()["drop_reasons"], asp.stats()["last_error"])
        asp.configure("sqlite:///good.db")
        work()
        print(asp.flush().complete, asp.stats()["stored"])
        """,
        tmp_path,
        ASP_DATABASE_URL="nowhere",
    )
    bad, good = done.stdout.splitlines()
    assert bad.startswith("False 2 {'configuration': 2} ConfigurationError: the database URL 'nowhere'")
    assert good == "True 1"


def test_empty_variables_count_as_not_set(tmp_path):
    """`.env.example` may be taken as it stands."""
    lines = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8").splitlines()
    variables = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert "" in variables.values()
    done = run(
        """
        import asp_telemetry as asp
        with asp.span("x"):
            pass
        print(asp.flush().complete, asp.stats()["destination"])
        """,
        tmp_path,
        **variables,
    )
    assert done.stdout.split() == ["True", f"sqlite:///{tmp_path}/data/asp_telemetry.db"]


def test_a_relative_path_is_the_one_at_configure(tmp_path):
    """A program that changes its folder after configure() still records where configure() said."""
    (tmp_path / "later").mkdir()
    run(
        """
        import os
        import asp_telemetry as asp
        asp.configure("sqlite:///here.db")
        os.chdir("later")
        with asp.span("first"):
            pass
        asp.shutdown()
        os.chdir("/")
        with asp.span("second"):
            pass
        """,
        tmp_path,
    )
    assert names(tmp_path / "here.db") == ["first", "second"]


def test_a_refused_flush_on_sigterm_leaves_no_setting_behind(tmp_path):
    """configure() that raises has changed nothing: the next one is the first."""
    run(
        """
        import threading
        import asp_telemetry as asp
        def wrong():
            try:
                asp.configure("sqlite:///a.db", flush_on_sigterm=True)
            except asp.ConfigurationError:
                asp.configure("sqlite:///b.db")
                with asp.span("work"):
                    pass
        thread = threading.Thread(target=wrong)
        thread.start()
        thread.join()
        """,
        tmp_path,
    )
    assert names(tmp_path / "b.db") == ["work"]


def test_the_sigterm_variable_costs_no_record_made_in_another_thread(tmp_path):
    """Only the main thread can set signal handlers; a first record from another one is kept all the same."""
    run(
        """
        import threading
        import asp_telemetry as asp
        def work():
            with asp.span("work"):
                pass
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """,
        tmp_path,
        ASP_FLUSH_ON_SIGTERM="1",
        ASP_DATABASE_URL="sqlite:///a.db",
    )
    assert names(tmp_path / "a.db") == ["work"]
