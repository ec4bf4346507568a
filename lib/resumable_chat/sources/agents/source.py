"""The source that runs a pydantic-ai agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from ..answer import Answer
from ..errors import SourceError
from ..history import to_model_messages
from ..history.rounds import CallState, Round, read_turns
from ..port import Chunk, Messages, SourceContext
from .events import AgentEvents, approval_id, interrupts

_REASONS: Final = {"tool_call": "tool_calls"}
_TEXT_OUTPUTS: Final = frozenset({"NativeOutput", "PromptedOutput"})
_OFFLINE: Final = frozenset({"test", "function"})
"""pydantic-ai's test models, which give no finish reason."""


class AgentSource:
    """Runs a pydantic-ai agent.

    Tools run here. A call of a tool with ``requires_approval`` ends the run with an interrupt, and the run that brings
    the user's answer goes on from it. Tools that the client sends along (``data["tools"]``: name, description and
    parameters) are called there. ``deps``, called with the context of each run, makes the agent's dependencies.
    """

    def __init__(self, agent: Any, *, deps: Callable[[SourceContext], Any] | None = None) -> None:
        self._agent = agent
        self._deps = deps
        self._structured_text = type(getattr(agent, "output_type", None)).__name__ in _TEXT_OUTPUTS

    async def __call__(self, messages: Messages, context: SourceContext) -> AsyncIterator[Chunk]:
        answer = Answer(run_id=context.run_id, thread_id=context.thread_id, message_id=context.message_id)
        for chunk in answer.begin():
            yield chunk
        events = AgentEvents(answer, structured_text=self._structured_text)
        options = await asyncio.to_thread(self._options, with_resume(messages, context.resume), context)
        result: Any = None
        try:
            async with self._agent.run_stream_events(**options) as stream:
                async for event in stream:
                    if event.event_kind == "agent_run_result":
                        result = event.result
                        continue
                    for chunk in events.feed(event):
                        yield chunk
        except Exception as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            for chunk in [*answer.text(refusal), *answer.finish("content_filter")]:
                yield chunk
            return
        if result is None:
            raise SourceError("the agent broke off in the middle of its run")
        for chunk in _finish(result, events, answer):
            yield chunk

    def _options(self, messages: Messages, context: SourceContext) -> dict[str, Any]:
        """Return the arguments of the run. It imports pydantic-ai, so it is called in a thread."""
        from pydantic_ai import DeferredToolRequests, DeferredToolResults, ToolDenied

        options: dict[str, Any] = {
            "message_history": to_model_messages(messages, deferred=True),
            "output_type": _with_type(self._agent.output_type, DeferredToolRequests),
            "run_id": context.run_id,
        }
        approvals: dict[str, Any] = {
            call.id: True
            if call.state is CallState.APPROVED
            else ToolDenied(call.reason or "The user denied this call.")
            for call in _answered(messages)
        }
        if approvals:
            options["deferred_tool_results"] = DeferredToolResults(approvals=approvals)
        tools = context.data.get("tools")
        if isinstance(tools, list) and tools:
            options["toolsets"] = [_client_tools(tools)]
        if self._deps is not None:
            options["deps"] = self._deps(context)
        return options


def is_pydantic_agent(value: Any) -> bool:
    """Tell whether a value is a pydantic-ai agent, without importing pydantic-ai."""
    return any(kind.__module__.startswith("pydantic_ai.") for kind in type(value).__mro__) and hasattr(
        value, "run_stream_events"
    )


def with_resume(messages: Messages, resume: Sequence[Mapping[str, Any]]) -> Messages:
    """Return the messages with the user's answers to interrupts in the calls that they are about.

    An answer approves if its payload is true or says ``approved: true``; a cancelled interrupt denies.
    """
    answers = {answer.get("interruptId"): answer for answer in resume if isinstance(answer.get("interruptId"), str)}
    return [_with_answers(message, answers) for message in messages] if answers else messages


