"""A strict reader of UI message streams: what ai 6 and 7 both take, and the message that they make of it.

It is shorter than the original, and refuses what either version would throw at. tests/clients/ai_sdk holds the same
streams against the published packages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

UIChunk = dict[str, Any]

_STRINGS: dict[str, tuple[str, ...]] = {
    "start": (),
    "start-step": (),
    "finish-step": (),
    "finish": (),
    "abort": (),
    "error": ("errorText",),
    "message-metadata": (),
    "text-start": ("id",),
    "text-delta": ("id", "delta"),
    "text-end": ("id",),
    "reasoning-start": ("id",),
    "reasoning-delta": ("id", "delta"),
    "reasoning-end": ("id",),
    "tool-input-start": ("toolCallId", "toolName"),
    "tool-input-delta": ("toolCallId", "inputTextDelta"),
    "tool-input-available": ("toolCallId", "toolName"),
    "tool-input-error": ("toolCallId", "toolName", "errorText"),
    "tool-approval-request": ("toolCallId", "approvalId"),
    "tool-output-available": ("toolCallId",),
    "tool-output-error": ("toolCallId", "errorText"),
    "tool-output-denied": ("toolCallId",),
    "file": ("url", "mediaType"),
    "source-url": ("sourceId", "url"),
    "source-document": ("sourceId", "mediaType", "title"),
}
_REASONS = {"stop", "length", "content-filter", "tool-calls", "error", "other"}


class Refused(AssertionError):
    """The client would throw at this chunk."""


class Reader:
    """Builds one message. ``message`` is the one that the client adds to; a ``start`` begins anew if it ``resumes``."""

    def __init__(self, message: dict[str, Any] | None = None, *, resumes: bool = False) -> None:
        self.message: dict[str, Any] = message or {"id": "made-up", "role": "assistant", "parts": []}
        self.shown = message is not None
        self.ended: str | None = None
        self.error: str | None = None
        self.told: list[UIChunk] = []
        self._resumes = resumes
        self._open: dict[tuple[str, str], dict[str, Any]] = {}
        self._inputs: dict[str, str] = {}

    def read(self, chunks: Iterable[UIChunk]) -> Reader:
        for chunk in chunks:
            if self.ended is not None:
                raise Refused(f"{chunk} after the end")
            self._take(chunk)
        return self

    def _take(self, chunk: UIChunk) -> None:
        kind = chunk["type"]
        if kind not in _STRINGS and not kind.startswith("data-"):
            raise Refused(f"unknown type {kind}")
        for name in _STRINGS.get(kind, ()):
            if not isinstance(chunk.get(name), str):
                raise Refused(f"{name} of {chunk}")
        if kind == "start":
            if self._resumes:
                self.message = {"id": chunk["messageId"], "role": "assistant", "parts": []}
                self._resumes = False
            if self.shown and chunk["messageId"] != self.message["id"]:
                raise Refused("the message would be shown twice")
            self.message["id"] = chunk["messageId"]
            self.shown = True
        if kind in ("start", "finish", "message-metadata") and chunk.get("messageMetadata") is not None:
            self.message["metadata"] = {**self.message.get("metadata", {}), **chunk["messageMetadata"]}
            self.shown = True
        if kind == "start-step":
            self.message["parts"].append({"type": "step-start"})
        elif kind == "finish-step":
            if self._open:
                raise Refused("a step ends while a part is open")
        elif kind in ("finish", "abort", "error"):
            if self._open or any(part.get("state") == "input-streaming" for part in self.message["parts"]):
                raise Refused(f"{kind} while a part is open")
            self.ended = kind
            self.error = chunk.get("errorText")
            if kind == "finish" and chunk["finishReason"] not in _REASONS:
                raise Refused(f"reason {chunk['finishReason']}")
        elif kind.startswith(("text-", "reasoning-")):
            self._text(kind, chunk)
        elif kind.startswith("tool-"):
            self._tool(kind, chunk)
        elif kind.startswith("data-") and chunk.get("transient"):
            self.told.append(chunk)
        elif kind in ("file", "source-url", "source-document") or kind.startswith("data-"):
            self._add(dict(chunk))

    def _add(self, part: dict[str, Any]) -> None:
        self.message["parts"].append(part)
        self.shown = True

    def _text(self, kind: str, chunk: UIChunk) -> None:
        name, _, what = kind.partition("-")
        key = (name, chunk["id"])
        if what == "start":
            self._open[key] = {"type": name, "text": "", "state": "streaming"}
            self._add(self._open[key])
        elif key not in self._open:
            raise Refused(f"{kind} without its start")
        elif what == "delta":
            self._open[key]["text"] += chunk["delta"]
        else:
            part = self._open.pop(key)
            part["state"] = "done"
            if "providerMetadata" in chunk:
                part["providerMetadata"] = chunk["providerMetadata"]

    def _step(self) -> list[dict[str, Any]]:
        parts = self.message["parts"]
        steps = [at for at, part in enumerate(parts) if part["type"] == "step-start"]
        return list(parts[steps[-1] + 1 :] if steps else parts)

    def _tool(self, kind: str, chunk: UIChunk) -> None:
        call_id = chunk["toolCallId"]
        mine = [part for part in self._step() if part.get("toolCallId") == call_id]
        if kind.startswith("tool-input"):
            if kind == "tool-input-delta":
                if call_id not in self._inputs:
                    raise Refused("a delta without its call")
                self._inputs[call_id] += chunk["inputTextDelta"]
            if kind == "tool-input-start":
                self._inputs[call_id] = ""
            if not mine:
                if kind == "tool-input-delta":
                    raise Refused("a call that goes on in another step is shown twice")
                part = {"type": "dynamic-tool", "toolCallId": call_id}
                self._add(part)
                mine = [part]
            state = {"start": "input-streaming", "delta": "input-streaming", "available": "input-available"}
            mine[0]["state"] = state.get(kind.removeprefix("tool-input-"), "output-error")
            self._keep(mine[0], chunk, "toolName", "input", "errorText", "providerExecuted")
            if "providerMetadata" in chunk:
                mine[0]["callProviderMetadata"] = chunk["providerMetadata"]
            return
        known = mine or [part for part in self.message["parts"] if part.get("toolCallId") == call_id][::-1]
        if not known:
            raise Refused(f"{kind} without its call")
        if kind == "tool-approval-request":
            known[0] |= {"state": "approval-requested", "approval": {"id": chunk["approvalId"]}}
        else:
            known[0]["state"] = kind.removeprefix("tool-")
            known[0].pop("errorText", None)
            self._keep(known[0], chunk, "output", "errorText", "providerExecuted")

    def _keep(self, part: dict[str, Any], chunk: UIChunk, *names: str) -> None:
        part.update({name: chunk[name] for name in names if name in chunk})


def chunks_in(sent: bytes) -> list[UIChunk]:
    """The UI chunks of a body, which has to end with ``[DONE]`` if it ended the answer."""
    lines = [line[6:] for line in sent.decode().split("\n") if line.startswith("data: ")]
    found = [json.loads(line) for line in lines if line != "[DONE]"]
    ends = [chunk for chunk in found if chunk["type"] in ("finish", "abort", "error")]
    assert bool(ends) == sent.endswith(b"data: [DONE]\n\n")
    return found
