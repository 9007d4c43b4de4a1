"""Stand in for OpenAI and Anthropic on this machine, so that the examples run offline and cost nothing.

The server speaks the providers' own wire formats, so the real client libraries talk to it:

    with ProviderStub() as stub:
        OpenAI(base_url=stub.openai_url, api_key="stub")
        Anthropic(base_url=stub.anthropic_url, api_key="stub")

Answers are the same in every run, but for their ids. What a prompt may ask for, in square brackets:

    [tool]       call the first tool that was offered
    [429]        refuse the first request with this prompt (rate limit, "try again in 20 ms"), then answer
    [500]        fail as a broken server does, each time
    [overloaded] refuse as an overloaded provider does, each time

The header `x-stub-fail: 429` (or 500, overloaded) does the same. A system prompt that was sent before counts as
read from the cache; with Anthropic only where it is marked with `cache_control`, as there.
"""

import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

import provider_formats as formats
from provider_formats import Json, Reply, text_of

_MARK: Final = re.compile(r"\s*\[(tool|429|500|overloaded)\]\s*")
_ERRORS: Final = {
    "429": (429, "rate_limit_error", "Rate limit reached. Please try again in 20ms."),
    "500": (500, "api_error", "The server had an error while processing your request."),
    "overloaded": (529, "overloaded_error", "Overloaded"),
}


class ProviderStub:
    """Serve both providers' APIs on the loopback address, on a free port, while the block lasts.

    Args:
        seconds_per_answer: How long the model "thinks" before it answers.

    Example:
        >>> with ProviderStub() as stub:
        ...     stub.openai_url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(self, seconds_per_answer: float = 0.0) -> None:
        self.seconds_per_answer = seconds_per_answer
        self.requests = 0
        self._run = secrets.token_hex(6)
        self._numbers = count(1)
        self._seen: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        host, port = self._server.server_address[:2]
        self.anthropic_url = f"http://{host!s}:{port}"
        self.openai_url = f"{self.anthropic_url}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def first_time(self, topic: str, text: str) -> bool:
        """Tell whether this text comes up for the first time under this topic."""
        with self._lock:
            known = (topic, text) in self._seen
            self._seen.add((topic, text))
            return not known

    def next_number(self) -> str:
        """Number an answer; no other answer, of any run, has the same number."""
        with self._lock:
            self.requests += 1
            return f"{self._run}{next(self._numbers):06d}"

    def reply(self, path: str, body: Json) -> Reply:
        """Decide what to answer to a request."""
        system, messages, cacheable = _conversation(path, body)
        prompt = text_of(messages[-1].get("content")) if messages else ""
        answering_tool = any(_is_tool_result(message) for message in messages[-1:])
        tools = body.get("tools") or []
        tool: str | None = None
        arguments: Json = {}
        if "[tool]" in prompt and tools and not answering_tool:
            tool, arguments = _call(tools[0], _MARK.sub(" ", prompt).strip())
        text = f"Here is what {body['model']} makes of it: {_MARK.sub(' ', prompt).strip()[:200]}"
        system_tokens = _tokens(system) if system else 0
        first = self.first_time(f"cache {path} {body['model']}", system)
        reasoning = 32 if body.get("reasoning") or body.get("reasoning_effort") else 0
        return Reply(
            number=self.next_number(),
            model=body["model"],
            text=text,
            tool=tool,
            arguments=arguments,
            fresh_tokens=sum(_tokens(text_of(message.get("content"))) + 4 for message in messages)
            + (0 if cacheable else system_tokens),
            cache_read_tokens=system_tokens if cacheable and not first else 0,
            cache_write_tokens=system_tokens if cacheable and first else 0,
            output_tokens=_tokens(json.dumps(arguments) if tool else text) + reasoning,
            reasoning_tokens=reasoning,
        )


class _Server(ThreadingHTTPServer):
    """Serve each connection in a thread of its own."""

    def __init__(self, stub: ProviderStub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stub = stub

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may hang up whenever it likes
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Take one request, and answer it or fail as it asks for."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        stub = self.server.stub
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        body: Json = json.loads(text)
        time.sleep(stub.seconds_per_answer)
        failure = self._failure(stub, text)
        if failure is not None:
            self._fail(*failure)
        elif self.path == "/v1/embeddings":
            inputs = [body["input"]] if isinstance(body["input"], str) else body["input"]
            self._send(200, formats.embeddings(body["model"], inputs, sum(map(_tokens, inputs))))
        elif self.path in _PLAIN:
            reply = stub.reply(self.path, body)
            if body.get("stream"):
                self._stream(_events(self.path, reply, body))
            else:
                self._send(200, _PLAIN[self.path](reply))
        else:
            self._fail(
                404, "not_found_error", f"The stub does not serve {self.path}; see its module docstring."
            )

    def _failure(self, stub: ProviderStub, text: str) -> tuple[int, str, str] | None:
        asked = self.headers.get("x-stub-fail")
        for name, failure in _ERRORS.items():
            wanted = asked == name or f"[{name}]" in text
            if wanted and (name != "429" or stub.first_time("429", text)):
                return failure
        return None

    def _fail(self, status: int, kind: str, message: str) -> None:
        error = {"type": kind, "message": message, "param": None, "code": kind}
        self._send(status, {"type": "error", "error": error})

    def _send(self, status: int, answer: Json) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "1")
            self.send_header("retry-after-ms", "20")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, lines: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for line in lines:
            content = line.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the examples' output is about what they show."""


_PLAIN: Final = {
    "/v1/chat/completions": formats.chat_completion,
    "/v1/responses": formats.response,
    "/v1/messages": formats.message,
}


def _events(path: str, reply: Reply, body: Json) -> Iterator[str]:
    if path == "/v1/chat/completions":
        wanted = bool((body.get("stream_options") or {}).get("include_usage"))
        for chunk in formats.chat_chunks(reply, include_usage=wanted):
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"
        return
    for event in formats.response_events(reply) if path == "/v1/responses" else formats.message_events(reply):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _conversation(path: str, body: Json) -> tuple[str, list[Json], bool]:
    """Take apart a request: its system prompt, the other messages, and whether the former may be cached."""
    if path == "/v1/messages":
        system = body.get("system") or ""
        cacheable = isinstance(system, list) and any("cache_control" in block for block in system)
        return text_of(system), body["messages"], cacheable
    if path == "/v1/responses":
        given = body["input"]
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
        system = body.get("instructions") or ""
        return system, messages, bool(system)
    system = " ".join(text_of(each["content"]) for each in body["messages"] if each["role"] in _SYSTEM_ROLES)
    return system, [each for each in body["messages"] if each["role"] not in _SYSTEM_ROLES], bool(system)


_SYSTEM_ROLES: Final = ("system", "developer")


def _is_tool_result(message: Json) -> bool:
    content = message.get("content")
    return (
        message.get("role") == "tool"
        or message.get("type") == "function_call_output"
        or (isinstance(content, list) and any(part.get("type") == "tool_result" for part in content))
    )


def _call(tool: Json, prompt: str) -> tuple[str, Json]:
    """Call a tool as it was declared, with the prompt for every text and 1 for everything else."""
    function = tool.get("function") or tool
    schema = function.get("parameters") or function.get("input_schema") or {}
    properties: Json = schema.get("properties") or {}
    return function["name"], {
        name: prompt if declared.get("type") == "string" else 1 for name, declared in properties.items()
    }


def _tokens(text: str) -> int:
    return max(1, len(text) // 4)
