"""The conversation in the form, and by the rules, of Bedrock's Converse API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from resumable_chat.sources.bedrock.request import to_converse

TOOLS = {"toolConfig": {"tools": []}}


def converse(*messages: Any, **request: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = to_converse(list(messages), request)["messages"]
    return made


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": [said(part) if isinstance(part, str) else part for part in parts]}


def assistant(*parts: Any) -> dict[str, Any]:
    return {"role": "assistant", "parts": list(parts)}


def said(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def call(call_id: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool-call", "id": call_id, "name": "f", "arguments": '{"a":1}', "output": "1", **more}


def document(mime: str, name: str | None = None) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "data", "value": "aGk=", "mimeType": mime}, "name": name}


def test_roles_take_turns_and_the_user_begins() -> None:
    """Adjacent messages of one role are one, and a greeting of the assistant has a turn before it."""
    messages = converse(assistant(said("hello")), user("a"), user("b"), assistant(said("c ")), assistant(said("d")))
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]
    assert messages[2]["content"] == [{"text": "a"}, {"text": "b"}]
    assert messages[3]["content"] == [{"text": "c"}, {"text": "d"}]


def test_no_text_is_blank() -> None:
    """Bedrock refuses it."""
    assert converse(user(" "), user("a", "\n")) == [{"role": "user", "content": [{"text": "a"}]}]


def test_calls_and_results_are_blocks() -> None:
    """Each id once, in letters that Bedrock takes; a failed result says so."""
    messages = converse(
        user("a"), assistant(call("call_0", arguments="[1]")), user("b"),
        assistant(call("call_0"), call("x/y", state="error", output="boom", name="a b")), **TOOLS,
    )  # fmt: skip
    uses = [block["toolUse"] for message in messages for block in message["content"] if "toolUse" in block]
    results = [block["toolResult"] for message in messages for block in message["content"] if "toolResult" in block]
    assert [use["toolUseId"] for use in uses] == ["call_0", "call_0-2", "x_y"]
    assert [use["name"] for use in uses] == ["f", "f", "a_b"]
    assert uses[0]["input"] == {"value": [1]}
    assert [(result["toolUseId"], result["status"]) for result in results] == [
        ("call_0", "success"), ("call_0-2", "success"), ("x_y", "error"),
    ]  # fmt: skip


def test_without_tools_calls_are_told_as_text() -> None:
    """The API takes no calls in the history of a request without ``toolConfig``."""
    [_, answer] = converse(user("a"), assistant(call("x")))
    assert answer["content"] == [{"text": '(Called f with {"a":1}: 1)'}]


def test_signed_thoughts_are_sent_back_within_the_newest_turn() -> None:
    """A tool's result needs them there; older ones, and unsigned ones, are left out."""
    thoughts = [
        {"type": "thinking", "content": "hm", "signature": "s"},
        {"type": "thinking", "content": "", "signature": "/w=="},
        {"type": "thinking", "content": "unsigned"},
    ]
    old = assistant(*thoughts, said("x"))
    new = assistant(*thoughts, call("y"))
    [_, first, _, second, _] = converse(user("a"), old, user("b"), new, **TOOLS)
    assert first["content"] == [{"text": "x"}]
    assert second["content"][:2] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": b"\xff"}},
    ]


def test_images_are_bytes() -> None:
    """Images in S3 are passed by address; other URLs become a note."""
    parts = [
        {"type": "image", "source": {"type": "data", "value": "QUJD", "mimeType": "image/jpg"}},
        {"type": "image", "source": {"type": "url", "value": "s3://b/k.png"}},
        {"type": "image", "source": {"type": "url", "value": "https://x/y.png"}},
        {"type": "audio", "source": {"type": "data", "value": "QUJD", "mimeType": "audio/wav"}},
    ]
    [message] = converse(user(*parts))
    assert message["content"][0] == {"image": {"format": "jpeg", "source": {"bytes": b"ABC"}}}
    assert message["content"][1]["image"]["source"] == {"s3Location": {"uri": "s3://b/k.png"}}
    assert "https://x/y.png" in message["content"][2]["text"] and "audio/wav" in message["content"][3]["text"]


@pytest.mark.parametrize("name", ["a.pdf", "../../x (1).pdf", "ümläut_名.pdf", "   ", "...", None, "x" * 500, "a  b"])
def test_documents_have_plain_names_and_a_text_beside_them(name: str | None) -> None:
    """Each name once in the conversation."""
    [message] = converse(user(document("application/pdf", name), document("application/pdf", name)))
    first, second, beside = message["content"]
    names = [block["document"]["name"] for block in (first, second)]
    assert all(re.fullmatch(r"[a-zA-Z0-9()\[\]-]( ?[a-zA-Z0-9()\[\]-])*", given) for given in names)
    assert len(set(names)) == 2 and max(map(len, names)) <= 200 and beside["text"]
    assert first["document"] == {"format": "pdf", "name": names[0], "source": {"bytes": b"hi"}}


def test_instructions_are_apart() -> None:
    """Those of the source first, then those of the conversation."""
    made = to_converse([{"role": "system", "content": "b"}, user("x")], {"modelId": "m"}, system="a")
    assert made["system"] == [{"text": "a"}, {"text": "b"}] and made["modelId"] == "m"
