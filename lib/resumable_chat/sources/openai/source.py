"""The source that asks an OpenAI-compatible server, over httpx.

Wire format: https://platform.openai.com/docs/api-reference/chat/streaming, with what servers make of it. httpx and the
decoders are imported by the first run, behind the response to its send: they take most of the time of a cold start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConfigurationError
from ...secret_settings import read_secret
from ..answer import Answer
from ..errors import SourceError
from ..port import Chunk, Messages, SourceContext
from .request import completions_url, request_body, request_headers

if TYPE_CHECKING:
    import httpx

    from .call import Call

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"


class OpenAISource:
    """Streams one completion per run.

    ``request`` is added to the body of every call, for example ``{"temperature": 0.2, "tools": […]}``. ``timeout`` is
    the longest wait in seconds for the next piece of content, also for the first; comments and empty deltas do not
    count as content. A call that fails before its first content is tried ``retries`` more times. Failures raise
    SourceError with the server's own text, which only the log gets to see.

    Raises ValueError if ``base_url`` or ``api_key`` cannot be used.
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
        self._url = completions_url(base_url)
        self._headers = request_headers(self._url, api_key)
        self._request = {"model": model, **(request or {})}
        self._system = system
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._transport = transport
        self._with_usage = True
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, messages: Messages, context: SourceContext) -> AsyncIterator[Chunk]:
        answer = Answer(run_id=context.run_id, thread_id=context.thread_id, message_id=context.message_id)
        for chunk in answer.begin():
            yield chunk
        call, chunks = await self._open(messages, answer)
        try:
            while chunks is not None:
                for chunk in chunks:
                    yield chunk
                chunks = await call.read()
        finally:
            await call.close()
        for chunk in call.completion.finish():
            yield chunk

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _open(self, messages: Messages, answer: Answer) -> tuple[Call, list[Chunk] | None]:
        """Send the request until an answer begins; return the call and its first chunks. Raises SourceError."""
        from .call import Call, make_client
        from .completions import Completion
        from .refusals import Unreachable, refusal_text, refuses_stream_options, wait_before_retry

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            # Connections cannot outlive their event loop.
            self._client, self._loop = make_client(self._headers, self._timeout, self._transport), loop
        client, attempt = self._client, 0
        while True:
            with_usage = self._with_usage
            body = request_body(messages, self._request, system=self._system, with_usage=with_usage)
            call = Call(Completion(answer), patience=self._timeout)
            try:
                status, headers = await call.start(client, self._url, body)
                if 200 <= status < 300:
                    return call, await call.first()
                refusal = await call.refusal()
            except Unreachable:
                await call.close()
                if attempt >= self._retries:
                    raise
                wait = self._backoff * 2.0**attempt
            except BaseException:
                await call.close()
                raise
            else:
                await call.close()
                if with_usage and refuses_stream_options(status, refusal):
                    self._with_usage = False
                    continue
                asked = wait_before_retry(status, headers, backoff=self._backoff * 2.0**attempt)
                if asked is None or attempt >= self._retries:
                    raise SourceError(refusal_text(status, headers, refusal))
                wait = asked
            await asyncio.sleep(wait)
            attempt += 1


def openai_source_from_env(environ: Mapping[str, str]) -> OpenAISource:
    """Return the source for OPENAI_MODEL, with OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_SYSTEM if they are set.

    The key may also be where ``secret_store`` finds it. Raises ConfigurationError.
    """
    model = environ.get("OPENAI_MODEL", "").strip()
    base_url = environ.get("OPENAI_BASE_URL", "").strip() or DEFAULT_BASE_URL
    if not model:
        raise ConfigurationError("OPENAI_MODEL is not set; name the model that should answer.")
    try:
        completions_url(base_url)
    except ValueError as error:
        raise ConfigurationError(f"OPENAI_BASE_URL is not usable: {error}.") from None
    key = read_secret("OPENAI_API_KEY", environ).strip()
    if not key and base_url == DEFAULT_BASE_URL:
        raise ConfigurationError("OPENAI_API_KEY is not set; api.openai.com needs one.")
    try:
        return OpenAISource(
            model=model, api_key=key or None, base_url=base_url, system=environ.get("OPENAI_SYSTEM") or None
        )
    except ValueError as error:
        raise ConfigurationError(f"OPENAI_API_KEY is not usable: {error}.") from None
