"""Whole counts of tokens are never less than their parts, and read both ways of writing them alike."""

from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.importing.langfuse.identity import execution_id, root_id
from asp_telemetry.importing.langfuse.usage import whole_counts

COUNTS = st.integers(min_value=0, max_value=10**9)
KEYS = (
    "input", "output", "total", "cache_read_input_tokens", "cache_creation_input_tokens", "input_cached_tokens",
    "output_reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "images", "prompt_tokens",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), COUNTS))
def test_parts_are_inside_their_whole(details):
    """Whatever is sent, cached tokens are part of the input and reasoning is part of the output."""
    found = whole_counts(details)
    cached = found.get("cache_read_tokens", 0) + found.get("cache_write_tokens", 0)
    assert cached <= found.get("input_tokens", 0)
    assert found.get("reasoning_tokens", 0) <= found.get("output_tokens", 0)


@given(plain=COUNTS, read=COUNTS, written=COUNTS, said=COUNTS, thought=COUNTS)
def test_both_ways_of_writing_are_read_alike(plain, read, written, said, thought):
    """Classes that exclude each other and classes inside their whole give the same counts, where a total stands by."""
    whole_in, whole_out = plain + read + written, said + thought
    parts = {
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_reasoning_tokens": thought,
        "total": whole_in + whole_out,
    }
    for details in ({"input": plain, "output": said}, {"input": whole_in, "output": whole_out}):
        found = whole_counts({**details, **parts})
        assert (found["input_tokens"], found["output_tokens"]) == (whole_in, whole_out)


@given(st.text(), st.text())
def test_every_id_names_one_execution(trace_id, observation_id):
    """Ids of any shape, old ones of Langfuse among them, name an execution, the same each time."""
    named = execution_id(trace_id, observation_id)
    assert named == execution_id(trace_id, observation_id)
    assert len(named) == len(root_id(trace_id)) == 36
