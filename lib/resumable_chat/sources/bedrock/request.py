"""The conversation as Bedrock's Converse API takes it.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html has the form, and the rules that go
beyond it: roles take turns, the user begins, no text is blank, documents have plain names and stand beside a text.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..history.parts import Attachment, Part, Text
from ..history.rounds import Call, Round, System, Thought, Turn, User, read_turns

Block = dict[str, Any]

_IMAGES: Final = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_BEGINNING: Final = "(The conversation begins with the assistant's message.)"
_SEE: Final = "(See the attachments.)"


def to_converse(
    messages: Sequence[Mapping[str, Any]], request: Mapping[str, Any], *, system: str | None = None
) -> dict[str, Any]:
    """Return the arguments of ``converse_stream`` for a conversation. ``request`` has the model and options.

    Signed thoughts are sent back within the newest turn only, as a tool's result needs them there. Without a
    ``toolConfig``, which calls in the history would require, they are told as text.
    """
    turns = read_turns(messages)
    instructions = [system] if system else []
    instructions += [turn.text for turn in turns if isinstance(turn, System) and turn.text.strip()]
    newest = max((at for at, turn in enumerate(turns) if isinstance(turn, User)), default=-1)
    conversation = _Conversation(with_tools="toolConfig" in request)
    for at, turn in enumerate(turns):
        conversation.add(turn, current=at > newest)
    body = {**request, "messages": conversation.messages}
    if instructions:
        body["system"] = [*request.get("system", []), *({"text": text} for text in instructions)]
    return body


class _Conversation:
    """Puts turns behind each other so that roles take turns."""

    def __init__(self, *, with_tools: bool) -> None:
        self.messages: list[dict[str, Any]] = []
        self._with_tools = with_tools
        self._names: set[str] = set()
        self._ids: set[str] = set()

    def add(self, turn: Turn, *, current: bool) -> None:
        """Add a turn; ``current`` says that the user has said nothing since."""
        if isinstance(turn, User):
            self._say("user", self._user(turn.parts))
        elif isinstance(turn, Round):
            self._round(turn, current=current)

    def _round(self, turn: Round, *, current: bool) -> None:
        blocks = [_thought(thought) for thought in turn.thoughts if thought.signature] if current else []
        text = turn.text.rstrip()
        if text:
            blocks.append({"text": text})
        if not turn.calls:
            self._say("assistant", blocks)
            return
        if not self._with_tools:
            told = [f"(Called {call.name} with {call.arguments}: {call.result_text()})" for call in turn.calls]
            self._say("assistant", [*(block for block in blocks if "text" in block), {"text": "\n".join(told)}])
            return
        results: list[Block] = []
        for call in turn.calls:
            # Ids repeat in long histories, and Bedrock takes each only once.
            call_id = _unique(re.sub(r"[^a-zA-Z0-9_.:-]", "_", call.id)[:56] or "call", self._ids)
            name = re.sub(r"[^a-zA-Z0-9_-]", "_", call.name)[:64]
            blocks.append({"toolUse": {"toolUseId": call_id, "name": name, "input": _input(call)}})
            status = "error" if call.failed else "success"
            content = [{"text": call.result_text() or "(nothing)"}]
            results.append({"toolResult": {"toolUseId": call_id, "content": content, "status": status}})
        self._say("assistant", blocks)
        self._say("user", results)

    def _say(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if not self.messages and role == "assistant":
            self.messages.append({"role": "user", "content": [{"text": _BEGINNING}]})
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _user(self, parts: Sequence[Part]) -> list[Block]:
        blocks = [block for block in map(self._part, parts) if block is not None]
        if any("document" in block for block in blocks) and not any("text" in block for block in blocks):
            blocks.append({"text": _SEE})
        return blocks

    def _part(self, part: Part) -> Block | None:
        if isinstance(part, Text):
            return {"text": part.text} if part.text.strip() else None
        data = part.decoded()
        source: Block | None = {"bytes": data} if data else None
        if part.url is not None and part.url.startswith("s3://"):
            source = {"s3Location": {"uri": part.url}}
        if source is not None and part.mime in _IMAGES:
            return {"image": {"format": _IMAGES[part.mime], "source": source}}
        if source is not None and part.mime in _DOCUMENTS:
            name = self._document_name(part)
            return {"document": {"format": _DOCUMENTS[part.mime], "name": name, "source": source}}
        return {"text": part.as_text() or part.note()}

    def _document_name(self, part: Attachment) -> str:
        """Return a name of the letters that Bedrock takes, once in the conversation."""
        stem = (part.name or "document").rpartition(".")[0] or part.name or "document"
        plain = re.sub(r"[^a-zA-Z0-9 ()\[\]-]", "-", stem)
        return _unique(re.sub(r" +", " ", plain).strip()[:190] or "document", self._names)


def _thought(thought: Thought) -> Block:
    if thought.text:
        return {"reasoningContent": {"reasoningText": {"text": thought.text, "signature": thought.signature}}}
    try:
        return {"reasoningContent": {"redactedContent": base64.b64decode(thought.signature or "", validate=True)}}
    except binascii.Error:
        return {"text": "(A thought that cannot be read.)"}


def _input(call: Call) -> Any:
    value = json.loads(call.arguments)
    return value if isinstance(value, dict) else {"value": value}


def _unique(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    taken.add(name)
    return name
