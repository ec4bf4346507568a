"""Whole streams: whatever the log holds, the client takes it, and shows what the chat's messages say."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.wire.ai_sdk.history import ui_messages

from ...logs import OURS, finished, message, turn, view_of
from .client import Reader, chunks_in
from .generations import ANY_CHUNK, ASKED, FENCES, call, ended, live, read, result, sent, started, text, thought

ANSWERED_TOOL = {
    "id": "a",
    "role": "assistant",
    "parts": [
        {"type": "text", "content": "Where?"},
        {"type": "tool-call", "id": "c", "name": "f", "arguments": "{}", "state": "complete", "output": "here"},
        {"type": "tool-result", "toolCallId": "c", "content": "here", "state": "complete"},
    ],
}
CONTINUED = [*ASKED, *started(text("Where?"), *call("c")), finished("r", "tool_calls"), "end-0"]


def plain(made: dict[str, Any]) -> dict[str, Any]:
    """A message without what streams and histories may differ in."""
    return {"id": made["id"], "parts": made["parts"], "metadata": made.get("metadata")}


def shown(view: Any) -> dict[str, Any]:
    """The last UIMessage of a chat."""
    return plain(list(ui_messages(view.messages))[-1])


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY_CHUNK, max_size=14), FENCES)
def test_the_client_takes_any_answer_live_and_replayed(chunks: list[dict[str, Any]], fence: str) -> None:
    """It never throws, and always learns of the end, after a cursor at any place as well."""
    items = [*ASKED, *started(*chunks), fence]
    got, view = live(*items)
    reader = Reader().read(chunks_in(got))
    assert reader.ended is not None
    if view.generation is None or view.generation.running:
        return  # Another writer took the chat over.
    whole = read(view)
    assert Reader().read(whole).message == reader.message
    assert Reader(resumes=True).read(read(view, replays=True)).ended == reader.ended
    for upto in range(len(ASKED) + 1, len(items)):
        running = view_of(*items[:upto])
        Reader(resumes=True).read(read(running, replays=True))
        for replays in (False, True):
            rest = read(view, cursor=upto, replays=replays)
            resumed = Reader().read([*read(running), *rest])
            assert resumed.message == reader.message and resumed.ended == reader.ended


def test_an_answer_with_everything_is_the_message_that_the_history_has() -> None:
    """Reasoning, text, calls of the server, more text: live, replayed from its start, and loaded."""
    chunks = [
        *(thought("Let me "), thought("see.")),
        *(text("Looking. "), *call("c", '{"q":1}'), *call("d", '{"q":2}'), result("c"), result("d", '{"n":1}')),
        *(text("Found"), text(" it.")),
    ]
    view = ended(*chunks)
    expected = shown(view)
    assert [part["type"] for part in expected["parts"]] == [
        *("step-start", "reasoning", "text", "dynamic-tool", "dynamic-tool", "step-start", "text")
    ]
    assert plain(Reader().read(read(view)).message) == expected
    assert plain(Reader(resumes=True).read(read(view, replays=True)).message) == expected


def test_several_messages_of_one_run_are_steps_of_one_message() -> None:
    """A mark says where the next message of the log begins."""
    more = [{"type": "TEXT_MESSAGE_START", "messageId": "b", "role": "assistant"}, text("Two.", "b")]
    view = ended(text("One."), {"type": "TEXT_MESSAGE_END", "messageId": "a"}, *more)
    got = Reader().read(read(view)).message
    assert plain(got) == shown(view)
    assert got["id"] == "a" and {"type": "data-resumable-message", "data": {"id": "b"}} in got["parts"]


def test_a_run_that_goes_on_after_a_client_tool_is_part_of_the_same_message() -> None:
    """For the sender, for one that resumes, and for one that loads the chat."""
    items = [*CONTINUED, OURS, *turn(ANSWERED_TOOL, "u", run_id="r2"), *started(text("So be it.", "b"), message_id="b")]
    over = view_of(*items, finished("r2"), "end-1")
    expected = shown(over)
    assert [part["type"] for part in expected["parts"]] == [
        *("step-start", "text", "dynamic-tool", "step-start", "data-resumable-message", "text")
    ]
    before = list(ui_messages(view_of(*items[:-2]).messages))[-1]
    sender = Reader(before).read(read(over, continues="a", known_calls=["c"]))
    assert sender.message["parts"] == expected["parts"] and sender.message["id"] == "a"
    running = Reader(resumes=True).read(read(view_of(*items), replays=True))
    assert [part["type"] for part in running.message["parts"]] == [part["type"] for part in expected["parts"]]
    assert plain(Reader(resumes=True).read(read(over, replays=True)).message) == expected


def test_a_reader_that_comes_back_gets_what_it_lacks() -> None:
    """From each cursor on, without a second start, and nothing but the end mark when it has everything."""
    view = ended(text("One "), *call("c"), result("c"), text("two"))
    whole = sent(view)
    cursors = [int(line[4:]) for line in whole.decode().split("\n") if line.startswith("id: ")]
    assert cursors == sorted(set(cursors))
    for cursor in cursors:
        head = whole[: whole.index(f"id: {cursor}\n".encode())]
        frame = whole[len(head) : whole.index(b"\n\n", len(head)) + 2]
        kept = Reader().read(chunks_in(head + frame) if b'"finish"' not in frame else [])
        rest = sent(view, cursor)
        assert b'"start"' not in rest
        if cursor == cursors[-1]:
            assert rest == b"data: [DONE]\n\n"
        else:
            assert plain(kept.read(chunks_in(rest)).message) == shown(view)


def test_a_cursor_before_the_answer_is_none() -> None:
    """Such a reader has got nothing of it."""
    view = ended(text("One"))
    for cursor in range(len(ASKED) + 1):
        assert sent(view, cursor) == sent(view)


def test_a_reader_that_has_the_message_before_gets_the_answer_alone() -> None:
    """The last chunk of what an answer continues has a cursor, too."""
    running = view_of(
        *CONTINUED, OURS, *turn(ANSWERED_TOOL, "u", run_id="r2"), *started(text("So.", "b"), message_id="b")
    )
    assert running.generation is not None
    whole = sent(running, replays=True)
    cursor = running.generation.answer_from
    before, mark, rest = whole.partition(f"id: {cursor}\n".encode())
    assert mark and before.count(b'"start"') == 1
    assert sent(running, cursor, replays=True) == rest[rest.index(b"\n\n") + 2 :]


def test_an_answer_of_blanks_is_no_message_unless_it_failed() -> None:
    """As for the log's other readers."""
    blank = [*ASKED, *started(text(" \n"))]
    for over in (finished("r"), "end-0"), ("end-0",):
        reader = Reader().read(read(view_of(*blank, *over)))
        assert not reader.shown and reader.ended == "finish"
    failed = view_of(*blank, {"type": "RUN_ERROR", "runId": "r", "message": "No."}, "error-0")
    reader = Reader().read(read(failed))
    assert reader.shown and reader.error == "No." and plain(reader.message) == shown(failed)


