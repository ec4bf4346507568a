"""A model behind the OpenAI chat completions protocol, streamed: api.openai.com, vLLM, Ollama, OpenRouter and others.

Wire format: https://platform.openai.com/docs/api-reference/chat/streaming. Reasoning is read from
``reasoning_content`` or ``reasoning``, the two names that servers use for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from ..errors import ConfigurationError
from ..secret_settings import read_secret
from .openai_messages import chat_messages
from .port import Chunk, SourceContext, SourceError

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"

_RETRIED: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
_MAX_WAIT: Final = 20.0
"""Seconds; a longer Retry-After is an answer, not a wait."""
_MAX_LINE: Final = 8 * 1024 * 1024
_ERROR_TEXT: Final = 2000

_FINISH_REASONS: Final = {"function_call": "tool_calls"}


class OpenAISource:
    """Streams one completion per run.

    ``request`` is added to the body of every call, for example ``{"temperature": 0.2, "tools": […]}``. ``timeout`` is
    the longest silence in seconds, also before the first token. A call that fails before its first chunk is tried
    ``retries`` more times. Failures raise SourceError with the server's own text, which only the log gets to see.
    """

    def __init__(
        self,
        *,
        model: str,
        api_key: str | None = None,
        base_url: str = DEFAULT_BASE_URL,
        request: Mapping[str, Any] | None = None,
        system: str | None = None,
        timeout: float = 120.0,
        retries: int = 2,
        backoff: float = 0.5,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._request = {"model": model, **(request or {}), "stream": True}
        self._system = system
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, messages: Sequence[Mapping[str, Any]], context: SourceContext) -> AsyncIterator[Chunk]:
        body = {**self._request, "messages": chat_messages(messages, system=self._system)}
        answer = _Answer(context)
        for chunk in answer.begin():
            yield chunk
        events = self._events(body)
        try:
            async for event in events:
                for chunk in answer.feed(event):
                    yield chunk
        finally:
            await events.aclose()
        for chunk in answer.end():
            yield chunk

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _http(self) -> httpx.AsyncClient:
        """One client per event loop: its connections cannot outlive their loop."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            timeout = httpx.Timeout(self._timeout, connect=min(10.0, self._timeout))
            self._client = httpx.AsyncClient(timeout=timeout, headers=self._headers, transport=self._transport)
            self._loop = loop
        return self._client

    async def _events(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The stream's JSON objects. Leaving this early closes the call."""
        client = self._http()
        attempt = 0
        while True:
            got_one = False
            try:
                async with client.stream("POST", self._url, json=body) as response:
                    if response.status_code >= 400:
                        text = await _read_some(response)
                        wait = self._wait_before_retry(response, attempt)
                        if wait is None:
                            raise SourceError(f"the model's server answered {response.status_code}: {text}")
                    else:
                        finished = False
                        async for event in _parse(response):
                            got_one = True
                            finished = finished or event is None or _finishes(event)
                            if event is None:
                                break
                            yield event
                        if not finished:
                            raise SourceError("the model's server broke off in the middle of its answer")
                        return
            except httpx.HTTPError as error:
                if got_one or attempt >= self._retries:
                    kind = "broke off its answer" if got_one else "cannot be reached"
                    raise SourceError(f"the model's server {kind}: {error!r}") from error
                wait = self._backoff * 2**attempt
            await asyncio.sleep(wait)
            attempt += 1

    def _wait_before_retry(self, response: httpx.Response, attempt: int) -> float | None:
        """Seconds until the next attempt; None if there is none."""
        if response.status_code not in _RETRIED or attempt >= self._retries:
            return None
        asked = _retry_after(response.headers.get("retry-after"))
        if asked is None:
            return self._backoff * 2.0**attempt
        return asked if asked <= _MAX_WAIT else None


def openai_source_from_env(environ: Mapping[str, str]) -> OpenAISource:
    """OPENAI_MODEL, with OPENAI_API_KEY (or where it is kept), OPENAI_BASE_URL and OPENAI_SYSTEM if set.

    Raises ConfigurationError.
    """
    model = environ.get("OPENAI_MODEL", "").strip()
    base_url = environ.get("OPENAI_BASE_URL", "").strip() or DEFAULT_BASE_URL
    if not model:
        raise ConfigurationError("OPENAI_MODEL is not set; name the model that should answer.")
    if not base_url.startswith(("http://", "https://")):
        raise ConfigurationError(f"OPENAI_BASE_URL is {base_url!r}; it must begin with https:// or http://.")
    key = read_secret("OPENAI_API_KEY", environ).strip()
    if not key and base_url == DEFAULT_BASE_URL:
        raise ConfigurationError("OPENAI_API_KEY is not set; api.openai.com needs one.")
    return OpenAISource(
        model=model, api_key=key or None, base_url=base_url, system=environ.get("OPENAI_SYSTEM") or None
    )


class _Answer:
    """Turns completion chunks into AG-UI events."""

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._id = context.message_id
        self._step = f"think-{context.message_id}"
        self._thinking = False
        self._calls: dict[int, str] = {}
        self._reason = "stop"
        self._usage: dict[str, Any] | None = None

    def begin(self) -> list[Chunk]:
        context = self._context
        return [
            {"type": "RUN_STARTED", "runId": context.run_id, "threadId": context.thread_id},
            {"type": "TEXT_MESSAGE_START", "messageId": self._id, "role": "assistant"},
        ]

    def feed(self, event: dict[str, Any]) -> list[Chunk]:
        """Raises SourceError if the event is an error."""
        error = event.get("error")
        if error:
            text = error.get("message") if isinstance(error, dict) else error
            raise SourceError(f"the model's server reported an error: {text}")
        if isinstance(event.get("usage"), dict):
            self._usage = event["usage"]
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return []
        out: list[Chunk] = []
        delta = choice.get("delta")
        if isinstance(delta, dict):
            out += self._delta(delta)
        reason = choice.get("finish_reason")
        if isinstance(reason, str):
            self._reason = _FINISH_REASONS.get(reason, reason)
        return out

    def end(self) -> list[Chunk]:
        context = self._context
        finished: Chunk = {
            "type": "RUN_FINISHED",
            "runId": context.run_id,
            "threadId": context.thread_id,
            "finishReason": self._reason,
        }
        if self._usage is not None:
            finished["usage"] = {
                "promptTokens": self._usage.get("prompt_tokens", 0),
                "completionTokens": self._usage.get("completion_tokens", 0),
                "totalTokens": self._usage.get("total_tokens", 0),
            }
        return [
            *self._end_thought(),
            *({"type": "TOOL_CALL_END", "toolCallId": call} for call in self._calls.values()),
            {"type": "TEXT_MESSAGE_END", "messageId": self._id},
            finished,
        ]

    def _delta(self, delta: dict[str, Any]) -> list[Chunk]:
        out: list[Chunk] = []
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            if not self._thinking:
                self._thinking = True
                out.append({"type": "STEP_STARTED", "stepName": self._step})
            out.append({"type": "REASONING_MESSAGE_CONTENT", "messageId": self._step, "delta": thought})
        text = delta.get("content") or delta.get("refusal")
        if isinstance(text, str) and text:
            out += self._end_thought()
            out.append({"type": "TEXT_MESSAGE_CONTENT", "messageId": self._id, "delta": text})
        calls = delta.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                out += self._end_thought()
                out += self._call(call, position)
        return out

    def _call(self, call: dict[str, Any], position: int) -> list[Chunk]:
        """A fragment of a tool call: the first has its id and name, each has a piece of its arguments."""
        out: list[Chunk] = []
        index = call.get("index")
        index = index if type(index) is int else position
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        name = function.get("name")
        if index not in self._calls:
            given = call.get("id")
            call_id = given if isinstance(given, str) and given else f"call-{self._id}-{index}"
            self._calls[index] = call_id
            out.append(
                {
                    "type": "TOOL_CALL_START",
                    "toolCallId": call_id,
                    "toolCallName": name if isinstance(name, str) else "",
                    "parentMessageId": self._id,
                    "index": index,
                }
            )
        arguments = function.get("arguments")
        if isinstance(arguments, str) and arguments:
            out.append({"type": "TOOL_CALL_ARGS", "toolCallId": self._calls[index], "delta": arguments})
        return out

    def _end_thought(self) -> list[Chunk]:
        if not self._thinking:
            return []
        self._thinking = False
        return [{"type": "STEP_FINISHED", "stepName": self._step}]


async def _parse(response: httpx.Response) -> AsyncIterator[dict[str, Any] | None]:
    """The objects of a stream of server-sent events; None for ``[DONE]``."""
    async for line in _lines(response):
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            yield None
            return
        try:
            event = json.loads(data)
        except ValueError as error:
            raise SourceError(f"the model's server sent what is no JSON: {data[:200]!r}") from error
        if isinstance(event, dict):
            yield event


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """Lines, ended by LF or CRLF; a line that never ends is an error and not an ever larger buffer."""
    buffer = bytearray()
    async for data in response.aiter_bytes():
        buffer += data
        *lines, rest = bytes(buffer).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
        buffer = bytearray(rest)
        if len(buffer) > _MAX_LINE:
            raise SourceError(f"the model's server sent a line of over {_MAX_LINE:,} bytes")
    if buffer:
        yield buffer.decode("utf-8", "replace")


def _finishes(event: dict[str, Any]) -> bool:
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str) for choice in choices
    )


async def _read_some(response: httpx.Response) -> str:
    """What an error says, in short: the ``error.message`` of its JSON, or its text."""
    received = bytearray()
    async for data in response.aiter_bytes():
        received += data
        if len(received) > 64 * 1024:
            break
    try:
        error = json.loads(received).get("error")
        text = error["message"] if isinstance(error, dict) else error
    except (ValueError, AttributeError, KeyError):
        text = None
    return str(text or received.decode("utf-8", "replace"))[:_ERROR_TEXT]


def _retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        from datetime import UTC, datetime

        when = parsedate_to_datetime(value)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
