"""A decoder of server-sent events with a bound, pure: bytes in, events out.

It follows https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, with three
deliberate differences for model servers, which do not keep to it:

* ``end`` returns an event that was not closed by a blank line, because some servers leave out the last one.
* A line ``error: …`` is an event of the type "error" (llama.cpp writes its failures so).
* Other lines without a known field are kept in ``stray``, to be quoted when the stream turns out to be unusable.

``id`` and ``retry`` are ignored: an answer cannot be resumed at its server.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
_MAX_STRAY_BYTES: Final = 4096
_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its type, "message" unless the server named one, and its data, UTF-8 as it came."""

    type: str
    data: bytes


class EventTooLarge(ValueError):
    """An event, or a line, is over MAX_EVENT_BYTES."""


class SseDecoder:
    """Decodes one stream. Keeps at most one event and one line, MAX_EVENT_BYTES together."""

    def __init__(self) -> None:
        self.stray = b""
        self._line: list[bytes] = []
        self._line_size = 0
        self._after_cr = False
        self._at_start = True
        self._data: list[bytes] = []
        self._data_size = 0
        self._type = ""

    def feed(self, received: bytes) -> list[Event]:
        """Return the events that these bytes complete. Raises EventTooLarge."""
        if self._after_cr and received:
            self._after_cr = False
            if received[0] == 0x0A:
                received = received[1:]
        self._line.append(received)
        self._line_size += len(received)
        out: list[Event] = []
        if b"\n" in received or b"\r" in received:
            joined = self._joined_line()
            lines = joined.splitlines()
            last = joined[-1:]
            self._after_cr = last == b"\r"
            if last != b"\n" and last != b"\r":
                self._line_size = len(lines[-1])
                self._line.append(lines.pop())
            for line in lines:
                self._take(line, out)
        if self._line_size + self._data_size > MAX_EVENT_BYTES:
            raise EventTooLarge(f"an event is over {MAX_EVENT_BYTES:,} bytes")
        return out

    def end(self) -> list[Event]:
        """Return the event that the end of the stream completes, if any."""
        out: list[Event] = []
        line = self._joined_line()
        if line:
            self._take(line, out)
        self._take(b"", out)
        return out

    def _joined_line(self) -> bytes:
        """Take the received pieces of the current line, and what follows it, without the mark at the very start."""
        joined = b"".join(self._line)
        self._line.clear()
        self._line_size = 0
        if self._at_start:
            self._at_start = False
            return joined.removeprefix(_BOM)
        return joined

    def _take(self, line: bytes, out: list[Event]) -> None:
        if not line:
            if self._data:
                out.append(Event(self._type or "message", b"\n".join(self._data)))
                self._data = []
                self._data_size = 0
            self._type = ""
            return
        field, colon, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            self._data.append(value)
            self._data_size += len(value) + 1
        elif field == b"event":
            self._type = value.decode("utf-8", "replace")
        elif field == b"error" and colon:
            out.append(Event("error", value))
        elif field and field not in (b"id", b"retry") and len(self.stray) < _MAX_STRAY_BYTES:
            self.stray += line[:_MAX_STRAY_BYTES] + b"\n"
