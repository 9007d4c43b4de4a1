"""Files that define agents: what is accepted, and what is said of everything else."""

import pickle
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asp_telemetry.agents import documents, patterns
from asp_telemetry.agents.faults import Faults
from asp_telemetry.agents.files import absolute_paths, read_paths
from asp_telemetry.errors import AgentDefinitionError, ConfigurationError

WHOLE = """
name: debugger
version: 1.10
type: specialist
domain: web
description: |
  Finds causes.
  And says them.
capabilities: [debugging, root-cause analysis]
triggers: [debug, 404, debug]
trigger_patterns:
  - (fix|debug).* bug
context:
  language: [python, rust]
  environment: prod
model: {name: claude-sonnet-5, temperature: 0.2}
"""


def read(*paths):
    return read_paths(absolute_paths(paths))


def faults_of(*paths):
    with pytest.raises(AgentDefinitionError) as refused:
        read(*paths)
    return [(fault.path.name, fault.line, fault.message) for fault in refused.value.faults]


def test_a_whole_definition(folder):
    """All documented keys are read, versions as they are written, and other keys are kept."""
    ([agent], files) = read(folder.write("debugger.yaml", WHOLE))
    assert files == 1
    assert (agent.name, agent.version, agent.type, agent.status, agent.domain) == (
        "debugger", "1.10", "specialist", "active", "web",
    )  # fmt: skip
    assert agent.description == "Finds causes.\nAnd says them."
    assert agent.capabilities == ("debugging", "root-cause analysis")
    assert agent.triggers == ("debug", "404")
    assert agent.trigger_patterns == ("(fix|debug).* bug",)
    assert agent.context == {"language": ["python", "rust"], "environment": ["prod"]}
    assert agent.content["model"] == {"name": "claude-sonnet-5", "temperature": 0.2}
    assert agent.content["version"] == "1.10"


def test_several_documents_files_and_folders(folder):
    """A file may define several agents; folders are searched to the bottom; hidden and other files are left alone."""
    folder.write("team.yaml", "name: a\ntype: coordinator\n---\n---\nname: b\ntype: specialist\n...\n")
    folder.write("deep/down/c.yml", "name: c\ntype: transformer")
    folder.write(".git/d.yaml", "broken: [")
    folder.write("..data/e.yaml", "broken: [")
    folder.write("README.md", "broken: [")
    agents, files = read(folder.path, folder.path / "team.yaml")
    assert [agent.name for agent in agents] == ["c", "a", "b"]
    assert [agent.line for agent in agents] == [1, 1, 5]
    assert files == 2


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            "name: x\ntype: wizard",
            2,
            "type 'wizard' is unknown; write coordinator, specialist or transformer",
        ),
        ("\n\ntype: specialist", 3, "name is missing"),
        ("name: x", 1, "type is missing"),
        ("name: no\ntype: specialist", 1, "name 'no' is no text; write it in quotes"),
        ("name: ''\ntype: specialist", 1, "empty"),
        ("name: ~\ntype: specialist", 1, "is no text"),
        ("name: [x]\ntype: specialist", 1, "name no text is no text"),
        (f"name: {'x' * 256}\ntype: specialist", 1, "256 characters; at most 255"),
        ('name: "a\\nb"\ntype: specialist', 1, "control characters"),
        ("name: x\ntype: specialist\nversion: latest", 3, "version 'latest' is none"),
        ("name: x\ntype: specialist\nversion: '1..2'", 3, "version '1..2' is none"),
        ("name: x\ntype: specialist\nversion: v1", 3, "such as 1.2.0"),
        ("name: x\ntype: specialist\nversion: [1]", 3, "version"),
        ("name: x\ntype: specialist\nstatus: retired", 3, "status 'retired' is unknown"),
        ("name: x\ntype: specialist\ntriggers: debug", 3, "triggers is no list"),
        ("name: x\ntype: specialist\ntriggers:\n- ok\n- on", 5, "triggers 'on' is no text"),
        ("name: x\ntype: specialist\ncapabilities: [{a: 1}]", 3, "capabilities no text"),
        ("name: x\ntype: specialist\ntrigger_patterns:\n- ok\n- fix(", 5, "'fix(' cannot be used: missing )"),
        ("name: x\ntype: specialist\ntrigger_patterns: ['a(?=b)']", 3, "no look-around"),
        ("name: x\ntype: specialist\ntrigger_patterns: ['((a{999}){999}){999}']", 3, "cannot be used"),
        ("name: x\ntype: specialist\ncapabilites: [a]", 3, "did you mean 'capabilities'?"),
        ("name: x\ntype: specialist\ntrigger-patterns: [a]", 3, "did you mean 'trigger_patterns'?"),
        ("name: x\ntype: specialist\ncontext: web", 3, "context is no mapping"),
        ("name: x\ntype: specialist\ncontext:\n  language: [[a]]", 4, "context.language"),
        ("name: x\ntype: specialist\nname: y", 3, "'name' stands here a second time"),
        ("- name: x", 1, "is no mapping"),
        ("name: x\n  type: specialist", 2, "is no YAML"),
        ("name: x\n\x01", 2, "is no YAML"),
        ("name: !!python/object:os.system x\ntype: specialist", 1, "the tag 'python/object:os.system'"),
        ("name: x\ntype: specialist\nlimit: .nan", 3, "a number that JSON lacks"),
        ('name: x\ntype: specialist\nnote: "\\0"', 3, "databases cannot keep"),
        ("name: x\ntype: specialist\n<<: {a: 1}", 3, "merges (<<)"),
        ("name: x\ntype: specialist\n? [a]\n: 1", 3, "is no name for a value"),
        ("", None, "defines no agent"),
        ("# nothing\n---\n", None, "defines no agent"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder, text, line, said):
    """Each fault names file and line, and what to write instead."""
    path = folder.path / "agent.yaml"
    path.write_text(text, encoding="utf-8")
    [(name, at, message)] = faults_of(path)
    assert (name, at) == ("agent.yaml", line)
    assert said in message