def _with_answers(message: Mapping[str, Any], answers: Mapping[Any, Mapping[str, Any]]) -> Mapping[str, Any]:
    parts = message.get("parts")
    if not isinstance(parts, list):
        return message
    return {**message, "parts": [_with_answer(part, answers) for part in parts]}


def _with_answer(part: Any, answers: Mapping[Any, Mapping[str, Any]]) -> Any:
    if not isinstance(part, Mapping) or part.get("type") != "tool-call" or not isinstance(part.get("id"), str):
        return part
    approval = part.get("approval")
    asked = approval.get("id") if isinstance(approval, Mapping) else None
    answer = answers.get(asked if isinstance(asked, str) else approval_id(part["id"]))
    if answer is None:
        return part
    payload = answer.get("payload")
    given = payload if isinstance(payload, Mapping) else {"approved": payload}
    approved = answer.get("status", "resolved") == "resolved" and given.get("approved") is True
    return {**part, "approval": {"approved": approved, "reason": given.get("reason")}}


def _with_type(output_type: Any, more: type) -> list[Any]:
    """Return an agent's output types with one more."""
    types = list(output_type) if isinstance(output_type, (list, tuple)) else [output_type]
    return types if more in types else [*types, more]


def _answered(messages: Messages) -> list[Any]:
    """Return the calls of the last round that the user approved or denied."""
    turns = read_turns(messages)
    last = turns[-1] if turns else None
    if not isinstance(last, Round):
        return []
    return [call for call in last.calls if call.state in (CallState.APPROVED, CallState.DENIED)]


def _client_tools(tools: Sequence[Any]) -> Any:
    from pydantic_ai.tools import ToolDefinition
    from pydantic_ai.toolsets import ExternalToolset

    return ExternalToolset(
        [
            ToolDefinition(
                name=tool["name"],
                description=tool.get("description"),
                parameters_json_schema=tool.get("parameters") or tool.get("inputSchema") or {"type": "object"},
            )
            for tool in tools
            if isinstance(tool, Mapping) and isinstance(tool.get("name"), str)
        ]
    )


def _finish(result: Any, events: AgentEvents, answer: Answer) -> list[Chunk]:
    """Return the chunks that end the run. Raises SourceError if a response of the model was cut off."""
    from pydantic_ai import DeferredToolRequests

    for message in result.new_messages():
        if message.kind == "response" and _is_cut(message):
            raise SourceError(f"{message.provider_name} broke off in the middle of its answer: it has no finish reason")
    reason = result.response.finish_reason
    if reason == "error":
        raise SourceError("the model ended its answer with an error")
    usage = _usage(result)
    if isinstance(result.output, DeferredToolRequests):
        out = events.complete(None)
        asked = interrupts(result.output, events)
        outcome = {"outcome": {"type": "interrupt", "interrupts": asked}} if asked else {}
        return [*out, *answer.finish("tool_calls", usage, **outcome)]
    return [*events.complete(_plain(result.output)), *answer.finish(_REASONS.get(reason, reason or "stop"), usage)]


def _is_cut(response: Any) -> bool:
    """Tell whether a provider gave no finish reason at all. One that pydantic-ai does not know is in its details."""
    details = response.provider_details or {}
    offline = response.provider_name in _OFFLINE or not response.provider_name
    return response.finish_reason is None and not details.get("finish_reason") and not offline


def _refusal(error: Exception) -> str | None:
    """Return the text of a model's refusal, which is an answer, or None for any other error."""
    if type(error).__name__ != "ContentFilterError":
        return None
    return "The model declined to answer."


def _usage(result: Any) -> dict[str, Any]:
    usage = result.usage
    counts: dict[str, Any] = {
        "promptTokens": usage.input_tokens,
        "completionTokens": usage.output_tokens,
        "totalTokens": usage.input_tokens + usage.output_tokens,
    }
    if usage.cache_read_tokens:
        counts["promptTokensDetails"] = {"cachedTokens": usage.cache_read_tokens}
    return counts


def _plain(output: Any) -> Any:
    """Return a structured output as plain JSON."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(output, by_alias=True)
