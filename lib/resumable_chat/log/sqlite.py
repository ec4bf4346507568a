"""The log port on one SQLite file: the embedded log for laptops and tests, shared by any number of processes.

The file is in WAL mode with ``synchronous=FULL``: an append is on disk when it is acknowledged. One thread per
process writes, and commits everything that waits for it in one transaction. Followers are woken at once by appends
of their own process, and within about 10 ms by those of others.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

from ..errors import (
    AppendOutcomeUnknown,
    FencingTokenMismatch,
    LogError,
    LogUnavailable,
    SeqNumMismatch,
)
from ..protocol.limits import check_limits
from ..protocol.records import Header, NewRecord, Record, fence_token, trim_point
from .port import Appended, AppendSession, Tail

_APPLICATION_ID: Final = 0x72636874  # "rcht"
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    next_seq INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    token TEXT NOT NULL
);
CREATE TABLE records (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    body BLOB NOT NULL,
    headers BLOB,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
"""

_PAGE_RECORDS: Final = 4096
_PAGE_BYTES: Final = 1024 * 1024
_GROUP: Final = 256
"""Appends in one commit, and appends a process lets wait before submitters have to."""

_POLL_SECONDS: Final = 0.01
_READERS: Final = 2

T = TypeVar("T")


@dataclass(slots=True)
class _Session:
    failure: LogError | None = None


@dataclass(slots=True)
class _Append:
    stream: str
    records: Sequence[NewRecord]
    fencing_token: str | None
    match_seq_num: int | None
    session: _Session
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Appended]
    result: Appended | LogError | None = None

    def resolve(self) -> None:
        if self.future.done():
            return
        if isinstance(self.result, Appended):
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.result or LogError("the append was dropped"))


@dataclass(slots=True)
class _Stream:
    id: int
    next_seq: int
    timestamp: int
    token: str


@dataclass(slots=True, eq=False)
class _Follower:
    stream: str
    loop: asyncio.AbstractEventLoop
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        with suppress(RuntimeError):  # Its loop has been closed: nobody waits any more.
            self.loop.call_soon_threadsafe(self.event.set)


