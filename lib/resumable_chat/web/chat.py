"""The public object, with the documented names: it answers with Starlette responses."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, get_args

from starlette.responses import Response

from ..chat import FOREIGN_LEASE_MS, LEASE_MS, Accepted, Chat, Options, SendRequest
from ..engine.reading import Reading
from ..engine.runner import default_on_error
from ..engine.wanted import Wanted
from ..errors import BadRequest, ChatError, ConfigurationError
from ..log.port import Log
from ..protocol.stop import Stopped
from ..settings import MIN_LEASE_MS, Delivery, Mode, S2Settings, Settings, open_log
from ..sources.port import Source
from ..wire.messages import read_messages
from .background import Background, WaitUntil, hand_over
from .errors import NO_STORE, error_response, refusal
from .responses import ReplayResponse
from .streams import FIRST_LOOK, Streams, must_end_at

logger = logging.getLogger(__name__)

LAMBDA_RESPONSE_SECONDS: Final = 60.0

_DRAIN: Final = 5.0


class ResumableChat:
    """Sends, replays and stops chats. Make one per process with ``create_resumable_chat``, and close it at the end.

    ``stream`` is the name of a chat's stream in the log, everywhere. The methods return Starlette responses, also
    for errors: ``{"detail": …}`` with the status of section "HTTP" in docs/protocol.md.
    """

    def __init__(
        self,
        log: Log,
        *,
        mode: Mode = "session",
        enable_stop: bool = True,
        lease_duration_ms: int = LEASE_MS["session"],
        foreign_lease_duration_ms: int = FOREIGN_LEASE_MS,
        on_error: Callable[[BaseException], str] = default_on_error,
        batch_size: int = 10,
        linger_duration_ms: int = 50,
        response_lease: float | None = None,
    ) -> None:
        options = Options(
            mode=mode,
            lease=lease_duration_ms / 1000,
            foreign_lease=foreign_lease_duration_ms / 1000,
            on_error=on_error,
            batch_size=batch_size,
            linger=linger_duration_ms / 1000,
        )
        self._chat = Chat(log, options)
        self._mode = mode
        self._enable_stop = enable_stop
        self._response_lease = response_lease
        self._background = Background()
        self.streams = Streams(self._chat, self._background)
        """Answers in other wire formats than that of ``replay``."""

    async def make_session_response(
        self,
        stream: str,
        *,
        messages: Any,
        source: Source,
        wait_until: WaitUntil | None = None,
        run_id: str | None = None,
        seen: int | None = None,
        data: Mapping[str, Any] | None = None,
        thread_id: str | None = None,
        deadline: float | None = None,
        parent_run_id: str | None = None,
        resume: Sequence[Mapping[str, Any]] = (),
        tools: Sequence[Any] = (),
    ) -> Response:
        """Store the user's message, answer 202, and run ``source`` behind the response.

        ``messages`` is the submitted list (UIMessages, or AG-UI rows with ``content``), ``run_id`` the idempotency
        key, ``seen`` the sender's cursor, ``thread_id`` the chat's name for clients and the source (None: the
        stream's), ``deadline`` the loop time at which the platform ends the process. ``wait_until`` is handed the
        coroutine that runs the source; without it, this waits until all is stored. ``parent_run_id``, ``resume`` and
        ``tools`` are the run that this one continues, the answers to its interrupts, and the client's tools.
        """
        try:
            if self._mode != "session":
                raise ConfigurationError(f"make_session_response is for mode 'session'; this chat is {self._mode!r}.")
            request = SendRequest(
                messages=read_messages(messages),
                run_id=run_id,
                sender_cursor=seen,
                data=data or {},
                thread_id=thread_id,
                deadline=deadline,
                parent_run_id=parent_run_id,
                resume=resume,
                tools=tools,
            )
            sent = await self._chat.send(stream, request, source)
        except ChatError as error:
            return error_response(error)
        if (refused := refusal(sent)) is not None:
            return error_response(refused)
        if isinstance(sent, Accepted):
            await hand_over(self._chat, sent, wait_until)
        return Response(status_code=202, headers=NO_STORE)

    async def make_resumable(
        self,
        stream: str,
        chunks: AsyncIterator[Any] | Source,
        *,
        delivery: Delivery = "response",
        wait_until: WaitUntil | None = None,
        run_id: str | None = None,
        thread_id: str | None = None,
        deadline: float | None = None,
    ) -> Response:
        """Store these chunks as the stream's generation, in the modes ``single-use`` and ``shared``.

        ``chunks`` may also be a source, which is called with no messages and the run's context once the stream is
        claimed. ``delivery`` "response" answers with the chunks as they land in the log, as server-sent events, and
        "replay" with 202, for clients that read the replay. 409 if the stream is in use, unless by this very
        ``run_id``. The writing goes on when the reader leaves; ``wait_until`` is handed its coroutine, otherwise the
        response ends after it.
        """
        source: Source = chunks if callable(chunks) else lambda messages, context: chunks
        try:
            if self._mode == "session":
                raise ConfigurationError("make_resumable is for the modes 'single-use' and 'shared'.")
            request = SendRequest(run_id=run_id, thread_id=thread_id, deadline=deadline)
            sent = await self._chat.write(stream, request, source)
        except ChatError as error:
            await _discard(chunks)
            return error_response(error)
        if (refused := refusal(sent)) is not None:
            await _discard(chunks)
            return error_response(refused)
        reading = None
        if delivery == "response":
            # It begins before the source does, so that no later run can take the place of this one.
            start = sent.start if isinstance(sent, Accepted) else None
            reading = self._chat.read_answer(stream, None, Wanted(start, run_id))
        if not isinstance(sent, Accepted):
            await _discard(chunks)
        else:
            if delivery == "response" and wait_until is None:
                wait_until = self._background.wait_until
            try:
                await hand_over(self._chat, sent, wait_until)
            except BaseException:
                if reading is not None:
                    reading.leave()
                raise
        if reading is None:
            return Response(status_code=202, headers=NO_STORE)
        return await self._answer(reading, deadline)

    async def replay(
        self,
        stream: str,
        *,
        from_seq_num: int | None = None,
        live: bool = True,
        deadline: float | None = None,
    ) -> Response:
        """Answer with server-sent events: the finished messages as one snapshot, the running answer, then all live.

        With ``from_seq_num`` (the last event id a client got) only what came after it, if that lies in the newest
        generation. ``deadline`` is the loop time at which the platform ends the process.
        """
        if self._mode != "session":
            return await self._answer(self._chat.read_answer(stream, from_seq_num), deadline, live=live)
        reading = self._chat.read(stream, from_seq_num)
        if await reading.began(FIRST_LOOK):
            try:
                await reading.subscription()
            except Exception as error:  # noqa: BLE001 - it is logged, and answered as 500
                return error_response(error)
        ends_at = must_end_at(deadline)
        if self._response_lease is not None:
            lease_ends = asyncio.get_running_loop().time() + self._response_lease
            ends_at = lease_ends if ends_at is None else min(ends_at, lease_ends)
        return ReplayResponse(reading, live=live, ends_at=ends_at)

    async def _answer(self, reading: Reading, deadline: float | None, *, live: bool = True) -> Response:
        """Answer with one generation up to its end, 204 if there is none.

        A response that carries a running answer lasts as long as the function can: an idle reader has none.
        """
        try:
            subscription = await reading.subscription()
        except Exception as error:  # noqa: BLE001 - it is logged, and answered as 500
            return error_response(error)
        if subscription is None:
            return Response(status_code=204, headers=NO_STORE)
        return ReplayResponse(reading, live=live, ends_at=must_end_at(deadline))

    async def stop_session(self, stream: str, *, run_id: str | None = None) -> Response:
        """End the running generation (only if it is ``run_id``, when given): 202 stopped, 204 nothing runs."""
        if not self._enable_stop:
            return error_response(BadRequest(403, "Stopping is switched off on this server."))
        try:
            stopped = await self._chat.stop(stream, run_id)
        except ChatError as error:
            return error_response(error)
        return Response(status_code=202 if isinstance(stopped, Stopped) else 204, headers=NO_STORE)

    @property
    def mode(self) -> Mode:
        """The mode that this chat was made with."""
        return self._mode

    def end_readers(self) -> None:
        """End every open replay, so that a server can shut down; clients reconnect with their cursor."""
        self._chat.end_readers()

    async def close(self) -> None:
        """Cut the readers off and close the log. Await the runs handed to ``wait_until`` first."""
        await self._background.drain(_DRAIN)
        await self._chat.close()


async def _discard(chunks: object) -> None:
    """Close an iterator that nobody will read; a source was never called, and may serve other runs."""
    close = None if callable(chunks) else getattr(chunks, "aclose", None)
    if close is not None:
        await close()


def create_resumable_chat(
    *,
    log: Log | None = None,
    access_token: str | None = None,
    basin: str | None = None,
    endpoints: tuple[str, str] | None = None,
    encryption_key: str | None = None,
    mode: Mode | None = None,
    enable_stop: bool = True,
    lease_duration_ms: int | None = None,
    foreign_lease_duration_ms: int | None = None,
    on_error: Callable[[BaseException], str] = default_on_error,
    batch_size: int = 10,
    linger_duration_ms: int = 50,
    environ: Mapping[str, str] | None = None,
) -> ResumableChat:
    """A chat server on ``log``, on the S2 basin given, or on the log that the environment names.

    ``access_token`` and ``basin`` name an S2 basin; ``endpoints`` (account, basin) another S2 than the cloud's;
    ``encryption_key`` is base64, and needs a basin with a ``stream_cipher``. ``mode`` "session" keeps whole chats;
    "shared" (one stream, its active generation only) and "single-use" (one stream for each generation) make a stream
    of chunks resumable. When the log comes from the environment, so do ``mode`` and the leases if they are None
    (docs/configuration.md). Otherwise ``mode`` is "session", ``lease_duration_ms`` is 15,000 in session mode and 5,000
    in the others, and ``foreign_lease_duration_ms``, for runs that another implementation writes, is 60,000.

    Raises ConfigurationError.
    """
    environ = os.environ if environ is None else environ
    if mode is not None and mode not in get_args(Mode):
        raise ConfigurationError(f"mode is {mode!r}; it must be one of {', '.join(get_args(Mode))}.")
    leases = [MIN_LEASE_MS if lease is None else lease for lease in (lease_duration_ms, foreign_lease_duration_ms)]
    if batch_size < 1 or linger_duration_ms < 0 or min(leases) < MIN_LEASE_MS:
        raise ConfigurationError(
            "batch_size must be at least 1, linger_duration_ms at least 0, lease_duration_ms and "
            f"foreign_lease_duration_ms at least {MIN_LEASE_MS} (a writer's heartbeat comes every second)."
        )
    if any((access_token, basin, endpoints, encryption_key)):
        if log is not None or not access_token or not basin:
            raise ConfigurationError("Give either a log, or access_token and basin together.")
        log = open_log(S2Settings(access_token, basin, endpoints, encryption_key))
    if log is None:
        settings = Settings.from_environ(environ)
        log = open_log(settings.log)
        mode = mode or settings.mode
        lease_duration_ms = lease_duration_ms or settings.lease_ms
        foreign_lease_duration_ms = foreign_lease_duration_ms or settings.foreign_lease_ms
    mode = mode or "session"
    return ResumableChat(
        log,
        mode=mode,
        enable_stop=enable_stop,
        lease_duration_ms=lease_duration_ms or LEASE_MS[mode],
        foreign_lease_duration_ms=foreign_lease_duration_ms or FOREIGN_LEASE_MS,
        on_error=on_error,
        batch_size=batch_size,
        linger_duration_ms=linger_duration_ms,
        response_lease=LAMBDA_RESPONSE_SECONDS if "AWS_LAMBDA_FUNCTION_NAME" in environ else None,
    )
