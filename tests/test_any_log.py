"""Nothing in a log or a request can make a chat unreadable or locked, as far as claims and turns go."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_asgi import Background
from resumable_chat import ResumableChat
from resumable_chat.protocol.records import NewRecord, fence

from .chats import Words, replayed, user
from .engine.calm import CalmLog, run

_QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["u1", "a1", "text", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "role"]), inner, max_size=3)
    ),
    max_leaves=5,
)
_PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "tool-call", "thinking"]) | _JSON},
    optional={"content": _JSON, "id": _JSON},
)
_MESSAGE = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["u1", "a1", "new"]) | _JSON,
        "role": st.sampled_from(["user", "assistant", "system", "tool"]) | _JSON,
        "parts": st.lists(_PART, max_size=2) | _JSON,
    },
    optional={"metadata": _JSON, "createdAt": _JSON},
)
_LISTING = st.fixed_dictionaries(
    {
        "first": st.sampled_from(["u1", "new"]) | _JSON,
        "after": st.sampled_from(["u1", "gone"]) | _JSON,
        "items": st.lists(st.sampled_from(["u1", "a1"]) | _MESSAGE, max_size=3) | _JSON,
    }
)
_TURN = st.fixed_dictionaries(
    {"message": _MESSAGE | _JSON},
    optional={"after": _JSON, "seen": _JSON, "runId": _JSON, "pending": _JSON, "list": _LISTING | _JSON},
)
_MARK = st.builds(
    lambda name, value: {"type": "CUSTOM", "name": name, "value": value},
    st.sampled_from(["resumable.turn", "resumable.stop", "resumable.runs"]),
    _TURN | _JSON | st.fixed_dictionaries({"runId": _JSON, "keys": _JSON}),
)
_TOKEN = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=36) | st.builds(
    lambda prefix, rest: prefix + rest,
    st.sampled_from(["session-", "end-", "error-", "session-01234567.", "end-0123~", "x."]),
    st.text("abc.~-0_", max_size=19),
)


async def _goes_on(log: CalmLog, run_id: str | None = "next") -> None:
    """The chat can be read, and takes the next send, from a process that knows nothing of it."""
    await replayed(ResumableChat(log), "s")
    background = Background()
    answered = await ResumableChat(log, foreign_lease_duration_ms=3000, lease_duration_ms=3000).make_session_response(
        "s", messages=[user("next-message")], source=Words("answer"), run_id=run_id, wait_until=background.wait_until
    )
    assert answered.status_code == 202, answered.body
    await background.drain(30)
    one, two = [await replayed(ResumableChat(log), "s") for _ in "ab"]
    assert one == two and "next-message" in json.dumps(one) and "answer" in json.dumps(one)
    assert (await ResumableChat(log).stop_session("s")).status_code == 204


@_QUICK
@given(token=_TOKEN, marks=st.lists(_MARK, max_size=3), closed=st.booleans())
def test_any_token_and_any_turn_leave_the_chat_usable(token: str, marks: list[Any], closed: bool) -> None:
    """Whoever wrote them: their run is taken over once it is silent, and what cannot be read costs only itself."""

    async def test() -> None:
        log = CalmLog()
        records = [NewRecord(json.dumps(mark).encode()) for mark in marks]
        await log.append("s", [fence(token), *records, *([fence("end-0000")] if closed else [])])
        await asyncio.sleep(4)
        await _goes_on(log)

    run(test)


@_QUICK
@given(
    listed=st.lists(_MESSAGE | _JSON, min_size=1, max_size=4), seen=st.none() | st.integers(0, 30), again=st.booleans()
)
def test_any_submitted_list_is_refused_or_leaves_the_chat_usable(
    listed: list[Any], seen: int | None, again: bool
) -> None:
    """A list that is taken can be read back, and the next send is taken."""

    async def test() -> None:
        log = CalmLog()
        chat = ResumableChat(log)
        if again:
            await chat.make_session_response("s", messages=[user("u1")], source=Words("one"))
        answered = await chat.make_session_response("s", messages=listed, source=Words("two"), seen=seen)
        assert answered.status_code in (202, 400), answered.body
        await _goes_on(log)

    run(test)


@_QUICK
@given(token=_TOKEN, run_id=st.sampled_from([None, "r", "abc"]))
def test_any_token_can_be_stopped(token: str, run_id: str | None) -> None:
    """What runs under it is ended as the format says; a stop of another run leaves it alone."""

    async def test() -> None:
        log = CalmLog()
        await log.append("s", [fence(token)])
        answered = await ResumableChat(log).stop_session("s", run_id=run_id)
        assert answered.status_code in (202, 204)
        if run_id is None:
            assert (await ResumableChat(log).stop_session("s")).status_code == 204

    run(test)
