"""Messages as rows, and rows as messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.errors import BadRequest
from resumable_chat.wire.ag_ui.inbound import read_rows, result_calls
from resumable_chat.wire.ag_ui.rows import rows_of

from ...values import ANY, damaged


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


def called(call_id: str, **more: Any) -> dict[str, Any]:
    call = {"type": "tool-call", "id": call_id, "name": "f", "arguments": "{}", "state": "input-complete"}
    return {**call, "input": {}, **more}


def result(call_id: str, content: Any = "1", **more: Any) -> dict[str, Any]:
    return {"type": "tool-result", "toolCallId": call_id, "content": content, "state": "complete", **more}


PICTURE = {"type": "image", "source": {"type": "url", "value": "https://example.com/a.png"}}
FILE = {"type": "document", "source": {"type": "file", "value": "file-1", "provider": "p"}}

LOOP = [
    {"type": "thinking", "content": "hm"},
    said("Let me see."),
    called("c1"),
    result("c1"),
    called("c2"),
    called("c3"),
    result("c3"),
    result("c2"),
    said("Done."),
]


def answer(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "a", "role": "assistant", "parts": [*parts], **more}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"id": "u", "role": "user", "parts": [*parts]}


def short(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (row["id"], row["role"], str(row.get("content", "")), *(call["id"] for call in row.get("toolCalls", ())))
        for row in rows
    ]


def test_each_round_of_a_loop_is_a_row_of_its_own() -> None:
    """A model gets the calls of each round, then their results, then what was said to them."""
    assert short(rows_of([answer(*LOOP)])) == [
        ("a:thought-1", "reasoning", "hm"),
        ("a", "assistant", "Let me see.", "c1"),
        ("a:c1", "tool", "1"),
        ("a:row-1", "assistant", "", "c2", "c3"),
        ("a:c3", "tool", "1"),
        ("a:c2", "tool", "1"),
        ("a:row-2", "assistant", "Done."),
    ]


def test_rows_put_together_are_the_message_again() -> None:
    """In the order of its parts. The calls have their outputs besides."""
    (message,) = read_rows(rows_of([answer(*LOOP)]))
    assert message["id"] == "a" and message["role"] == "assistant"
    for part, before in zip(message["parts"], LOOP, strict=True):
        assert {key: part.get(key) for key in before if key != "state"} == {
            key: value for key, value in before.items() if key != "state"
        }


def test_the_last_row_tells_the_outcome() -> None:
    """A failed answer without anything in it has a row for that; any other empty answer has none."""
    failed = {"resumable": {"run": {"outcome": "failed"}}}
    stopped = {"resumable": {"run": {"outcome": "stopped"}}}
    assert rows_of([answer(*LOOP, metadata=stopped)])[-1]["metadata"] == stopped
    assert rows_of([answer(metadata=failed)]) == [{"id": "a", "role": "assistant", "content": "", "metadata": failed}]
    assert rows_of([answer(metadata=stopped)]) == []


def test_a_failed_result_says_so() -> None:
    """With the text of the error, or else the content."""
    parts = [called("c"), result("c", "bad", state="error", error="E")]
    assert rows_of([answer(*parts)])[-1]["error"] == "E"
    del parts[1]["error"]
    assert rows_of([answer(*parts)])[-1]["error"] == "bad"


def test_an_output_without_a_result_is_one() -> None:
    """Clients' own tools leave it so."""
    assert short(rows_of([answer(called("c", output={"a": 1}))]))[1] == ("a:c", "tool", '{"a":1}')


def test_a_users_text_alone_is_a_string() -> None:
    """Anything more is a list of parts; an old client gets a file as text."""
    assert rows_of([user(said("hi"))])[0]["content"] == "hi"
    assert rows_of([user()])[0]["content"] == ""
    picture = {"type": "image", "source": PICTURE["source"]}
    assert rows_of([user(said("hi"), PICTURE)])[0]["content"] == [{"type": "text", "text": "hi"}, picture]
    assert rows_of([user(FILE)])[0]["content"] == [FILE]
    assert rows_of([user(FILE)], files=False)[0]["content"] == "file-1"


def test_text_after_a_thought_is_not_repeated() -> None:
    """The fold repeats what was said before a thought in the middle of a text."""
    rows = rows_of([answer(said("one "), {"type": "thinking", "content": "hm"}, said("one two"))])
    assert [row["content"] for row in rows] == ["one ", "hm", "two"]


def test_results_that_end_the_list_stay_rows() -> None:
    """They are what is to be answered."""
    rows = [
        *rows_of([user(said("hi")), answer(called("c"))]),
        {"id": "t", "role": "tool", "toolCallId": "c", "content": "1"},
    ]
    assert [message["role"] for message in read_rows(rows)] == ["user", "assistant", "tool"]
    assert result_calls(rows) == {"c"}


def test_activities_are_the_clients_own() -> None:
    """And they do not stand between rows of one message."""
    activity = {"id": "x", "role": "activity", "activityType": "map", "content": {"a": 1}}
    rows = rows_of([user(said("hi")), answer(*LOOP)])
    assert read_rows([rows[0], activity, *rows[1:], activity]) == read_rows(rows)


def test_nobody_speaks_in_the_servers_name() -> None:
    """The outcome in submitted metadata is left out, the rest stays."""
    row = {"id": "u", "role": "user", "content": "hi", "metadata": {"resumable": {"run": {}}, "mine": 1}}
    assert read_rows([row])[0]["metadata"] == {"mine": 1}


def test_old_clients_binary_parts_are_media() -> None:
    """By their media type; with the data, the URL or the id of a file."""
    content = [
        {"type": "binary", "mimeType": "image/png", "data": "aGk="},
        {"type": "binary", "mimeType": "application/pdf", "url": "https://example.com/a.pdf"},
        {"type": "binary", "mimeType": "audio/mpeg", "id": "file-2"},
    ]
    (message,) = read_rows([{"id": "u", "role": "user", "content": content}])
    assert [(part["type"], part["source"]["type"], part["source"]["value"]) for part in message["parts"]] == [
        ("image", "data", "aGk="),
        ("document", "url", "https://example.com/a.pdf"),
        ("audio", "file", "file-2"),
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, "messages: must be a list"),
        ([], "messages: is empty"),
        ([5], "messages[0]: must be an object"),
        ([{"id": [], "role": "user", "content": "x"}], "messages[0].id: must be a string"),
        ([{"id": "u", "role": [], "content": "x"}], "messages[0].role: must be one of"),
        ([{"id": "u", "role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text"),
        ([{"id": "t", "role": "tool", "toolCallId": [], "content": "x"}], "messages[0].toolCallId: must be a string"),
    ],
)
def test_a_bad_row_is_named(rows: Any, words: str) -> None:
    """With the field, and what it must be."""
    with pytest.raises(BadRequest) as caught:
        read_rows(rows)
    assert caught.value.status == 400 and caught.value.detail.startswith(words)


@given(
    st.data(), st.lists(st.sampled_from(rows_of([user(said("hi"), PICTURE), answer(*LOOP)])), min_size=1, max_size=6)
)
def test_any_rows_are_read_or_refused(data: st.DataObject, rows: list[dict[str, Any]]) -> None:
    """Nothing else is raised, and what is read can be sent back as rows."""
    submitted = data.draw(damaged(rows) | ANY)
    try:
        messages = read_rows(submitted)
    except BadRequest:
        return
    json.dumps(rows_of(messages))
