"""The events in a response's body, whatever its content type claims to be: a stream, one JSON value, or a web page."""

from __future__ import annotations

from ..errors import SourceError
from ..sse import MAX_EVENT_BYTES, Event, EventTooLarge, SseDecoder
from .json_values import parse

_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_MAX_BLANK = 64 * 1024
"""Bytes of white space to read before the first character decides what the body is."""


class Body:
    """Decodes one body. ``is_json`` says, at its end, that it was one whole answer, not a stream."""

    def __init__(self) -> None:
        self.is_json = False
        self._sse = SseDecoder()
        self._head = b""
        self._sniffed = False
        self._json: list[bytes] | None = None
        self._json_size = 0

    @property
    def stray(self) -> str:
        """The lines that were no events."""
        return self._sse.stray.decode("utf-8", "replace").strip()

    def feed(self, received: bytes) -> list[Event]:
        """Return the events that these bytes complete. Raises SourceError for HTML and for an event without end."""
        if not self._sniffed:
            self._head += received
            start = self._head.removeprefix(_BOM).lstrip(_BLANK)[:1]
            if (not start or _BOM.startswith(self._head)) and len(self._head) < _MAX_BLANK:
                return []
            received, self._head = self._head, b""
            self._sniffed = True
            if start == b"<":
                raise SourceError("the answer is HTML, not a stream: is the base URL right?")
            if start in (b"{", b"["):
                self._json = []
        if self._json is not None:
            self._json.append(received)
            self._json_size += len(received)
            if self._json_size > MAX_EVENT_BYTES:
                raise SourceError(f"the model's server sent a JSON body of over {MAX_EVENT_BYTES:,} bytes")
            return []
        try:
            return self._sse.feed(received)
        except EventTooLarge as error:
            raise SourceError(f"the model's server sent too much at once: {error}") from None

    def end(self) -> list[Event]:
        """Return the events that the end of the body completes."""
        if self._json is None:
            return self._sse.end()
        whole = b"".join(self._json).removeprefix(_BOM)
        if _is_json(whole):
            self.is_json = True
            return [Event("message", whole)]
        lines = [line for line in whole.splitlines() if line.strip()]
        return [Event("message", line) for line in lines]


def _is_json(text: bytes) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
