"""A chunk that cannot be folded is refused before it changes anything."""

from __future__ import annotations

from typing import Any

import pytest

from resumable_chat.transcript import StreamProcessor

from .chunks import call, custom, run_finished, run_started, snapshot, start, text, thought

GOOD = [run_started(), start(), text("x"), call(), thought("t"), custom("structured-output.start", {"messageId": "a"})]


@pytest.mark.parametrize(
    ("chunk", "reason"),
    [
        ({"type": "TEXT_MESSAGE_END", "messageId": []}, "messageId: must be a string"),
        (start(None), "messageId: must be a string that is not empty"),  # type: ignore[arg-type]
        (text("x", {}), "messageId: must be a string"),  # type: ignore[arg-type]
        (text(["x"]), "delta: must be a string"),
        (call([]), "toolCallId: must be a string"),  # type: ignore[arg-type]
        (call("d", name={}), "toolCallName: must be a string"),  # type: ignore[arg-type]
        (call("d", parentMessageId=5), "parentMessageId: must be a string"),
        (run_started([]), "runId: must be a string"),  # type: ignore[arg-type]
        ({"type": "STEP_FINISHED", "signature": {}}, "signature: must be a string"),
        (run_finished(outcome={"type": "interrupt"}), "outcome.interrupts: must be a list of objects"),
        (
            run_finished(outcome={"type": "interrupt", "interrupts": [{"id": 5}]}),
            "outcome.interrupts[0].id: must be a string",
        ),
        (custom("structured-output.complete", {"raw": []}), "value.raw: must be a string"),
        (custom("approval-requested", {"approval": {"id": []}}), "value.approval.id: must be a string"),
        (custom("ui-resource", {"resource": "x"}), "value.resource: must be an object"),
        ({"type": "MESSAGES_SNAPSHOT"}, "`messages` must be a list"),
        (snapshot({"id": "s", "role": "user", "parts": [{"type": "tool-call", "id": {}}]}), "parts[0].id: must be"),
        ({"type": "TEXT_MESSAGE_END", "metadata": {"tanstack": {"messageId": []}}}, "messageId: must be a string"),
    ],
)
def test_a_refused_chunk_changes_nothing(chunk: dict[str, Any], reason: str) -> None:
    """Neither the messages nor what streams; the caller gets the position and the reason."""
    processor, other = StreamProcessor(), StreamProcessor()
    for each in GOOD:
        assert processor.process(each, seq=1, timestamp=0) is other.process(each, seq=1, timestamp=0) is None
    refused = processor.process(chunk, seq=7, timestamp=0)
    assert refused is not None and refused.seq_num == 7 and refused.reason.startswith(reason)
    for each in (text("{}"), run_finished()):
        processor.process(each, seq=9, timestamp=0)
        other.process(each, seq=9, timestamp=0)
    assert processor.messages == other.messages
