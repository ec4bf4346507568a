"""Halves of surrogate pairs, which JavaScript and some model servers let through and UTF-8 cannot carry."""

from __future__ import annotations

from typing import Final

REPLACEMENT: Final = "\ufffd"


def repair(text: str) -> str:
    """Return the text with adjacent halves joined and lone ones replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class SurrogateJoiner:
    """Joins characters that are cut in half between two deltas. Holds back at most one half."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, delta: str) -> str:
        """Return what can be passed on now, which may be ``""``."""
        if not self._held and delta.isascii():
            return delta
        text, self._held = self._held + delta, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return repair(text)

    def end(self) -> str:
        """Return a replacement character if a half is left over, else ``""``."""
        left, self._held = self._held, ""
        return REPLACEMENT if left else ""
