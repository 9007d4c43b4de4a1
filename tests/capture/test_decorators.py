"""Decorators track every kind of function, and leave everything else about it as it was."""

import asyncio
import functools
import inspect
from abc import ABC, abstractmethod

import pytest

import asp_telemetry as asp


def plain(brief: str, *, depth: int = 2) -> str:
    """Answer at once."""
    return f"{brief}/{depth}"


async def coroutine(brief: str, *, depth: int = 2) -> str:
    """Answer later."""
    return f"{brief}/{depth}"


def generator(brief: str, *, depth: int = 2):
    """Answer bit by bit."""
    yield f"{brief}/{depth}"


async def async_generator(brief: str, *, depth: int = 2):
    """Answer bit by bit, later."""
    yield f"{brief}/{depth}"


KINDS = [plain, coroutine, generator, async_generator]


async def outcome(called):
    """Take the one answer out of whatever a call of one of the four kinds has returned."""
    if inspect.isasyncgen(called):
        (item,) = [item async for item in called]
        return item
    if inspect.isgenerator(called):
        return next(iter(list(called)))
    return await called if inspect.isawaitable(called) else called


def decorations():
    """List the ways to decorate: bare and called, each decorator; with the kind and the name that come of it."""
    return [
        pytest.param(asp.track_agent, "agent", None, id="bare track_agent"),
        pytest.param(asp.track_agent(), "agent", None, id="track_agent()"),
        pytest.param(asp.track_agent("Planning"), "agent", None, id="track_agent(role)"),
        pytest.param(asp.track_agent("Planning", name="plan"), "agent", "plan", id="track_agent(role, name)"),
        pytest.param(asp.track_tool, "tool", None, id="bare track_tool"),
        pytest.param(asp.track_tool(), "tool", None, id="track_tool()"),
        pytest.param(asp.track_tool("search"), "tool", "search", id="track_tool(name)"),
        pytest.param(asp.track, "span", None, id="bare track"),
        pytest.param(asp.track(), "span", None, id="track()"),
        pytest.param(asp.track(kind="retriever", name="find"), "retriever", "find", id="track(kind, name)"),
    ]


@pytest.mark.parametrize("function", KINDS, ids=lambda function: function.__name__)
@pytest.mark.parametrize(("decorate", "kind", "name"), decorations())
async def test_every_kind_of_function_is_tracked(recorded, function, decorate, kind, name):
    """Each decorator, bare or called, tracks each kind of function once per call and changes no result."""
    tracked = decorate(function)
    assert await outcome(tracked("a", depth=5)) == "a/5"
    assert await outcome(tracked("b")) == "b/2"
    rows = await asyncio.to_thread(recorded.traces)
    assert [(row["kind"], row["name"], row["status"]) for row in rows] == [
        (kind, name or function.__name__, "success")
    ] * 2


@pytest.mark.parametrize("function", KINDS, ids=lambda function: function.__name__)
def test_a_decorated_function_looks_as_before(function):
    """Name, docstring, module, annotations, signature and kind of a function survive its decoration."""
    tracked = asp.track_agent("Planning")(function)
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        assert getattr(tracked, attribute) == getattr(function, attribute)
    assert tracked.__wrapped__ is function
    assert inspect.signature(tracked) == inspect.signature(function)
    for question in (
        inspect.isfunction, inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction,
        asyncio.iscoroutinefunction,
    ):  # fmt: skip
        assert question(tracked) is question(function)


def test_attributes_of_a_function_are_kept():
    """What other decorators have put on a function is still there."""

    def marked():
        return None

    marked.route = "/plan"
    assert asp.track(marked).route == "/plan"


def make_team():
    """Make a class whose methods are tracked in every way there is."""

    class Team:
        members = 3

        @asp.track_agent("Planning")
        def plan(self, brief):
            return (type(self), brief)

        @asp.track_agent
        async def code(self, brief):
            return (type(self), brief)

        @asp.track
        def stream(self, brief):
            yield (type(self), brief)

        @asp.track(kind="chain")
        async def astream(self, brief):
            yield (type(self), brief)

        @asp.track_tool
        @staticmethod
        def static_above(brief):
            return (Team, brief)

        @staticmethod
        @asp.track_tool("static_below")
        def static_below(brief):
            return (Team, brief)

        @asp.track_tool("class_above")
        @classmethod
        def class_above(cls, brief):
            return (cls, brief)

        @classmethod
        @asp.track_tool
        def class_below(cls, brief):
            return (cls, brief)

    return Team


