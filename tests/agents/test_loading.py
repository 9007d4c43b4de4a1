"""Loading the registry: versions, changes, what vanishes, all or nothing, on both databases."""

import asyncio
import json
import subprocess
import sys

import pytest

import asp_telemetry as asp
from asp_telemetry.agents import AgentVersion
from asp_telemetry.cli.app import run
from asp_telemetry.errors import AgentDefinitionError, ConfigurationError, MigrationError


def versions(*texts):
    return tuple(AgentVersion(*text.split()) for text in texts)


async def together(*works):
    return await asyncio.gather(*works)


def active(registry):
    rows = registry.rows("SELECT agent_name, agent_version FROM agent_definitions WHERE is_active")
    return sorted(" ".join(row) for row in rows)


def test_a_definition_fills_its_row(registry, folder):
    """What the file says stands in the columns, the whole of it in yaml_config, and secrets nowhere."""
    path = folder.agent(
        "debugger",
        """
        version: 1.10
        domain: web
        capabilities: [debugging]
        triggers: []
        trigger_patterns: ['fix.* bug']
        description: Finds causes.
        context: {language: python}
        env: {api_key: sk-12345678abcdefgh}
        """,
    )
    report = asp.load_agents(path, registry.url)
    assert report.added == versions("debugger 1.10")
    [row] = registry.rows(
        "SELECT agent_name, agent_version, agent_type, domain, capabilities, triggers, trigger_patterns, is_active, status,"
        " registry_path, length(definition_hash), yaml_config, parsed_metadata, last_loaded_at = created_at,"
        " length(CAST(id AS TEXT)), success_rate FROM agent_definitions"
    )
    plain = [json.loads(cell) if isinstance(cell, str) and cell[:1] in "[{" else cell for cell in row]
    assert plain[:7] == ["debugger", "1.10", "specialist", "web", ["debugging"], [], ["fix.* bug"]]
    assert plain[7:11] == [True, "active", str(path), 64]
    assert plain[11]["version"] == "1.10"
    assert plain[12] == {"description": "Finds causes.", "context": {"language": ["python"]}, "line": 1}
    assert plain[13:] == [True, 36, None]
    assert "sk-12345678abcdefgh" not in str(row)


def test_loading_again_changes_nothing(registry, folder):
    """The second load of the same files reports everything as unchanged, and no row is another."""
    folder.agent("a")
    folder.agent("b")
    asp.load_agents(folder.path, registry.url)
    query = "SELECT id, agent_name, definition_hash, created_at, is_active FROM agent_definitions ORDER BY agent_name"
    before = registry.rows(query)
    report = asp.load_agents([folder.path, folder.path / "a.yaml"], registry.url)
    assert report.unchanged == versions("a 1.0.0", "b 1.0.0")
    assert (report.added, report.changed, report.vanished, report.superseded) == ((), (), (), ())
    assert registry.rows(query) == before


def test_versions_are_kept(registry, folder):
    """A new version takes over and the old one stays, inactive; loading the old one again lets it hold again."""
    folder.agent("a", version="1.0.0", triggers="[one]")
    asp.load_agents(folder.path, registry.url)
    folder.agent("a", version="2.0.0", triggers="[two]")
    second = asp.load_agents(folder.path, registry.url)
    assert (second.added, second.superseded) == (versions("a 2.0.0"), versions("a 1.0.0"))
    assert active(registry) == ["a 2.0.0"]
    folder.agent("a", version="1.0.0", triggers="[one]")
    third = asp.load_agents(folder.path, registry.url)
    assert (third.reactivated, third.superseded) == (versions("a 1.0.0"), versions("a 2.0.0"))
    assert active(registry) == ["a 1.0.0"]
    assert len(registry.rows("SELECT * FROM agent_definitions")) == 2


def test_a_change_under_the_same_version_is_told(registry, folder):
    """It takes the place of the old definition, keeps its id, and the report names it."""
    folder.agent("a", triggers="[one]")
    asp.load_agents(folder.path, registry.url)
    query = "SELECT id, definition_hash FROM agent_definitions"
    [(before, old)] = registry.rows(query)
    folder.agent("a", triggers="[two]")
    assert asp.load_agents(folder.path, registry.url).changed == versions("a 1.0.0")
    [(after, new)] = registry.rows(query)
    assert before == after
    assert old != new
    assert [match.agent for match in asp.find_agents("two", url=registry.url)] == ["a"]


def test_what_vanished_from_the_loaded_paths_is_deactivated(registry, folder):
    """Only what was loaded from there; other folders with a similar name and moved files do not count."""
    for name in ("one/a", "one/b", "one-more/c", "two/d"):
        folder.write(f"{name}.yaml", f"name: {name[-1]}\ntype: specialist")
    asp.load_agents(folder.path, registry.url)
    (folder.path / "one/a.yaml").unlink()
    (folder.path / "one/b.yaml").rename(folder.path / "one/moved.yaml")
    (folder.path / "two/d.yaml").unlink()
    report = asp.load_agents(folder.path / "one", registry.url)
    assert (report.vanished, report.unchanged) == (versions("a 1.0.0"), versions("b 1.0.0"))
    assert active(registry) == ["b 1.0.0", "c 1.0.0", "d 1.0.0"]
    (folder.path / "one/moved.yaml").write_text("name: z\ntype: specialist")
    report = asp.load_agents(folder.path / "one/moved.yaml", registry.url)
    assert (report.added, report.vanished) == (versions("z 1.0.0"), versions("b 1.0.0"))
    folder.write("one/a.yaml", "name: a\ntype: specialist")
    assert asp.load_agents(folder.path / "one", registry.url).reactivated == versions("a 1.0.0")


