"""The source that asks a model of Bedrock."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Final

from ..answer import Answer
from ..errors import SourceError
from ..patience import Patience
from ..port import Chunk, Messages, SourceContext
from ..threads import MAX_THREADS, read_in_thread
from .connections import Interruption, make_interruptible
from .errors import RETRIED, bedrock_error
from .request import to_converse
from .stream import ConverseAnswer

logger = logging.getLogger(__name__)

AFTER_STOP: Final = 5.0
"""Seconds to wait for the usage once the answer is whole."""
_AFTER_METADATA: Final = 0.1
"""Seconds to wait for the end behind the last event, so that the connection can be used again."""
_CONNECT_TIMEOUT: Final = 10.0


class BedrockSource:
    """Streams one answer of ``converse_stream`` per run, read in a thread.

    ``model`` is the id or ARN of a model or an inference profile. ``request`` is added to the arguments of every call,
    for example ``{"inferenceConfig": {"maxTokens": 2000}, "guardrailConfig": {…}}``. ``timeout`` is the longest wait in
    seconds for the next piece of content. A call that fails before its first is tried ``retries`` more times if that
    may help. Failures raise BedrockError. boto3 is imported, and its client made, with the first call.
    """

    def __init__(
        self,
        *,
        model: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        request: Mapping[str, Any] | None = None,
        system: str | None = None,
        timeout: float = 120.0,
        retries: int = 2,
        backoff: float = 0.5,
    ) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._request = {"modelId": model, **(request or {})}
        self._system = system
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._lock = threading.Lock()
        self._client: Any = None

    async def __call__(self, messages: Messages, context: SourceContext) -> AsyncIterator[Chunk]:
        answer = Answer(run_id=context.run_id, thread_id=context.thread_id, message_id=context.message_id)
        for chunk in answer.begin():
            yield chunk
        request = to_converse(messages, self._request, system=self._system)
        converse, interruption = ConverseAnswer(answer), Interruption()
        patience = Patience(self._timeout)
        events = read_in_thread(lambda: self._events(request, interruption), interrupt=interruption.request)
        try:
            async with aclosing(events):
                while (event := await self._next(events, patience, converse)) is not None:
                    whole, chunks = converse.whole, converse.feed(event)
                    if converse.done:
                        patience.restart(_AFTER_METADATA)
                    elif converse.whole and not whole:
                        patience.restart(AFTER_STOP)
                    elif chunks and not whole:
                        patience.restart(self._timeout)
                    for chunk in chunks:
                        yield chunk
        finally:
            patience.close()
        for chunk in converse.finish():
            yield chunk

    async def _next(
        self, events: AsyncIterator[dict[str, Any]], patience: Patience, converse: ConverseAnswer
    ) -> dict[str, Any] | None:
        """Wait for the next event; None at the stream's end, or if it fails behind a whole answer."""
        try:
            return await patience.wait(anext(events, None))
        except TimeoutError:
            failure = SourceError(f"Bedrock sent no content for {self._timeout:g} s")
        except SourceError as error:
            failure = error
        if converse.whole:
            logger.info("behind a whole answer: %s", failure)
            return None
        raise failure

    def _events(self, request: dict[str, Any], interruption: Interruption) -> Iterator[dict[str, Any]]:
        """Yield the events of a call, in the reading thread. Raises BedrockError."""
        attempt = 0
        while True:
            begun = False
            try:
                with interruption:
                    for event in self._call(request, interruption):
                        begun = begun or "messageStart" not in event
                        yield event
                return
            except GeneratorExit:
                raise
            except Exception as error:  # botocore, urllib3 and ssl have no error in common
                failure = error if isinstance(error, SourceError) else bedrock_error(error)
                if begun or attempt >= self._retries or getattr(failure, "code", None) not in RETRIED:
                    raise failure from error
            if interruption.requested.wait(self._backoff * 2.0**attempt):
                return
            attempt += 1

    def _call(self, request: dict[str, Any], interruption: Interruption) -> Iterator[dict[str, Any]]:
        stream = self._connect().converse_stream(**request)["stream"]
        whole = False
        try:
            for event in stream:
                yield event
                whole = whole or "metadata" in event
        finally:
            # Closing would read on until the server hangs up.
            if not whole:
                interruption.drop_connection()
            interruption.watch(None)
            stream.close()

    def _connect(self) -> Any:
        """Return the client, made once: that takes most of a second, so it is not done in the event loop."""
        with self._lock:
            if self._client is None:
                try:
                    from boto3.session import Session
                    from botocore.config import Config
                except ImportError as error:
                    raise SourceError(f"Bedrock needs boto3: pip install 'resumable-chat[aws]' ({error})") from error
                config = Config(
                    connect_timeout=min(_CONNECT_TIMEOUT, self._timeout),
                    read_timeout=self._timeout + 1,
                    max_pool_connections=MAX_THREADS,
                    retries={"mode": "standard", "total_max_attempts": 1},  # a stopped call must not be repeated
                )
                client = Session().client(
                    "bedrock-runtime", region_name=self._region, endpoint_url=self._endpoint_url, config=config
                )
                make_interruptible(client)
                self._client = client
            return self._client