@pytest.mark.parametrize(
    "name",
    ["plan", "code", "stream", "astream", "static_above", "static_below", "class_above", "class_below"],
)
async def test_methods_are_tracked(recorded, name):
    """Methods, static and class methods are tracked, with the decorator above or below, and bind as before."""
    team = make_team()

    class Sub(team):
        pass

    bound_to_class = Sub if name.startswith("class") else team
    assert await outcome(getattr(Sub(), name)("x")) == (team if name.startswith("static") else Sub, "x")
    if name.startswith(("static", "class")):
        assert await outcome(getattr(Sub, name)("y")) == (bound_to_class, "y")
    rows = await asyncio.to_thread(recorded.traces)
    assert {row["name"] for row in rows} == {name}
    assert len(rows) == (2 if name.startswith(("static", "class")) else 1)


def test_abstract_methods_stay_abstract():
    """A tracked abstract method still has to be implemented."""

    class Agent(ABC):
        @asp.track_agent
        @abstractmethod
        def run(self):
            raise NotImplementedError

    with pytest.raises(TypeError, match="abstract"):
        Agent()


def test_recursion_is_tracked_call_by_call(recorded):
    """A function that calls itself has one execution per call, each the parent of the next."""

    @asp.track
    def count(number):
        return 0 if number == 0 else 1 + count(number - 1)

    assert count(3) == 3
    rows = recorded.traces()
    assert [row["parent_id"] for row in rows] == [None, *(row["correlation_id"] for row in rows[:-1])]


class PlainCallable:
    """Be an object that can be called in one of the four ways."""

    def __call__(self, brief):
        return brief


class AsyncCallable:
    async def __call__(self, brief):
        return brief


class GeneratorCallable:
    def __call__(self, brief):
        yield brief


class AsyncGeneratorCallable:
    async def __call__(self, brief):
        yield brief


@pytest.mark.parametrize(
    "make",
    [PlainCallable, AsyncCallable, GeneratorCallable, AsyncGeneratorCallable],
    ids=lambda make: make.__name__,
)
async def test_callable_objects_are_tracked(recorded, make):
    """An object with `__call__` of any kind is tracked under the name of its class."""
    called = make()
    tracked = asp.track_tool(called)
    assert await outcome(tracked("x")) == "x"
    assert inspect.signature(tracked) == inspect.signature(called)
    rows = await asyncio.to_thread(recorded.traces)
    assert [(row["name"], row["status"]) for row in rows] == [(make.__name__, "success")]


@pytest.mark.parametrize("function", KINDS, ids=lambda function: function.__name__)
async def test_partials_are_tracked(recorded, function):
    """A `functools.partial` of any kind of function is tracked, and can be given a name."""
    tracked = asp.track(name="deep")(functools.partial(function, depth=9))
    assert await outcome(tracked("x")) == "x/9"
    rows = await asyncio.to_thread(recorded.traces)
    assert [(row["name"], row["status"]) for row in rows] == [("deep", "success")]


def test_built_in_functions_are_tracked(recorded):
    """A function written in C is tracked as well, whether or not it tells its signature."""
    assert asp.track(len)("four") == 4
    assert asp.track(dict.get)({"a": 1}, "a") == 1
    assert [row["name"] for row in recorded.traces()] == ["len", "get"]


@pytest.mark.parametrize(
    "decorate", [asp.track_agent, asp.track_tool, asp.track, asp.track_agent("Code"), asp.track(kind="chain")]
)
def test_a_class_is_refused_at_decoration(decorate):
    """Decorating a class is an error at once, and the message says what to decorate instead."""
    with pytest.raises(TypeError, match="decorate its methods"):
        decorate(type("Agent", (), {}))


