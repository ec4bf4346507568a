"""The conversation as pydantic-ai's message history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .parts import Attachment, Part, Text, plain_text
from .rounds import CallState, Round, System, User, read_turns

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelRequestPart, ModelResponsePart, UserContent


def to_model_messages(messages: Sequence[Mapping[str, Any]], *, deferred: bool = False) -> list[ModelMessage]:
    """Return the messages as pydantic-ai's, requests and responses in turn. Needs the package pydantic-ai-slim.

    Signed thoughts are kept, unsigned ones left out: providers take back only what they signed. With ``deferred``,
    calls of the last round that the user approved or denied get no result: pass them as DeferredToolResults.
    """
    from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, UserPromptPart

    history: list[ModelMessage] = []
    pending: list[ModelRequestPart] = []
    turns = read_turns(messages)
    for turn in turns:
        if isinstance(turn, System):
            pending.append(SystemPromptPart(turn.text))
        elif isinstance(turn, User):
            pending.append(UserPromptPart(_user_content(turn.parts)))
        else:
            if pending:
                history.append(ModelRequest(parts=pending))
            history.append(ModelResponse(parts=_response(turn)))
            pending = _results(turn, deferred=deferred and turn is turns[-1])
    if pending:
        history.append(ModelRequest(parts=pending))
    return history


def _response(turn: Round) -> list[ModelResponsePart]:
    from pydantic_ai.messages import TextPart, ThinkingPart, ToolCallPart

    parts: list[ModelResponsePart] = [
        ThinkingPart(thought.text, signature=thought.signature) for thought in turn.thoughts if thought.signature
    ]
    if turn.text:
        parts.append(TextPart(turn.text))
    return [*parts, *(ToolCallPart(call.name, call.arguments, tool_call_id=call.id) for call in turn.calls)]


def _results(turn: Round, *, deferred: bool) -> list[ModelRequestPart]:
    from pydantic_ai.messages import ToolReturnPart

    return [
        ToolReturnPart(call.name, _result(call.result_text()), tool_call_id=call.id)
        for call in turn.calls
        if not (deferred and call.state in (CallState.APPROVED, CallState.DENIED))
    ]


def _result(text: str) -> Any:
    """Return a result as the value that its JSON stands for, else as its text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _user_content(parts: Sequence[Part]) -> str | list[UserContent]:
    if all(isinstance(part, Text) for part in parts):
        return plain_text(parts)
    return [part.text if isinstance(part, Text) else _media(part) for part in parts]


def _media(part: Attachment) -> UserContent:
    from pydantic_ai.messages import AudioUrl, BinaryContent, DocumentUrl, ImageUrl

    text = part.as_text()
    data = part.decoded()
    if text is not None:
        return text
    if part.kind == "video" or (data is None and part.url is None):
        return part.note()
    if data is not None:
        return BinaryContent(data, media_type=part.mime)
    url = str(part.url)
    if part.kind == "image":
        return ImageUrl(url, media_type=part.mime)
    if part.kind == "audio":
        return AudioUrl(url, media_type=part.mime)
    return DocumentUrl(url, media_type=part.mime)
