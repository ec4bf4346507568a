"""The demo model: what it shows, and that a page can render it."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat import SourceContext
from resumable_chat.sources.demo import DemoSource

from ..chats import user


async def answered(text: str) -> list[dict[str, Any]]:
    context = SourceContext(stream="s", run_id="r", thread_id="s", message_id="m")
    return [chunk async for chunk in DemoSource(delay_s=0)([user("u", text)], context)]


async def test_it_shows_what_a_chat_can_hold() -> None:
    """Reasoning, a tool call with its result, and text, within one run that has an end."""
    types = [chunk["type"] for chunk in await answered("hello")]
    assert (types[0], types[-1]) == ("RUN_STARTED", "RUN_FINISHED")
    for shown in ("REASONING_MESSAGE_CONTENT", "TOOL_CALL_ARGS", "TOOL_CALL_RESULT", "TEXT_MESSAGE_CONTENT"):
        assert shown in types


@pytest.mark.parametrize(
    ("asked", "last"),
    [("a table", "| stop | ends |"), ("some code", "```"), ("table, code", "|")],
)
async def test_tables_and_code_end_before_the_next_sentence(asked: str, last: str) -> None:
    """A blank line follows a block, so that Markdown does not take the next sentence for a part of it."""
    text = "".join(chunk["delta"] for chunk in await answered(asked) if chunk["type"] == "TEXT_MESSAGE_CONTENT")
    block, _, sentence = text.rpartition("\n\n")
    assert block.endswith(last)
    assert sentence.startswith("Reload the page")


async def test_it_fails_when_it_is_asked_to() -> None:
    """The word `fail` breaks the answer off in the middle."""
    with pytest.raises(RuntimeError, match="asked to fail"):
        await answered("please fail, in a long answer")
