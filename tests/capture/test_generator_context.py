"""A generator's span is current only while the generator's own code runs, wherever that is."""

import asyncio

import pytest

import asp_telemetry as asp


def tree(recorded):
    """Return the parent's name of every execution, by name."""
    rows = recorded.traces()
    names = {row["correlation_id"]: row["name"] for row in rows}
    return {row["name"]: names.get(row["parent_id"]) for row in rows}


@asp.track_tool
def helper(name=""):
    """Be tracked inside or outside of a generator."""
    return asp.current_span().id


@asp.track
def stream(seen):
    """Note what is current inside, before, between and after its items."""
    for number in range(2):
        seen.append(asp.current_span().id)
        yield number
    seen.append(asp.current_span().id)


def test_the_span_is_current_only_inside(recorded):
    """Between two items the consumer has its own current span, and inside it is always the generator's."""
    seen = []
    with asp.span("consumer") as consumer:
        for _ in stream(seen):
            assert asp.current_span().id == consumer.id
        assert asp.current_span().id == consumer.id
    assert not asp.current_span().is_recording
    assert len(set(seen)) == 1
    assert len(seen) == 3
    assert consumer.id not in seen


async def test_the_span_of_an_async_generator_is_current_only_inside(recorded):
    """The same holds for an async generator."""
    seen = []

    @asp.track
    async def astream():
        for number in range(2):
            seen.append(asp.current_span().id)
            await asyncio.sleep(0)
            yield number
        seen.append(asp.current_span().id)

    async with asp.span("consumer") as consumer:
        async for _ in astream():
            assert asp.current_span().id == consumer.id
        assert asp.current_span().id == consumer.id
    assert len(set(seen)) == 1
    assert consumer.id not in seen


def test_calls_of_consumer_and_generator_keep_apart(recorded):
    """What the consumer calls between items is the consumer's child, what the generator calls is the generator's."""

    @asp.track
    def producing():
        with asp.span("inside 1"):
            pass
        yield
        with asp.span("inside 2"):
            pass

    with asp.span("consumer"):
        for _ in producing():
            with asp.span("between"):
                pass
    assert tree(recorded) == {
        "consumer": None,
        "producing": "consumer",
        "between": "consumer",
        "inside 1": "producing",
        "inside 2": "producing",
    }


def check_span_held_over_a_yield(recorded):
    assert tree(recorded) == {
        "consumer": None,
        "producing": "consumer",
        "held": "producing",
        "between": "consumer",
        "later": "held",
    }


def test_a_span_that_a_generator_holds_over_a_yield_stays_inside(recorded):
    """A block that is open inside the generator while it yields is not the parent of what the consumer does."""

    @asp.track
    def producing():
        with asp.span("held"):
            yield
            with asp.span("later"):
                pass

    with asp.span("consumer") as consumer:
        for _ in producing():
            assert asp.current_span().id == consumer.id
            with asp.span("between"):
                pass
        assert asp.current_span().id == consumer.id
    assert not asp.current_span().is_recording
    check_span_held_over_a_yield(recorded)


async def test_a_span_that_an_async_generator_holds_over_a_yield_stays_inside(recorded):
    """The same holds for an async generator."""

    @asp.track
    async def producing():
        async with asp.span("held"):
            yield
            async with asp.span("later"):
                pass

    async with asp.span("consumer"):
        async for _ in producing():
            async with asp.span("between"):
                pass
    await asyncio.to_thread(check_span_held_over_a_yield, recorded)


def test_a_context_that_a_generator_holds_over_a_yield_stays_inside(recorded):
    """Facts that a generator sets for its own work do not reach what the consumer does meanwhile."""

    @asp.track
    def producing():
        with asp.context(user_id="inside"):
            yield
            helper()

    for _ in producing():
        with asp.span("between"):
            pass
    assert {row["name"]: row["user_id"] for row in recorded.traces()} == {
        "producing": None,
        "between": None,
        "helper": "inside",
    }


def test_two_generators_may_be_consumed_in_turns(recorded):
    """Interleaved generators keep apart, whichever ends first."""

    @asp.track
    def first():
        for _ in range(3):
            with asp.span("of first"):
                yield

    @asp.track
    def second():
        for _ in range(3):
            with asp.span("of second"):
                yield

    with asp.span("consumer") as consumer:
        for _ in zip(first(), second(), strict=False):
            assert asp.current_span().id == consumer.id
    assert tree(recorded) == {
        "consumer": None,
        "first": "consumer",
        "second": "consumer",
        "of first": "first",
        "of second": "second",
    }


def test_a_generator_left_inside_a_held_span_restores_the_consumer(recorded):
    """Breaking off in the middle of an open block ends both spans and leaves the consumer's current."""

    @asp.track
    def producing():
        with asp.span("held"):
            yield
            yield

    with asp.span("consumer") as consumer:
        running = producing()
        next(running)
        running.close()
        assert asp.current_span().id == consumer.id
    assert {row["name"]: row["status"] for row in recorded.traces()} == {
        "consumer": "success",
        "producing": "success",
        "held": "success",
    }


def test_a_tracked_contextmanager_works(recorded):
    """`contextlib.contextmanager` over a tracked generator works, also when the block fails."""
    from contextlib import contextmanager  # noqa: PLC0415 - only this test

    @contextmanager
    @asp.track
    def session():
        yield "open"

    with asp.span("user"):
        with session() as what:
            assert what == "open"
            helper()
        with pytest.raises(ValueError, match="inside"), session():
            raise ValueError("inside")
    assert [(row["name"], row["status"]) for row in recorded.traces()] == [
        ("user", "success"),
        ("session", "success"),
        ("helper", "success"),
        ("session", "error"),
    ]
