"""A decorated function runs inside its budget, whatever kind of function it is, and stays what it was."""

import asyncio
import inspect

import pytest
from spending import calls, make_ask

import asp_telemetry as asp


def spend(*tokens):
    """Make calls of different sites: none has a history."""
    for number in tokens:
        make_ask()(number)


def test_plain_functions_methods_and_static_methods(recorded):
    """Each call has a budget of its own, and what it returns or raises comes through."""

    class Agent:
        @asp.budget(tokens=10)
        def method(self, *tokens: int) -> int:
            """Spend."""
            spend(*tokens)
            return len(tokens)

        @asp.budget(tokens=10)
        @staticmethod
        def static(*tokens):
            spend(*tokens)
            return "static"

        @asp.budget(tokens=10)
        @classmethod
        def made(cls, *tokens):
            spend(*tokens)
            return cls

    agent = Agent()
    for _ in range(2):
        assert agent.method(5, 5) == 2
        assert agent.static(10) == "static"
        assert agent.made(10) is Agent
    with pytest.raises(asp.BudgetExceeded):
        agent.method(5, 5, 5)
    assert calls == [5, 5, 10, 10, 5, 5, 10, 10, 5, 5]
    assert Agent.method.__doc__ == "Spend."
    assert str(inspect.signature(agent.method)) == "(*tokens: int) -> int"
    with pytest.raises(TypeError):
        asp.budget(tokens=1)(Agent)


def test_both_orders_of_decorators(recorded):
    """A tracked function with a budget, and a function with a budget that is tracked, both refuse the calls inside."""

    @asp.track_agent
    @asp.budget(tokens=10)
    def inside():
        spend(10, 1)

    @asp.budget(tokens=10)
    @asp.track_agent
    def outside():
        spend(10, 1)

    for function in (inside, outside):
        with pytest.raises(asp.BudgetExceeded):
            function()
    assert calls == [10, 10]
    rows = recorded.rows("SELECT name, error_type FROM execution_traces WHERE kind = 'agent'")
    assert {(row["name"], row["error_type"]) for row in rows} == {
        ("inside", "BudgetExceeded"), ("outside", "BudgetExceeded"),
    }  # fmt: skip


def test_coroutines(recorded):
    """Coroutines that run at the same time have their own budgets, or share one by its key."""

    @asp.budget(tokens=10)
    async def own(number):
        spend(5)
        await asyncio.sleep(0)
        spend(5)
        return number

    @asp.budget(tokens=10, per="user")
    async def shared():
        spend(5)
        await asyncio.sleep(0)
        spend(5)

    async def main():
        assert await asyncio.gather(*map(own, range(3))) == [0, 1, 2]
        with asp.context(user_id="ana"):
            return await asyncio.gather(*(shared() for _ in range(2)), return_exceptions=True)

    assert inspect.iscoroutinefunction(own)
    done = asyncio.run(main())
    assert [type(result) for result in done] == [asp.BudgetExceeded] * 2
    assert calls == [5] * 8


def test_generators(recorded):
    """The budget of a generator is in force in its own code alone; sending, throwing and returning work as before."""
    log = []

    @asp.budget(tokens=10)
    def talk():
        try:
            log.append((yield 1))
            spend(10)
            try:
                yield 2
            except KeyError:
                log.append("thrown")
            spend(1)
        finally:
            log.append("closed")
        return "never"

    assert inspect.isgeneratorfunction(talk)
    with asp.budget(tokens=1000) as outer:
        stream = talk()
        assert next(stream) == 1
        spend(500)
        assert stream.send("sent") == 2
        spend(100)
        with pytest.raises(asp.BudgetExceeded):
            stream.throw(KeyError())
        assert outer.spent.tokens == 610
        stream = talk()
        next(stream)
        stream.close()
    assert log == ["sent", "thrown", "closed", "closed"]
    assert calls == [500, 10, 100]

    @asp.budget(tokens=10)
    def ends():
        yield 1
        return "value"

    def outer_generator():
        return (yield from ends())

    stream = outer_generator()
    next(stream)
    with pytest.raises(StopIteration, match="value"):
        next(stream)
    make_ask()(1000)


def test_async_generators(recorded):
    """The same holds for async generators."""
    log = []

    @asp.budget(tokens=10)
    async def talk():
        try:
            log.append((yield 1))
            spend(10)
            yield 2
            spend(1)
        finally:
            log.append("closed")

    assert inspect.isasyncgenfunction(talk)

    async def main():
        stream = talk()
        assert await anext(stream) == 1
        spend(500)
        assert await stream.asend("sent") == 2
        spend(100)
        with pytest.raises(asp.BudgetExceeded):
            await anext(stream)
        stream = talk()
        await anext(stream)
        await stream.aclose()
        return [item async for item in short()]

    @asp.budget(tokens=10)
    async def short():
        yield 3

    assert asyncio.run(main()) == [3]
    assert log == ["sent", "closed", "closed"]
    assert calls == [500, 10, 100]


def test_a_refused_stream_never_begins(recorded):
    """A tracked generator is refused when its first item is asked for, before any of its code has run."""

    @asp.track(kind="generation")
    def stream():
        calls.append(1)
        yield 1

    with asp.budget(tokens=0), pytest.raises(asp.BudgetExceeded):
        list(stream())
    assert not calls