def test_all_faults_are_told_at_once_in_order(folder):
    """Whoever corrects files sees everything that is wrong with them, in the order of files and lines."""
    folder.write("b.yaml", "name: b\ntype: wizard\nversion: x")
    folder.write("a.yaml", "type: specialist\n---\n- x\n---\nname: a\ntype: wizard")
    assert [fault[:2] for fault in faults_of(folder.path)] == [
        ("a.yaml", 1), ("a.yaml", 3), ("a.yaml", 6), ("b.yaml", 2), ("b.yaml", 3),
    ]  # fmt: skip


def test_a_name_twice_names_both_places(folder):
    """Two definitions of one agent in one load are refused, wherever they stand."""
    folder.write("a.yaml", "name: x\ntype: specialist")
    folder.write("b.yaml", "\n\nname: x\ntype: specialist\nversion: 2.0.0")
    [(name, line, message)] = faults_of(folder.path)
    assert (name, line) == ("b.yaml", 3)
    assert f"defined in {folder.path}/a.yaml:1 already" in message


def test_what_is_not_there_or_not_text(folder):
    """A missing path, a file in another encoding and a far too long one are told apart."""
    latin = folder.path / "latin.yaml"
    latin.write_bytes(b"name: x\ntype: sp\xe9cialist")
    long = folder.path / "long.yaml"
    long.write_bytes(b"# " + b"x" * (1 << 20))
    found = faults_of(folder.path / "gone.yaml", latin, long)
    assert [(name, line) for name, line, _ in found] == [
        ("gone.yaml", None),
        ("latin.yaml", 2),
        ("long.yaml", None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "a: " + "{b: " * 5_000,
        "name: x\ntype: specialist\na: &a [*a]",
        "name: x\ntype: specialist\na: &a\n  b: *a",
        "name: x\ntype: specialist\na0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
    ],
    ids=["brackets", "mappings", "circle", "circle through a mapping", "billion laughs"],
)
def test_bombs_are_refused(folder, text):
    """A file that is made to eat memory or the stack is one fault like any other."""
    assert len(faults_of(folder.write("bomb.yaml", text))) == 1


def test_the_digest_is_of_the_meaning(folder):
    """Comments, order and written-out defaults change nothing; any value does."""
    path = folder.write("x.yaml", "name: x\ntype: specialist\ntriggers: [a, b]")
    [[first], _] = read(path)
    folder.write(
        "x.yaml", "# new\ntype: specialist\nversion: '1.0.0'\nstatus: active\nname: x\ntriggers:\n- a\n- b\n"
    )
    [[same], _] = read(path)
    folder.write("x.yaml", "name: x\ntype: specialist\ntriggers: [b, a]")
    [[other], _] = read(path)
    assert first.digest == same.digest != other.digest
    assert len(first.digest) == 64


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text("name:typesci- \n[]{}&*!|>'\"#?%\t0~<,é", max_size=200).map(str.encode),
    )
)
def test_any_bytes_are_definitions_or_faults(folder, data):
    """Whatever a file holds, reading it gives definitions or faults, never anything else."""
    path = folder.path / "any.yaml"
    path.write_bytes(data)
    faults = Faults()
    try:
        agents, _ = read(path)
    except AgentDefinitionError as error:
        faults.found.extend(error.faults)
        agents = []
    assert bool(agents) != bool(faults.found)


def test_faults_travel(folder):
    """The exception survives a pool of processes with all its faults."""
    with pytest.raises(AgentDefinitionError) as refused:
        read(folder.path / "gone")
    again = pickle.loads(pickle.dumps(refused.value))
    assert (str(again), again.faults) == (str(refused.value), refused.value.faults)


def test_no_faults_raise_nothing():
    """Nothing wrong, nothing raised."""
    Faults().raise_if_any()


def test_links_are_followed_and_never_in_a_circle(folder, tmp_path):
    """A link to a folder is read like the folder; one that leads back is harmless; one to nothing is told."""
    folder.write("real/a.yaml", "name: a\ntype: specialist")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.yaml").write_text("name: b\ntype: specialist")
    (folder.path / "linked").symlink_to(elsewhere)
    (folder.path / "real" / "back").symlink_to(folder.path)
    agents, files = read(folder.path)
    assert sorted(agent.name for agent in agents) == ["a", "b"]
    assert files == 2
    (folder.path / "c.yaml").symlink_to(folder.path / "gone.yaml")
    [(name, _, said)] = faults_of(folder.path)
    assert (name, "link to nothing" in said) == ("c.yaml", True)


@pytest.mark.parametrize("module", ["re2", "yaml"])
def test_a_missing_library_is_named(folder, monkeypatch, module):
    """Without the extra, the message says what to install."""
    for cached in (documents._yaml, patterns._re2):
        cached.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r'pip install "asp-telemetry\[agents\]"'):
        read(folder.write("a.yaml", "name: a\ntype: specialist\ntrigger_patterns: [a]"))
    monkeypatch.undo()
    for cached in (documents._yaml, patterns._re2):
        cached.cache_clear()
