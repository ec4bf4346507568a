"""The public face: one object that sends, replays and stops chats of one log."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Literal

from starlette.responses import Response, StreamingResponse

from . import tokens
from .errors import BadRequest, ChatError, ConfigurationError, LogUnavailable
from .generation.claim import Claim, Claimer
from .generation.ending import Stopped, stop
from .generation.runner import DEFAULT_ERROR, Run, Runner, default_on_error
from .log.port import Log
from .replay.frames import HEADERS, MEDIA_TYPE
from .replay.hub import Hubs
from .replay.response import body
from .settings import DEFAULT_LEASE_MS, MIN_LEASE_MS, Settings, open_log
from .sources.port import Source
from .turns import normalise, tool_results, turns_of

logger = logging.getLogger(__name__)

Mode = Literal["session"]
WaitUntil = Callable[[Coroutine[Any, Any, None]], object]

LAMBDA_RESPONSE_SECONDS: Final = 60.0
_DEADLINE_MARGIN: Final = 2.0
_FIRST_LOOK: Final = 0.05
"""Seconds that a replay waits for the log before its headers go out, so that a log out of reach is a 503."""

_NO_STORE: Final = {"Cache-Control": "no-store"}


def error_response(error: ChatError) -> Response:
    """The JSON answer to an error: its own status for BadRequest, 503 for a log out of reach, 500 otherwise."""
    from starlette.responses import JSONResponse

    if isinstance(error, BadRequest):
        return JSONResponse({"detail": error.detail}, error.status, _NO_STORE)
    if isinstance(error, LogUnavailable):
        logger.error("the log is unavailable: %s", error)
        detail = "The chat log cannot be reached. Nothing was lost; try again in a moment."
        return JSONResponse({"detail": detail}, 503, {**_NO_STORE, "Retry-After": "1"})
    logger.error("the request failed", exc_info=error)
    return JSONResponse({"detail": DEFAULT_ERROR}, 500, _NO_STORE)


class ResumableChat:
    """Sends, replays and stops chats. Make one per process with ``create_resumable_chat``, and close it at the end.

    ``stream`` is the name of a chat's stream in the log, everywhere. The methods return Starlette responses, also
    for errors: ``{"detail": …}`` with the status of section "HTTP" in docs/protocol.md.
    """

    def __init__(
        self,
        log: Log,
        *,
        enable_stop: bool = True,
        lease_duration_ms: int = DEFAULT_LEASE_MS,
        on_error: Callable[[BaseException], str] = default_on_error,
        batch_size: int = 10,
        linger_duration_ms: int = 50,
        response_lease: float | None = None,
    ) -> None:
        self._log = log
        self._enable_stop = enable_stop
        self._on_error = on_error
        self._batch_size = batch_size
        self._linger = linger_duration_ms / 1000
        self._response_lease = response_lease
        lease = lease_duration_ms / 1000
        self._claimer = Claimer(log, lease=lease, writer_lost=DEFAULT_ERROR)
        self._hubs = Hubs(log, lease=lease, writer_lost=DEFAULT_ERROR)
        self._runners: dict[str, Runner] = {}

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
        deadline: float | None = None,
    ) -> Response:
        """Store the user's message, answer 202, and run ``source`` behind the response.

        ``messages`` is the submitted list (UIMessages, or AG-UI rows with ``content``), ``run_id`` the idempotency
        key, ``seen`` the sender's cursor, ``deadline`` the loop time at which the platform ends the process.
        ``wait_until`` is handed the coroutine that runs the source; without it, this waits until all is stored.
        """
        try:
            listed = normalise(messages)
            results = tool_results(listed)
            turns = [] if results else turns_of(listed, seen=seen, run_id=run_id)
            key = tokens.key_of(run_id) if run_id is not None else None
            claim = await self._claimer.claim(stream, turns, key, results=results)
        except ChatError as error:
            return error_response(error)
        if claim is not None:
            run = Run(
                run_id=run_id if run_id is not None else f"run-{tokens.random_nonce(12)}",
                thread_id=stream,
                message_id=f"msg-{tokens.random_nonce(12)}",
                messages=listed,
                data=data or {},
                deadline=deadline,
            )
            running = self._run(claim, run, source, seen)
            if wait_until is None:
                await running
            else:
                wait_until(running)
        return Response(status_code=202, headers=_NO_STORE)

    async def _run(self, claim: Claim, run: Run, source: Source, seen: int | None) -> None:
        runner = Runner(
            self._log,
            claim,
            run,
            on_error=self._on_error,
            batch_size=self._batch_size,
            linger=self._linger,
        )
        self._runners[claim.stream] = runner
        try:
            called_off = claim.stopped or await self._superseded(claim, seen)
            token = await runner.run(None if called_off else source)
            if token is not None:
                self._claimer.remember(claim.stream, token)
        finally:
            if self._runners.get(claim.stream) is runner:
                del self._runners[claim.stream]

    async def _superseded(self, claim: Claim, seen: int | None) -> bool:
        try:
            return await self._claimer.superseded(claim, seen)
        except LogUnavailable as error:
            logger.warning("the history of %s could not be read: %s", claim.stream, error)
            return False

    async def replay(
        self,
        stream: str,
        *,
        from_seq_num: int | None = None,
        live: bool = True,
        deadline: float | None = None,
    ) -> Response:
        """Server-sent events: what is finished as one snapshot, the running answer, then everything live.

        With ``from_seq_num`` (the last event id a client got) only what came after it, if that lies in the newest
        generation. ``deadline`` is the loop time at which the platform ends the process.
        """
        loop = asyncio.get_running_loop()
        hub = self._hubs.get(stream)
        attaching = asyncio.create_task(hub.attach(from_seq_num), name=f"attach {stream}")
        try:
            await asyncio.wait({attaching}, timeout=_FIRST_LOOK)
        except asyncio.CancelledError:
            attaching.cancel()
            raise
        if attaching.done():
            error = attaching.exception()
            if isinstance(error, ChatError):
                return error_response(error)
        ends_at = None if self._response_lease is None else loop.time() + self._response_lease
        if deadline is not None:
            last = deadline - _DEADLINE_MARGIN
            ends_at = last if ends_at is None else min(ends_at, last)
        frames = body(hub, attaching, live=live, ends_at=ends_at)
        return StreamingResponse(frames, media_type=MEDIA_TYPE, headers=HEADERS)

    async def stop_session(self, stream: str, *, run_id: str | None = None) -> Response:
        """End the running generation (only if it is ``run_id``, when given): 202 stopped, 204 nothing runs."""
        if not self._enable_stop:
            return error_response(BadRequest(403, "Stopping is switched off on this server."))
        try:
            stopped = await stop(self._log, stream, run_id=run_id)
        except ChatError as error:
            return error_response(error)
        if stopped is not Stopped.STOPPED:
            return Response(status_code=204, headers=_NO_STORE)
        runner = self._runners.get(stream)
        if runner is not None:
            runner.abort()
        return Response(status_code=202, headers=_NO_STORE)

    async def close(self) -> None:
        """Cut the readers off and close the log. Await the runs handed to ``wait_until`` first."""
        await self._hubs.close()
        await self._log.close()


def create_resumable_chat(
    *,
    log: Log | None = None,
    mode: Mode = "session",
    enable_stop: bool = True,
    lease_duration_ms: int | None = None,
    on_error: Callable[[BaseException], str] = default_on_error,
    batch_size: int = 10,
    linger_duration_ms: int = 50,
    environ: Mapping[str, str] = os.environ,
) -> ResumableChat:
    """A chat server on ``log``, or on the log that the environment names (see docs/configuration.md).

    ``lease_duration_ms`` None takes CHAT_LEASE_MS, else 15,000.

    Raises ConfigurationError.
    """
    if mode != "session":
        raise ConfigurationError(f"mode {mode!r} is not available; use 'session'.")
    if batch_size < 1 or linger_duration_ms < 0 or (lease_duration_ms or MIN_LEASE_MS) < MIN_LEASE_MS:
        raise ConfigurationError(
            f"batch_size must be at least 1, linger_duration_ms at least 0, lease_duration_ms at least {MIN_LEASE_MS} "
            "(a writer's heartbeat comes every second)."
        )
    if log is None:
        settings = Settings.from_environ(environ)
        log = open_log(settings)
        lease_duration_ms = lease_duration_ms or settings.lease_ms
    return ResumableChat(
        log,
        enable_stop=enable_stop,
        lease_duration_ms=lease_duration_ms or DEFAULT_LEASE_MS,
        on_error=on_error,
        batch_size=batch_size,
        linger_duration_ms=linger_duration_ms,
        response_lease=LAMBDA_RESPONSE_SECONDS if "AWS_LAMBDA_FUNCTION_NAME" in environ else None,
    )
