"""Random chunk sequences: realistic conversations, and the same with things dropped, doubled and misnamed."""

from __future__ import annotations

import json
import random
from typing import Any

Chunk = dict[str, Any]

_TEXTS = ["", " ", "\n", "hi", "one two", "ü", "😀", "{", '"a":', "1}", "[1,", "null", "\u2028", "\ufeff"]


def conversation(rng: random.Random, *, adversarial: bool) -> tuple[list[Chunk], list[int]]:
    """Chunks of one to five turns, and the indices before which the browser resets."""
    chunks: list[Chunk] = []
    resets: list[int] = []
    for turn in range(rng.randint(1, 5)):
        if rng.random() < 0.9:
            resets.append(len(chunks))
        chunks += [
            {"type": "TEXT_MESSAGE_START", "messageId": f"u{turn}", "role": "user"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": f"u{turn}", "delta": f"question {turn}"},
            {"type": "TEXT_MESSAGE_END", "messageId": f"u{turn}"},
        ]
        chunks += _turn(rng, turn)
    if adversarial:
        for _ in range(rng.randint(1, 12)):
            at = rng.randrange(len(chunks) + 1)
            choice = rng.random()
            if choice < 0.5:
                chunks.insert(at, _any(rng))
            elif choice < 0.75 and at < len(chunks):
                chunks.insert(at, dict(chunks[at]))
            elif at < len(chunks):
                del chunks[at]
    return chunks, [index for index in resets if index < len(chunks)]


def _turn(rng: random.Random, turn: int) -> list[Chunk]:
    answer, run = f"a{turn}", f"r{turn}"
    chunks: list[Chunk] = []
    for step in range(rng.randint(1, 3)):
        chunks.append({"type": "RUN_STARTED", "runId": run, "threadId": "t"})
        if rng.random() < 0.7:
            chunks.append({"type": "TEXT_MESSAGE_START", "messageId": answer, "role": "assistant"})
        last = rng.random() < 0.5
        for _ in range(rng.randint(0, 4)):
            chunks += rng.choice([_text, _text, _thought, _tool, _structured])(rng, answer, f"{turn}.{step}")
        reason = "stop" if last else rng.choice(["tool_calls", "stop", "length"])
        if rng.random() < 0.15:
            error: Chunk = {"type": "RUN_ERROR", "message": "no"}
            chunks.append(error | ({"runId": run} if rng.random() < 0.5 else {}))
            break
        if rng.random() < 0.9:
            chunks.append({"type": "RUN_FINISHED", "runId": run, "threadId": "t", "finishReason": reason})
        if last:
            break
    return chunks


def _text(rng: random.Random, answer: str, step: str) -> list[Chunk]:
    deltas = [rng.choice(_TEXTS) for _ in range(rng.randint(1, 4))]
    chunks: list[Chunk] = [{"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": delta} for delta in deltas]
    if rng.random() < 0.2:
        chunks[0] = chunks[0] | {"metadata": rng.choice([{}, {"a": 1}, {"tanstack": {"x": 2, "content": "c"}}])}
    if rng.random() < 0.4:
        chunks.append({"type": "TEXT_MESSAGE_END", "messageId": answer})
    return chunks


def _thought(rng: random.Random, answer: str, step: str) -> list[Chunk]:
    chunks: list[Chunk] = []
    named = rng.random() < 0.5
    if named:
        chunks.append({"type": "STEP_STARTED", "stepName": f"s{rng.randint(0, 2)}"})
    chunks += [
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": f"th{step}", "delta": rng.choice(_TEXTS)}
        for _ in range(rng.randint(1, 3))
    ]
    if rng.random() < 0.3:
        chunks.append({"type": "STEP_FINISHED", "stepName": "s0", "signature": "sig"})
    if rng.random() < 0.2:
        chunks.append(
            {
                "type": "REASONING_ENCRYPTED_VALUE",
                "subtype": "message",
                "entityId": f"th{step}",
                "encryptedValue": "e",
            }
        )
    return chunks


def _tool(rng: random.Random, answer: str, step: str) -> list[Chunk]:
    call = f"c{step}.{rng.randint(0, 2)}"
    arguments = rng.choice(['{"a":1}', "", "{", '{"a":[1,2]}', "5"])
    cut = rng.randint(0, len(arguments))
    chunks: list[Chunk] = [
        {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": "f"}
        | ({"parentMessageId": answer} if rng.random() < 0.5 else {}),
        {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": arguments[:cut]},
        {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": arguments[cut:]},
    ]
    if rng.random() < 0.8:
        chunks.append(
            {"type": "TOOL_CALL_END", "toolCallId": call}
            | rng.choice([{}, {"input": {"b": 2}}, {"metadata": {"tanstack": {"input": [1]}}}])
        )
    if rng.random() < 0.3:
        chunks.append(
            {
                "type": "CUSTOM",
                "name": "approval-requested",
                "value": {"toolCallId": call, "approval": {"id": "ap"}},
            }
        )
    if rng.random() < 0.7:
        chunks.append(
            {
                "type": "TOOL_CALL_RESULT",
                "toolCallId": call,
                "messageId": f"m{call}",
                "content": rng.choice(['{"ok":true}', "plain", "", '{"error":"bad"}', "7", [{"type": "text"}]]),
            }
            | rng.choice([{}, {}, {"state": "output-error"}])
        )
    if rng.random() < 0.1:
        outcome = {
            "type": "interrupt",
            "interrupts": [{"id": "i1", "toolCallId": call, "reason": "approval_required"}],
        }
        chunks.append({"type": "RUN_FINISHED", "runId": f"r{step.split('.')[0]}", "outcome": outcome})
    return chunks


def _structured(rng: random.Random, answer: str, step: str) -> list[Chunk]:
    if rng.random() < 0.6:
        return []
    text = json.dumps({"name": "x", "list": [1, 2.5, True, None], "deep": {"s": 'q"\\u00e9'}})
    cuts = sorted(rng.randint(0, len(text)) for _ in range(3))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    chunks: list[Chunk] = [{"type": "CUSTOM", "name": "structured-output.start", "value": {"messageId": answer}}]
    chunks += [{"type": "TEXT_MESSAGE_CONTENT", "messageId": answer, "delta": piece} for piece in pieces]
    if rng.random() < 0.5:
        value = {"object": {"done": True}, "messageId": answer} | rng.choice([{}, {"raw": "R"}, {"reasoning": "w"}])
        chunks.append({"type": "CUSTOM", "name": "structured-output.complete", "value": value})
    return chunks[: rng.randint(1, len(chunks))] if rng.random() < 0.4 else chunks


def _any(rng: random.Random) -> Chunk:
    name = rng.choice(["a0", "a1", "u0", "x", "th0.0"])
    return rng.choice(
        [
            {
                "type": "TEXT_MESSAGE_START",
                "messageId": name,
                "role": rng.choice(["user", "assistant", "tool"]),
            },
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": name, "delta": rng.choice(_TEXTS)},
            {"type": "TEXT_MESSAGE_CONTENT", "delta": "no id"},
            {"type": "TEXT_MESSAGE_END", "messageId": name},
            {"type": "TOOL_CALL_START", "toolCallId": "c0.0.0", "toolCallName": "g", "parentMessageId": name},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "c0.0.0", "delta": "{"},
            {"type": "TOOL_CALL_END", "toolCallId": "c0.0.0"},
            {"type": "TOOL_CALL_RESULT", "toolCallId": "c0.0.0", "messageId": "m", "content": "r"},
            {"type": "RUN_STARTED", "runId": rng.choice(["r0", "r1", "zz"])},
            {"type": "RUN_FINISHED", "runId": rng.choice(["r0", "r1", "zz"]), "finishReason": "stop"},
            {"type": "RUN_ERROR", "message": "no"},
            {"type": "STEP_STARTED", "stepName": "s1"},
            {"type": "STEP_FINISHED", "stepName": "s1", "signature": "g", "stepId": "s1"},
            {"type": "REASONING_MESSAGE_CONTENT", "messageId": name, "delta": "hm"},
            {
                "type": "CUSTOM",
                "name": "ui-resource",
                "value": {"toolCallId": "c0.0.0", "resource": {"uri": "u"}},
            },
            {"type": "MESSAGES_SNAPSHOT", "messages": _rows(rng)},
            {"type": "MESSAGES_SNAPSHOT", "messages": [_odd_row(rng) for _ in range(rng.randint(1, 5))]},
            {"type": "STEP_FINISHED", "stepName": "s1", "metadata": {"tanstack": {"signature": "packed"}}},
            {"type": "TOOL_CALL_END", "toolCallId": "c0.0.0", "input": _value(rng)},
            {"type": "TOOL_CALL_RESULT", "toolCallId": "c0.0.0", "content": rng.choice(_RESULTS)},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": name, "metadata": {"tanstack": {"delta": "packed"}}},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": name, "delta": rng.choice([5, True, 1e21, 0, None, 2.5])},
            {"type": "RUN_ERROR", "message": rng.choice(["", None, "bad"]), "metadata": {"tanstack": {"runId": "r0"}}},
            {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "tool-call", "entityId": "c0.0.0", "encryptedValue": "e"},
            {
                "type": "CUSTOM",
                "name": "structured-output.complete",
                "value": {"messageId": name} | rng.choice([{}, {"object": _value(rng)}, {"raw": ""}]),
            },
            {"type": "STATE_DELTA", "delta": []},
            {"type": "NO_SUCH_TYPE"},
        ]
    )


_RESULTS = ["plain", '{"a":1}', "", "[1e3]", '{"error":""}', 5, None, True, ["7"], [1, 2], {"a": 1}, [{"type": "text"}]]


def _value(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value whose text JavaScript writes otherwise than Python."""
    choice = rng.randrange(9 if depth < 3 else 7)
    if choice == 7:
        return [_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if choice == 8:
        keys = ["b", "10", "2", "01", "-1", "4294967295", "é", ""]
        return {rng.choice(keys): _value(rng, depth + 1) for _ in range(rng.randint(0, 4))}
    scalars: list[Any] = [None, False, '\u2028\x7f"', 5.0, rng.uniform(-1, 1) * 10 ** rng.randint(-12, 24), 0.5]
    return scalars[choice] if choice < 6 else rng.randint(-(2**53), 2**53)


def _odd_row(rng: random.Random) -> Chunk:
    """A row of any role, with fields that belong to it and fields that do not."""
    extras: Chunk = {
        "structuredOutput": rng.choice([None, "x", {"status": "complete", "raw": "led", "data": 1, "reasoning": ""}]),
        "toolResult": rng.choice(
            [5, {"id": "packed"}, {"content": []}, {"content": [{"type": "text", "content": "c"}]}]
        ),
        "toolCallMetadata": {"c0.0.0": rng.choice([None, {"k": 1}])},
        "uiResources": [{"type": "ui-resource", "toolCallId": "c", "toolName": "f", "resource": _RESOURCE}, {"x": 1}],
        "signature": rng.choice(["", "sig", 5]),
        "createdAt": "2026-01-02T03:04:05Z",
    }
    parts: list[Chunk] = [
        {"type": "thinking", "content": "hm"},
        {"type": "text", "content": "said"},
        {"type": "tool-call", "id": "c0.0.0", "name": "f", "arguments": "", "state": "input-complete"},
        {"type": "tool-call", "id": "c0.0.0", "state": "complete", "output": 1, "approval": {"id": "x"}, "input": None},
        {"type": "tool-result", "toolCallId": "c0.0.0", "content": rng.choice(["plain", "5"]), "state": "error"},
        {"type": "ui-resource", "toolCallId": "c", "toolName": "f", "resource": _RESOURCE},
        {"type": "image", "source": {"type": "url", "value": "v"}},
        {"type": "unheard-of", "content": 5},
    ]
    fields: Chunk = {
        "id": rng.choice(["a0", "u0", "", None, "t0"]),
        "name": rng.choice(["n", ""]),
        "content": rng.choice(
            ["called", "", None, 5, [{"type": "text", "text": "t", "content": "t"}, {"type": "binary"}, {"type": "x"}]]
        ),
        "metadata": rng.choice([None, {"m": 1}, {"tanstack": {k: v for k, v in extras.items() if rng.random() < 0.5}}]),
        "createdAt": rng.choice(["2026-01-02T03:04:05.678Z", "never", 5]),
        "error": rng.choice(["E", "", None]),
        "toolCallId": rng.choice(["c0.0.0", "zz", "", None]),
        "toolCalls": rng.choice(
            [
                None,
                [],
                [{"id": "c0.0.0", "function": {"name": "f", "arguments": rng.choice(["{}", "{", ""])}}],
                [{"id": 1}],
            ]
        ),
        "encryptedValue": rng.choice(["", "e", 5]),
        "parts": [part for part in parts if rng.random() < 0.3],
    }
    roles = ["user", "assistant", "assistant", "tool", "tool", "system", "developer", "reasoning", "activity", None]
    row = {key: value for key, value in fields.items() if rng.random() < (0.3 if key == "parts" else 0.6)}
    row["role"] = rng.choice(roles[:-1] if "parts" in row else roles)
    if row["role"] in ("system", "developer") and "content" in row:
        row["content"] = rng.choice(["instructions", "", None])
    return row


_RESOURCE = {"uri": "u", "mimeType": "m"}


def _rows(rng: random.Random) -> list[Chunk]:
    rows: list[Chunk] = [
        {"id": "u0", "role": "user", "content": "again"},
        {"id": "th", "role": "reasoning", "content": "thought"},
        {
            "id": "a0",
            "role": "assistant",
            "content": "called",
            "toolCalls": [{"id": "c0.0.0", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
        },
        {"id": "t0", "role": "tool", "toolCallId": "c0.0.0", "content": '{"r":1}'},
        {"id": "a1", "role": "assistant", "parts": [{"type": "text", "content": "kept"}]},
        {"id": "s", "role": "system", "content": "sys"},
    ]
    return [row for row in rows if rng.random() < 0.7]
