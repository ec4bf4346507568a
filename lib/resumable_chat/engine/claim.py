"""Claiming a chat for one generation: one conditional append that also stores the user's message."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from ..errors import (
    AppendConditionFailed,
    AppendOutcomeUnknown,
    BadRequest,
    FencingTokenMismatch,
    LogUnavailable,
    SeqNumMismatch,
    StreamInUse,
)
from ..log.port import Log
from ..protocol import tokens
from ..protocol.chunks import Chunk, decode, encode
from ..protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from ..protocol.outcomes import WRITER_LOST
from ..protocol.records import Kind, NewRecord, Record, fence, fence_token, kind, metered_bytes
from ..protocol.turns import Turn, read_turn
from .clock import now_ms
from .readback import read_generation

_ATTEMPTS: Final = 8
_PATIENCE: Final = 10.0
"""Seconds after which a claim gives up on a log that does not answer, well before a gateway gives up on the request."""

_REMEMBERED_TOKENS: Final = 4096
_HISTORY_WITHOUT_CURSOR: Final = 2_000
_HISTORY: Final = 20_000

_OUR_OVERHEAD: Final = 4096
"""Room kept in the claim's batch for the fences, and for closing a dead run before it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A chat that is ours: its token, where its opening fence stands, and where the next record goes.

    ``replaced`` is the token that was in force before; ``stopped`` says that the run was stopped before it began,
    so its source must not be called.
    """

    stream: str
    token: str
    start: int
    next_seq: int
    key: str | None
    replaced: str
    stopped: bool


class Claimer:
    """Claims chats of one log; remembers, per process, the terminal tokens it saw last, to guess right at once."""

    def __init__(
        self,
        log: Log,
        *,
        lease: float,
        writer_lost: str,
        nonce: tokens.Nonce = tokens.random_nonce,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._log = log
        self._lease = lease
        self._writer_lost = writer_lost
        self._nonce = nonce
        self._clock_ms = clock_ms
        self._known: OrderedDict[str, str] = OrderedDict()

    def remember(self, stream: str, token: str) -> None:
        """Note the token in force. Only terminal ones are kept: under a running one we would write into its run."""
        if tokens.is_terminal(token):
            self._known[stream] = token
            self._known.move_to_end(stream)
            if len(self._known) > _REMEMBERED_TOKENS:
                self._known.popitem(last=False)
        else:
            self._known.pop(stream, None)

    async def claim(
        self, stream: str, turns: Sequence[Turn], key: str | None, *, results: Sequence[Chunk] = ()
    ) -> Claim | None:
        """Open a generation with these turns and tool results; None if the run with this key runs or ran already.

        Raises StreamInUse (409), BadRequest (413: the message does not fit one append), LogUnavailable.
        """
        body = turn_records(turns, results)
        token = tokens.opening(key, self._nonce)
        guess = self._known.get(stream, "")
        stopped = False
        known = tokens.parse(guess)
        if key is not None and known.key == key and not known.stopped_early:
            return None
        give_up_at = asyncio.get_running_loop().time() + _PATIENCE
        for attempt in range(_ATTEMPTS):
            try:
                opening = [fence(token), *body]
                appended = await self._log.append(stream, opening, fencing_token=guess)
                self._known.pop(stream, None)
                return Claim(stream, token, appended.start, appended.end, key, guess, stopped)
            except FencingTokenMismatch as refused:
                current = refused.current
            except AppendOutcomeUnknown as error:
                await _before_another(attempt, error, give_up_at)
                continue
            if current == token:
                return await self._landed(stream, token, len(body), key, guess, stopped)
            state = tokens.parse(current)
            if key is not None and state.key == key:
                if not state.stopped_early:
                    return None
                stopped = True
            if not state.running:
                guess = current
                continue
            claimed = await self._take_over(stream, current, token, body, key)
            if claimed is not None:
                return claimed
        raise LogUnavailable("The chat is being written to by too many senders at once. Try again.")

    async def claim_unused(self, stream: str, key: str | None) -> Claim | None:
        """Open the one generation of a stream that was never used; None if the run with this key did, or was stopped.

        Raises StreamInUse (409), LogUnavailable.
        """
        token = tokens.opening(key, self._nonce)
        give_up_at = asyncio.get_running_loop().time() + _PATIENCE
        for attempt in range(_ATTEMPTS):
            try:
                appended = await self._log.append(stream, [fence(token)], fencing_token="", match_seq_num=0)
                return Claim(stream, token, appended.start, appended.end, key, "", False)
            except FencingTokenMismatch as refused:
                if refused.current == token:
                    return await self._landed(stream, token, 0, key, "", False)
                if key is not None and tokens.parse(refused.current).key == key:
                    return None
                raise StreamInUse from refused
            except SeqNumMismatch as refused:
                raise StreamInUse from refused
            except AppendOutcomeUnknown as error:
                await _before_another(attempt, error, give_up_at)
        raise LogUnavailable("The log does not answer. Try again.")

    async def _landed(
        self, stream: str, token: str, length: int, key: str | None, replaced: str, stopped: bool
    ) -> Claim:
        """Our claim is in the log though its acknowledgement was lost. Only we can have written since."""
        tail = await self._log.tail(stream)
        generation = await read_generation(self._log, stream, tail.seq_num)
        start = generation.start if generation.token == token else tail.seq_num - length - 1
        return Claim(stream, token, start, tail.seq_num, key, replaced, stopped)

    async def _take_over(
        self, stream: str, current: str, token: str, body: list[NewRecord], key: str | None
    ) -> Claim | None:
        """Close a generation whose writer is silent for longer than the lease, and open ours in the same batch."""
        tail = await self._log.tail(stream)
        if self._clock_ms() - tail.timestamp < self._lease * 1000:
            raise StreamInUse
        dead = await read_generation(self._log, stream, tail.seq_num)
        closing = [
            *(NewRecord(encode(chunk)) for chunk in dead.parts.fail(self._writer_lost, code=WRITER_LOST)),
            fence(tokens.terminal(tokens.parse(current).key, failed=True, nonce=self._nonce)),
        ]
        try:
            appended = await self._log.append(
                stream, [*closing, fence(token), *body], fencing_token=current, match_seq_num=tail.seq_num
            )
        except (AppendConditionFailed, AppendOutcomeUnknown):
            return None
        return Claim(stream, token, appended.start + len(closing), appended.end, key, current, False)

    async def superseded(self, claim: Claim, seen: int | None) -> bool:
        """Whether an older generation holds this very run, or a stop that came before it.

        The newest token says so only until another run follows. Between the sender's cursor and our fence there
        is usually nothing; without a cursor the last 2,000 records are looked at.
        """
        if claim.key is None:
            return False
        if seen is not None and seen <= claim.start:
            if claim.start - seen <= 1:
                return False  # At most the fence that set ``replaced``, which the claim has looked at.
            start = max(seen, claim.start - _HISTORY)
        else:
            start = max(0, claim.start - _HISTORY_WITHOUT_CURSOR)
        async with aclosing(self._log.read(claim.stream, start, end=claim.start)) as batches:
            async for records in batches:
                if any(_names(record, claim.key) for record in records):
                    return True
        return False


async def _before_another(attempt: int, error: AppendOutcomeUnknown, give_up_at: float) -> None:
    """Wait a moment before the next attempt. Raises ``error`` if there should be none."""
    if attempt == _ATTEMPTS - 1 or asyncio.get_running_loop().time() > give_up_at:
        raise error
    await asyncio.sleep(0.05 * 2 ** min(attempt, 4))


def _names(record: Record, key: str) -> bool:
    """Whether a record says that the run with this key was there before."""
    if kind(record) is Kind.FENCE:
        return tokens.parse(fence_token(record) or "").key == key
    if b'"resumable.turn"' not in record.body:
        return False
    chunk = decode(record.body)
    turn = read_turn(chunk) if chunk else None
    return turn is not None and turn.run_id is not None and tokens.key_of(turn.run_id) == key


def turn_records(turns: Sequence[Turn], results: Sequence[Chunk] = ()) -> list[NewRecord]:
    """The records of these turns. Raises BadRequest (413) if they do not fit one append."""
    after = [NewRecord(encode(chunk)) for chunk in results]
    whole = [
        NewRecord(encode(chunk))
        for index, turn in enumerate(turns)
        for chunk in (turn.chunk(), *(turn.text_events() if index == len(turns) - 1 else ()))
    ] + after
    if _fits(whole):
        return whole
    # The text events only repeat, for other readers, what the turn says.
    bare = [NewRecord(encode(turn.chunk())) for turn in turns] + after
    if _fits(bare):
        return bare
    raise BadRequest(
        413,
        f"The message takes {metered_bytes(bare):,} bytes; {MAX_BATCH_BYTES - _OUR_OVERHEAD:,} fit. "
        "Upload large files elsewhere and send their URL.",
    )


def _fits(records: Sequence[NewRecord]) -> bool:
    return metered_bytes(records) <= MAX_BATCH_BYTES - _OUR_OVERHEAD and len(records) <= MAX_BATCH_RECORDS - 50
