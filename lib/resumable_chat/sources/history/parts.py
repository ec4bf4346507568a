"""Pieces of a user's message, or of a tool's result: text, and attachments with their data or URL."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..surrogates import repair

MEDIA: Final = ("image", "audio", "video", "document")

_MIME_TYPES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/mpeg3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-mp3": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-pn-wav": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "application/x-pdf": "application/pdf",
}
_TEXTUAL: Final = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript"}
)
_DEFAULT_TYPES: Final = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image, a sound, a video or a document: ``data`` is base64, or else ``url`` says where it is."""

    kind: str
    mime: str
    data: str | None = None
    url: str | None = None
    name: str | None = None

    def decoded(self) -> bytes | None:
        """Return the bytes of inline data, or None for a URL or for broken base64."""
        if self.data is None:
            return None
        try:
            return base64.b64decode("".join(self.data.split()), validate=True)
        except (binascii.Error, ValueError):
            return None

    def as_text(self) -> str | None:
        """Return the text of an inline text document, or None for anything else."""
        if not (self.mime.startswith("text/") or self.mime in _TEXTUAL):
            return None
        data = self.decoded()
        return None if data is None else repair(data.decode("utf-8", "replace"))

    def note(self) -> str:
        """Return the text that stands for this where a model cannot take it."""
        what = f"{self.kind} {self.name!r}" if self.name else self.kind
        where = f" at {self.url}" if self.url else ""
        return f"[{what} ({self.mime}){where}: this model cannot read it]"


Part = Text | Attachment


def read_parts(message: Mapping[str, Any]) -> list[Part]:
    """Return the text and the attachments of a message, from its ``parts`` or else its ``content``."""
    parts = message.get("parts")
    return read_content(parts if isinstance(parts, list) else message.get("content"))


def read_content(content: Any) -> list[Part]:
    """Return the pieces of a content: a string, or a list of parts. Adjacent texts stay apart; empty ones go."""
    if isinstance(content, str):
        return [Text(repair(content))] if content else []
    if not isinstance(content, list):
        return []
    found = (_read(part) for part in content)
    return [part for part in found if part is not None]


def plain_text(parts: Iterable[Part]) -> str:
    """Return all parts as one text, with a note for each attachment that is not text."""
    return "".join(part.text if isinstance(part, Text) else (part.as_text() or part.note()) for part in parts)


def _read(part: Any) -> Part | None:
    if isinstance(part, str):
        return Text(repair(part)) if part else None
    if not isinstance(part, Mapping):
        return None
    kind = part.get("type")
    if kind == "text":
        text = part.get("content", part.get("text"))
        return Text(repair(text)) if isinstance(text, str) and text else None
    if kind in MEDIA:
        return _attachment(kind, part)
    if kind == "binary":  # AG-UI before 1.0
        mime = str(part.get("mimeType") or "application/octet-stream")
        kind = mime.partition("/")[0]
        source = {"type": "data" if part.get("data") else "url", "value": part.get("data") or part.get("url")}
        named = {"source": {**source, "mimeType": mime}, "metadata": {"filename": part.get("filename")}}
        return _attachment(kind if kind in MEDIA else "document", named)
    return None


def _attachment(kind: str, part: Mapping[str, Any]) -> Attachment | None:
    source = part.get("source")
    if not isinstance(source, Mapping):
        return None
    value = source.get("value", source.get("data", source.get("url")))
    mime = source.get("mimeType") or part.get("mimeType")
    name = _name(part)
    if not isinstance(value, str) or not value:
        return Attachment(kind, _mime(mime, kind), name=name) if source.get("type") == "file" else None
    value = repair(value)
    if value[:5].lower() == "data:":
        head, comma, data = value[5:].partition(",")
        if comma and head.lower().endswith(";base64"):
            return Attachment(kind, _mime(mime or head[:-7], kind), data=data, name=name)
    if source.get("type") == "data":
        return Attachment(kind, _mime(mime, kind), data=value, name=name)
    return Attachment(kind, _mime(mime, kind), url=value, name=name)


def _mime(mime: Any, kind: str) -> str:
    """Return a media type without parameters, under its usual name."""
    given = mime.partition(";")[0].strip().lower() if isinstance(mime, str) else ""
    return _MIME_TYPES.get(given, given) or _DEFAULT_TYPES.get(kind, "application/octet-stream")


def _name(part: Mapping[str, Any]) -> str | None:
    metadata = part.get("metadata")
    for holder in (part, metadata if isinstance(metadata, Mapping) else {}):
        for key in ("filename", "fileName", "name", "title"):
            if isinstance(holder.get(key), str) and holder[key]:
                return repair(holder[key])[:200]
    return None
