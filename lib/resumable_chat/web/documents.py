"""The routes' part of an OpenAPI document. ``requests`` does the reading: it takes what no JSON schema can describe."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of a message; other types than text carry their own fields."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["text"])
    content: Any = Field(default=None, examples=["Hello"])


class Message(BaseModel):
    """A UIMessage. AG-UI rows with ``content`` instead of ``parts`` are taken as well."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1)
    role: str = Field(examples=["user"])
    parts: list[Part]


class SendBody(BaseModel):
    """A send: the chat, and the list of messages that ends with the one to be answered."""

    id: str = Field(description="The chat.", examples=["chat-7"])
    messages: list[Message] = Field(min_length=1)
    runId: str | None = Field(default=None, description="Idempotency key: the same send twice runs once.")  # noqa: N815
    data: dict[str, Any] | None = Field(default=None, description="Passed to the model as `context.data`.")
    from_: int | None = Field(default=None, alias="from", ge=0, description="The id of the last event received.")
    parentRunId: str | None = Field(default=None, description="The run that this one continues.")  # noqa: N815
    resume: list[Any] | dict[str, Any] | None = Field(
        default=None, description="Answers to the interrupts of that run."
    )
    tools: list[Any] | None = Field(default=None, description="The tools that the client offers to the model.")


class Problem(BaseModel):
    """An error. ``detail`` says what to change."""

    detail: str = Field(examples=["messages[0].parts[1].id: must be a string"])


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """Return the model's schema without references, so that it can stand inside a route."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolve(definitions[node["$ref"].rpartition("/")[2]])
        return {key: resolve(value) for key, value in node.items()}

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def parameter(name: str, place: str, description: str, *, required: bool = False) -> dict[str, Any]:
    """Return the description of a string in a route's query, header or path."""
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


SEND_BODY: Final = {"required": True, "content": {"application/json": {"schema": _inlined(SendBody)}}}

REPLAY_PARAMETERS: Final = [
    parameter("id", "query", "The chat.", required=True),
    parameter("from", "query", "The id of the last event received: only what came after it is sent."),
    parameter("Last-Event-ID", "header", "The same as `from`; it wins."),
]

STOP_PARAMETERS: Final = [
    parameter("id", "query", "The chat.", required=True),
    parameter("runId", "query", "The run to stop; without it, whichever runs."),
]

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "The request is malformed; `detail` names the field."},
    401: {"model": Problem, "description": "The caller is not authenticated."},
    409: {"model": Problem, "description": "An answer is being written in this chat; `Retry-After` says when to ask."},
    422: {"model": Problem, "description": "The `runId` was sent before with another message."},
    503: {"model": Problem, "description": "The log cannot be reached; nothing was lost."},
}