@pytest.mark.parametrize("target", [property(plain), 5, None])
def test_what_cannot_be_called_is_refused_at_decoration(target):
    """Decorating what is no function is an error at once that shows what it was."""
    with pytest.raises(TypeError, match="only functions can be tracked"):
        asp.track_agent("Code")(target)


@pytest.mark.parametrize("decorator", [asp.track_agent, asp.track_tool, asp.track])
def test_an_unknown_option_is_refused_at_decoration(decorator):
    """A misspelt option is an error at once that names it and those there are, not something internal."""
    with pytest.raises(TypeError, match=r"no option modle; it knows .*model, name, provider"):
        decorator(modle="gpt-4o-mini")


def test_an_unknown_kind_is_refused_at_decoration():
    """A kind that the database would refuse is an error at once, with the list of those there are."""
    with pytest.raises(ValueError, match=r"kind='wizard' is unknown; use one of agent, chain, .*tool"):
        asp.track(kind="wizard")(plain)


def test_a_function_and_options_may_be_given_at_once(recorded):
    """Decorating by a plain call, without @, takes the same options."""
    asp.track_agent(plain, name="plan", version="1.2.3")("x")
    asp.track_tool(plain, name="search")("x")
    asp.track(plain, kind="chain", agent_role="Code", name="steps")("x")
    assert [(row["name"], row["kind"]) for row in recorded.traces()] == [
        ("plan", "agent"),
        ("search", "tool"),
        ("steps", "chain"),
    ]
    assert [row["agent_version"] for row in recorded.metrics("Latency")] == ["1.2.3"]


@pytest.mark.parametrize("decorate", [asp.track, asp.track_agent, asp.track_tool])
def test_bare_decorators_stand_above_static_and_class_methods(recorded, decorate):
    """Bare, too, a decorator may stand above or below @staticmethod and @classmethod."""

    class Toolbox:
        @decorate
        @staticmethod
        def fixed(value):
            return value

        @decorate
        @classmethod
        def of_class(cls, value):
            return cls, value

    assert (Toolbox.fixed(1), Toolbox().fixed(2)) == (1, 2)
    assert (Toolbox.of_class(3), Toolbox().of_class(4)) == ((Toolbox, 3), (Toolbox, 4))
    assert [row["name"] for row in recorded.traces()] == ["fixed"] * 2 + ["of_class"] * 2


def test_what_the_decorator_says_is_stored(recorded):
    """Role, version, model and provider of the decorator stand in the rows of its executions."""
    tracked = asp.track_agent("Planning", name="plan", model="gpt-4o", provider="openai", version="1.2.3")(
        plain
    )
    tracked("x")
    (row,) = recorded.traces()
    assert (row["name"], row["agent_role"], row["kind"]) == ("plan", "Planning", "agent")
    (latency,) = recorded.metrics("Latency")
    assert (latency["agent_role"], latency["agent_version"]) == ("Planning", "1.2.3")


def test_over_long_names_are_shortened(recorded):
    """A name or role that is too long for its column is kept short with a digest, and nothing is refused."""
    asp.track_agent("R" * 500, name="n" * 500, version="v" * 50)(plain)("x")
    (row,) = recorded.traces()
    assert len(row["name"]) == 200
    assert len(row["agent_role"]) == 50
    assert "~" in row["agent_role"]
    assert not recorded.rows("SELECT * FROM rejected_records")


def test_nothing_is_recorded_when_disabled(recorded):
    """With recording switched off, functions and blocks work as ever and leave no row."""
    asp.configure(recorded.url, strict=True, replace=True, disabled=True)
    assert list(asp.track(generator)("x")) == ["x/2"]
    assert asp.track_agent("A")(plain)("x") == "x/2"
    with asp.task("T") as task, asp.span("s") as span:
        task.set(task_type="t")
        span.set(tags=["t"])
        assert not span.is_recording
    asp.configure(recorded.url, strict=True, replace=True)
    asp.track(plain)("y")
    assert [row["name"] for row in recorded.traces()] == ["plain"]