def test_a_fault_anywhere_loads_nothing(registry, folder):
    """One broken file among many leaves the registry as it was."""
    folder.agent("a")
    asp.load_agents(folder.path, registry.url)
    folder.agent("a", version="2.0.0")
    folder.agent("b", version="latest")
    with pytest.raises(AgentDefinitionError, match=r"b\.yaml:3: version 'latest'"):
        asp.load_agents(folder.path, registry.url)
    assert active(registry) == ["a 1.0.0"]


def test_a_failing_write_loads_nothing(registry, folder):
    """All is one transaction: when the database refuses the last step, the steps before it are gone, too."""
    folder.agent("a")
    asp.load_agents(folder.path, registry.url)
    if registry.is_sqlite:
        registry.run(
            "CREATE TRIGGER never BEFORE UPDATE OF is_active ON agent_definitions WHEN new.is_active = 0 "
            "BEGIN SELECT raise(ABORT, 'never'); END;"
        )
    else:
        registry.run("ALTER TABLE agent_definitions ADD CONSTRAINT never CHECK (is_active)")
    folder.agent("a", version="2.0.0")
    with pytest.raises(asp.AspTelemetryError, match="never"):
        asp.load_agents(folder.path, registry.url)
    assert active(registry) == ["a 1.0.0"]
    assert len(registry.rows("SELECT * FROM agent_definitions")) == 1


def test_loads_at_once_are_one_after_the_other(registry, folder):
    """Several loads of several versions at once leave exactly one version active."""
    paths = [folder.write(f"{n}/a.yaml", f"name: a\ntype: specialist\nversion: 1.{n}") for n in range(6)]
    reports = asyncio.run(together(*(asp.aload_agents(path, registry.url) for path in paths)))
    assert sum(len(report.added) for report in reports) == 6
    assert len(active(registry)) == 1


async def test_it_works_inside_a_running_loop(registry_url, folder):
    """Both faces can be used where an event loop runs."""
    folder.agent("a", triggers="[fix]")
    assert asp.load_agents(folder.path, registry_url).files == 1
    assert (await asp.aload_agents(folder.path, registry_url)).unchanged == versions("a 1.0.0")
    assert asp.find_agents("fix", url=registry_url)[0] == (await asp.afind_agents("fix", url=registry_url))[0]
    assert await asp.arefresh_agents(registry_url) == ()


@pytest.fixture
def registry_url(registry):
    return registry.url


def test_an_sqlite_file_is_made(sqlite_database, folder):
    """The first load needs no set-up; it goes where the environment says."""
    folder.agent("a")
    program = "import sys, asp_telemetry as asp; print(*asp.load_agents(sys.argv[1]).added)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder.path)],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "a 1.0.0\n"
    assert sqlite_database.rows("SELECT agent_name FROM agent_definitions") == [("a",)]


def test_a_server_is_not_migrated(postgres_url, folder):
    """A PostgreSQL database without tables is left alone, and the message names the command."""
    folder.agent("a")
    with pytest.raises(MigrationError, match="migrate up"):
        asp.load_agents(folder.path, postgres_url)


def test_what_makes_no_sense_is_refused(sqlite_database, folder):
    """No path, no days, no limit: the message says what to write."""
    with pytest.raises(ConfigurationError, match="no path"):
        asp.load_agents([], sqlite_database.url)
    with pytest.raises(ConfigurationError, match="days=0"):
        asp.refresh_agents(sqlite_database.url, days=0)
    with pytest.raises(ConfigurationError, match="limit=0"):
        asp.find_agents("x", limit=0, url=sqlite_database.url)
    with pytest.raises(asp.AspTelemetryError, match="load some first"):
        asyncio.run(asp.arefresh_agents(sqlite_database.url))


def test_who_writes_as_a_service_may_load(registry_of_owner, folder):
    """A login that is a member of service_role loads and measures; one of an ordinary user finds, and may not load."""
    owner, service, reader = registry_of_owner
    folder.agent("a", triggers="[fix]")
    assert asp.load_agents(folder.path, service).added == versions("a 1.0.0")
    assert [match.agent for match in asp.find_agents("fix", url=reader)] == ["a"]
    with pytest.raises(asp.AspTelemetryError, match=r"permission|row-level"):
        asp.load_agents(folder.path, reader)
    assert asp.load_agents(folder.path, owner).unchanged == versions("a 1.0.0")


@pytest.fixture
def registry_of_owner(postgres_server, postgres_url):
    assert run(["migrate", "up", "--database", postgres_url]) == 0
    schema = postgres_url.split("//")[1].split("@", maxsplit=1)[0]
    names = []
    for role in ("service_role", "authenticated"):
        name = f"{role}_of_{schema}"
        postgres_server.psql(
            f"CREATE ROLE {name} LOGIN IN ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {name}; "
            f"ALTER ROLE {name} SET search_path = {schema};"
        )
        names.append(postgres_server.url(user=name))
    return postgres_url, *names