def test_a_call_is_complete_before_it_is_approved() -> None:
    """Also if its end is missing."""
    ask = {"type": "CUSTOM", "name": "approval-requested", "value": {"toolCallId": "c", "approval": {"id": "p"}}}
    view = ended(*call("c", '{"q":1}', ends=False), ask)
    kinds = [chunk["type"] for chunk in read(view)]
    assert kinds.index("tool-input-available") == kinds.index("tool-approval-request") - 1
    assert plain(Reader().read(read(view)).message) == shown(view)
    assert plain(Reader(resumes=True).read(read(view, replays=True)).message) == shown(view)


def test_chunks_come_as_they_are_written_and_several_at_once_are_merged() -> None:
    """A live reader waits for nothing but the first words; one that comes later gets one delta for many."""
    got, view = live(*ASKED, *started(text("a"), text("b"), text("c")))
    assert [chunk.get("delta") for chunk in chunks_in(got) if chunk["type"] == "text-delta"] == ["a", "b", "c"]
    assert [chunk.get("delta") for chunk in read(view) if chunk["type"] == "text-delta"] == ["abc"]


def test_the_end_waits_for_the_fence() -> None:
    """An agent's runs have terminals of their own, which end nothing for the client."""
    loop = [*started(text("One")), finished("r", "tool_calls"), {"type": "RUN_STARTED", "runId": "r2"}]
    got, _ = live(*ASKED, *loop, text(" two"), finished("r2", "length"))
    assert Reader().read(chunks_in(got)).ended is None
    got, _ = live(*ASKED, *loop, text(" two"), finished("r2", "length"), "end-0")
    assert chunks_in(got)[-1]["finishReason"] == "length" and got.count(b"[DONE]") == 1


def test_another_generation_is_none_of_a_readers_business() -> None:
    """A view that holds no generation sends nothing."""
    assert sent(view_of()) == b""
    view = view_of(*ASKED, *started(text("One")), finished("r"), "end-0", OURS, *turn(message("u2"), run_id="r2"))
    assert read(view, replays=True) == []


_ROUND = st.tuples(
    st.lists(st.sampled_from(["Hm. ", "So "]), max_size=2),
    st.lists(st.sampled_from(["One", " two\n", "**3**"]), max_size=3),
    st.lists(st.sampled_from(['{"q":1}', "{}", None, '{"cut']), min_size=1, max_size=2),
)


def rounds_of(rounds: list[Any]) -> list[dict[str, Any]]:
    """An agent's loop: it thinks, says something, calls tools, gets their results, and begins again."""
    chunks: list[dict[str, Any]] = []
    for number, (thoughts, texts, calls) in enumerate(rounds):
        chunks += [{"type": "STEP_STARTED", "stepName": f"s{number}"}, *(thought(each) for each in thoughts)]
        chunks += [{"type": "STEP_FINISHED", "stepName": f"s{number}"}, *map(text, texts)]
        names = [f"c{number}{at}" for at in range(len(calls))]
        chunks += [chunk for name, given in zip(names, calls, strict=True) for chunk in call(name, given)]
        chunks += [result(name, "[1]") for name in names]
    return chunks


@given(st.lists(_ROUND, max_size=3), st.lists(st.sampled_from(["That's", " it."]), max_size=2))
def test_an_agents_loop_looks_the_same_live_resumed_and_loaded(rounds: list[Any], last: list[str]) -> None:
    """Part by part, step by step."""
    got, view = live(*ASKED, *started(*rounds_of(rounds), *map(text, last)), finished("r"), "end-0")
    expected = shown(view)
    assert plain(Reader().read(chunks_in(got)).message)["parts"] == expected["parts"]
    assert plain(Reader(resumes=True).read(read(view, replays=True)).message) == expected
