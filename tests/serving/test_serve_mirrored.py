"""What other programs send goes on to mirrors once, too."""

import signal

from clients import agent

from langfuse_double import LangfuseDouble


def test_spans_that_are_sent_again_reach_langfuse_once(process, tmp_path):
    """Kill the server before Langfuse has got what it took, and send that again to the next one: nothing is doubled."""
    with LangfuseDouble() as langfuse:
        settings = {
            "ASP_LANGFUSE": "1", "LANGFUSE_BASE_URL": langfuse.url,
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key, "LANGFUSE_SECRET_KEY": langfuse.secret_key,
        }  # fmt: skip
        spans = agent("Planner"), agent("Coder")
        away = process(
            "--db-path", str(tmp_path / "a.db"), **{**settings, "LANGFUSE_BASE_URL": "http://127.0.0.1:9"}
        )
        assert away.client.send(*spans).status == 200
        away.end(signal.SIGKILL)
        server = process("--db-path", str(tmp_path / "a.db"), **settings)
        assert server.client.send(*spans).status == 200
        status, _, errors = server.end(signal.SIGTERM)
        assert status == 0, errors
        assert sorted(found.name for found in langfuse.observations) == ["Coder", "Planner"]