class SqliteLog:
    """The log in one SQLite file, which is made when it is first used.

    ``busy_timeout`` is how long, in seconds, a lock held by another process is waited for; ``max_bytes`` bounds
    the file (None: only the disk does).
    """

    def __init__(self, path: str | Path, *, busy_timeout: float = 5.0, max_bytes: int | None = None) -> None:
        self.path = Path(path)
        self._busy_timeout = busy_timeout
        self._max_bytes = max_bytes
        self._queue: queue.Queue[_Append | None] = queue.Queue()
        self._lock = threading.Lock()
        self._writer: threading.Thread | None = None
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._followers: set[_Follower] = set()
        self._watcher: threading.Thread | None = None
        self._slots: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}
        self._closed = False

    async def append(
        self,
        stream: str,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Appended:
        ticket = await self._submit(_Session(), stream, records, fencing_token, match_seq_num)
        return await ticket

    @asynccontextmanager
    async def append_session(self, stream: str) -> AsyncIterator[AppendSession]:
        session = _PipelinedSession(self, stream)
        try:
            yield session
        finally:
            await session.drain()

    async def read(self, stream: str, start: int, *, end: int | None = None) -> AsyncGenerator[Sequence[Record]]:
        tail = (await self.tail(stream)).seq_num
        end = tail if end is None else min(end, tail)
        while start < end:
            page = await self._in_reader(partial(self._page, stream, start, end))
            if not page:
                return
            yield page
            start = page[-1].seq_num + 1

    async def follow(self, stream: str, start: int) -> AsyncGenerator[Sequence[Record]]:
        follower = _Follower(stream, asyncio.get_running_loop())
        self._watch(follower)
        try:
            while True:
                follower.event.clear()
                page = await self._in_reader(partial(self._page, stream, start, None))
                if page:
                    yield page
                    start = page[-1].seq_num + 1
                else:
                    await follower.event.wait()
                    self._check_open()
        finally:
            with self._lock:
                self._followers.discard(follower)

    async def tail(self, stream: str) -> Tail:
        return await self._in_reader(partial(self._tail, stream))

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    # --- Submitting -----------------------------------------------------------------------------------------

    async def _submit(
        self,
        session: _Session,
        stream: str,
        records: Sequence[NewRecord],
        fencing_token: str | None,
        match_seq_num: int | None,
    ) -> asyncio.Future[Appended]:
        self._check_open()
        check_limits(records)
        loop = asyncio.get_running_loop()
        slots = self._slots.get(loop)
        if slots is None:
            self._slots = {known: value for known, value in self._slots.items() if not known.is_closed()}
            slots = self._slots[loop] = asyncio.Semaphore(_GROUP)
        await slots.acquire()
        future: asyncio.Future[Appended] = loop.create_future()
        future.add_done_callback(_retrieve)
        append = _Append(stream, records, fencing_token, match_seq_num, session, loop, future)
        released = slots.release

        with self._lock:
            if self._closed:
                released()
                self._check_open()
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_loop, name="sqlite-write", daemon=True)
                self._writer.start()
            self._queue.put(append)
        future.add_done_callback(lambda _: released())
        return future

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable("The log was closed.")

    # --- The writer thread ----------------------------------------------------------------------------------

    def _write_loop(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            first = self._queue.get()
            if first is None:
                break
            group = [first]
            stopping = False
            while len(group) < _GROUP:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    stopping = True
                    break
                group.append(following)
            try:
                if connection is None:
                    connection = self._connect()
                self._commit_group(connection, group)
            except Exception as error:  # noqa: BLE001 - every waiting append must get an answer
                failure = error if isinstance(error, LogError) else self._unavailable(error)
                for append in group:
                    append.result = append.session.failure = failure
                # A connection that failed in an unknown way is not used again.
                _close_quietly(connection)
                connection = None
            self._answer(group)
            if stopping:
                break
        _close_quietly(connection)

    def _commit_group(self, connection: sqlite3.Connection, group: list[_Append]) -> None:
        streams: dict[str, _Stream] = {}
        connection.execute("BEGIN IMMEDIATE")
        try:
            for append in group:
                if append.session.failure is not None:
                    append.result = append.session.failure
                    continue
                try:
                    append.result = self._insert(connection, streams, append)
                except (FencingTokenMismatch, SeqNumMismatch) as refused:
                    append.result = append.session.failure = refused
            connection.executemany(
                "UPDATE streams SET next_seq = ?, timestamp = ?, token = ? WHERE id = ?",
                [(state.next_seq, state.timestamp, state.token, state.id) for state in streams.values()],
            )
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if "locked" in str(error) or "full" in str(error):
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            raise AppendOutcomeUnknown(f"The log file {self.path} failed while committing: {error}.") from error

    def _insert(self, connection: sqlite3.Connection, streams: dict[str, _Stream], append: _Append) -> Appended:
        state = streams.get(append.stream)
        known = state is not None
        if state is None:
            row = connection.execute(
                "SELECT id, next_seq, timestamp, token FROM streams WHERE name = ?", (append.stream,)
            ).fetchone()
            state = _Stream(*row) if row else _Stream(0, 0, 0, "")
        if append.fencing_token is not None and append.fencing_token != state.token:
            raise FencingTokenMismatch(state.token)
        if append.match_seq_num is not None and append.match_seq_num != state.next_seq:
            raise SeqNumMismatch(state.next_seq)
        if not state.id:
            state.id = connection.execute(
                "INSERT INTO streams (name, next_seq, timestamp, token) VALUES (?, 0, 0, '') RETURNING id",
                (append.stream,),
            ).fetchone()[0]
        if not known:
            streams[append.stream] = state
        start = state.next_seq
        state.timestamp = max(state.timestamp, time.time_ns() // 1_000_000)
        connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
            [
                (state.id, start + index, state.timestamp, record.body, _pack(record.headers))
                for index, record in enumerate(append.records)
            ],
        )
        state.next_seq = start + len(append.records)
        for index, record in enumerate(append.records):
            if not record.headers:
                continue
            token, point = fence_token(record), trim_point(record)
            if token is not None:
                state.token = token
            elif point is not None:
                # A trim reaches at most its own record.
                connection.execute(
                    "DELETE FROM records WHERE stream = ? AND seq < ?",
                    (state.id, min(point, start + index + 1)),
                )
        return Appended(start, state.next_seq, state.timestamp)

    def _answer(self, group: list[_Append]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[_Append]] = {}
        for append in group:
            loops.setdefault(append.loop, []).append(append)
        for loop, appends in loops.items():
            with suppress(RuntimeError):  # The loop was closed: nobody waits for these any more.
                loop.call_soon_threadsafe(_resolve, appends)
        written = {append.stream for append in group if isinstance(append.result, Appended)}
        with self._lock:
            woken = [follower for follower in self._followers if follower.stream in written]
        for follower in woken:
            follower.wake()

    # --- Reading --------------------------------------------------------------------------------------------

    async def _in_reader(self, work: Callable[[], T]) -> T:
        self._check_open()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, work)
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        except RuntimeError as error:
            self._check_open()
            raise LogUnavailable(f"The log cannot be read: {error}.") from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            with self._lock:
                self._connections.append(connection)
        return connection

    def _page(self, stream: str, start: int, end: int | None) -> list[Record]:
        rows = self._connection().execute(
            "SELECT seq, timestamp, body, headers FROM records"
            " WHERE stream = (SELECT id FROM streams WHERE name = ?) AND seq >= ? AND seq < ?"
            " ORDER BY seq LIMIT ?",
            (stream, start, end if end is not None else 1 << 62, _PAGE_RECORDS),
        )
        page: list[Record] = []
        size = 0
        try:
            for seq, timestamp, body, headers in rows:
                page.append(Record(seq, timestamp, body, _unpack(headers) if headers else ()))
                size += len(body)
                if size >= _PAGE_BYTES:
                    break
        finally:
            rows.close()
        return page

    def _tail(self, stream: str) -> Tail:
        row = self._connection().execute("SELECT next_seq, timestamp FROM streams WHERE name = ?", (stream,)).fetchone()
        return Tail(*row) if row else Tail(0, 0)

    # --- Followers of other processes' appends --------------------------------------------------------------

    def _watch(self, follower: _Follower) -> None:
        self._check_open()
        with self._lock:
            self._followers.add(follower)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch_loop, name="sqlite-watch", daemon=True)
                self._watcher.start()

    def _watch_loop(self) -> None:
        """Wake every follower when another connection commits; ends when nobody follows."""
        connection: sqlite3.Connection | None = None
        version: Any = None
        try:
            while True:
                with self._lock:
                    if self._closed or not self._followers:
                        self._watcher = None
                        break
                    followers = list(self._followers)
                try:
                    connection = connection or self._connect()
                    now = connection.execute("PRAGMA data_version").fetchone()[0]
                except (sqlite3.Error, LogError):
                    # The followers' own reads say what is wrong.
                    _close_quietly(connection)
                    connection = None
                    now = None
                if now != version:
                    version = now
                    for follower in followers:
                        follower.wake()
                time.sleep(_POLL_SECONDS)
        finally:
            _close_quietly(connection)

    # --- The file -------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        """A connection to the prepared file. SQLite refuses two that make a new file at once without any wait."""
        give_up = time.monotonic() + self._busy_timeout
        while True:
            try:
                return self._open()
            except LogUnavailable as error:
                if "locked" not in str(error.__cause__) or time.monotonic() > give_up:
                    raise
                time.sleep(_POLL_SECONDS)

    def _open(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
            )
            self._prepare(connection)
        except (sqlite3.Error, OSError) as error:
            _close_quietly(connection)
            raise self._unavailable(error) from error
        except BaseException:
            _close_quietly(connection)
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # First without a lock: only a new file needs one.
        connection.execute("BEGIN")  # One view of the file, which another process may be making right now.
        try:
            known = self._recognise(connection)
        finally:
            connection.execute("COMMIT")
        if not known:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not self._recognise(connection):
                    for statement in _SCHEMA.split(";"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        connection.execute("PRAGMA synchronous = FULL")
        if self._max_bytes is not None:
            page = connection.execute("PRAGMA page_size").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {max(1, self._max_bytes // page)}").fetchone()

    def _recognise(self, connection: sqlite3.Connection) -> bool:
        """Whether the file holds our schema; False if it is new. Raises LogUnavailable if it is another's."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application == _APPLICATION_ID:
            if version != _SCHEMA_VERSION:
                raise LogUnavailable(
                    f"The log file {self.path} has schema version {version}, this library writes "
                    f"{_SCHEMA_VERSION}. Use the version that wrote it, or point CHAT_LOG at a new file."
                )
            return True
        if application or version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise LogUnavailable(
                f"{self.path} is the database of another program. Point CHAT_LOG at a file of its own."
            )
        return False

    def _unavailable(self, error: BaseException) -> LogUnavailable:
        text = str(error)
        if isinstance(error, sqlite3.DatabaseError):
            if "locked" in text or "busy" in text:
                advice = "Another process holds it locked; close that process and try again."
            elif "full" in text:
                advice = "The disk, or the limit set for the file, is full; make room and try again."
            elif "readonly" in text:
                advice = "It is read-only; make it and its folder writable."
            elif "malformed" in text or "not a database" in text:
                advice = "It is damaged; move it away and restore a copy, or point CHAT_LOG at a new file."
            elif "unable to open" in text:
                advice = "Make its folder writable, or point CHAT_LOG at another file."
            else:
                advice = "Check the disk, then try again."
        elif isinstance(error, OSError):
            advice = "Make its folder writable, or point CHAT_LOG at another file."
        else:
            advice = "Check the disk, then try again."
        return LogUnavailable(f"The log file {self.path} cannot be used ({text}). {advice}")

    def _close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            writer, watcher = self._writer, self._watcher
            followers = list(self._followers)
            self._queue.put(None)
        for follower in followers:
            follower.wake()
        for thread in (writer, watcher):
            if thread is not None:
                thread.join()
        self._readers.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
        self._connections.clear()


class _PipelinedSession:
    """Appends of one stream in the order submitted; after the first failure all later ones fail like it."""

    def __init__(self, log: SqliteLog, stream: str) -> None:
        self._log = log
        self._stream = stream
        self._session = _Session()
        self._open: set[asyncio.Future[Appended]] = set()

    async def submit(
        self,
        records: Sequence[NewRecord],
        *,
        fencing_token: str | None = None,
        match_seq_num: int | None = None,
    ) -> Awaitable[Appended]:
        future = await self._log._submit(self._session, self._stream, records, fencing_token, match_seq_num)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        return future

    async def drain(self) -> None:
        while self._open:
            await asyncio.wait(set(self._open))


def _resolve(appends: list[_Append]) -> None:
    for append in appends:
        append.resolve()


def _retrieve(future: asyncio.Future[Appended]) -> None:
    if not future.cancelled():
        future.exception()


def _close_quietly(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()


def _pack(headers: tuple[Header, ...]) -> bytes | None:
    if not headers:
        return None
    return json.dumps([[name.hex(), value.hex()] for name, value in headers]).encode()


@lru_cache(maxsize=256)
def _unpack(packed: bytes) -> tuple[Header, ...]:
    return tuple((bytes.fromhex(name), bytes.fromhex(value)) for name, value in json.loads(packed))
