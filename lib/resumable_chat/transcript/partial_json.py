"""The value that an unfinished JSON text stands for so far; every kind of value may be unfinished.

The results are those of the npm package partial-json 0.1.7, which the browser uses for structured output. Nested
values are kept on a list of our own, so that no text can exhaust Python's stack.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ..protocol.json_text import MAX_VALUE_DEPTH, NotJson, join_surrogates, loads
from .js import WHITESPACE

_LITERALS: Final = (
    ("null", None, 1),
    ("true", True, 1),
    ("false", False, 1),
    ("Infinity", None, 1),
    ("-Infinity", None, 2),
    ("NaN", None, 1),
)
"""Text, value (null for what JSON has no word for), and how many characters of it are enough at the end."""

_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")

_Container = dict[str, Any] | list[Any]


def parse_partial(text: str) -> Any:
    """Return the value so far. Raises NotJson if there is none, or if it is nested deeper than MAX_VALUE_DEPTH."""
    trimmed = text.strip(WHITESPACE)
    if not trimmed:
        raise NotJson("it is empty")
    # The original counts in UTF-16, and so may take half of a character for the colon.
    return _Parser(_ASTRAL.sub(_split, trimmed)).parse()


def _split(astral: re.Match[str]) -> str:
    """Return the surrogate pair of a character beyond 16 bits."""
    offset = ord(astral[0]) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


class _Parser:
    """Reads one text from left to right. ``at`` is the position of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def parse(self) -> Any:
        whole, is_open = self.begin_value()
        # The containers that are not closed yet, the innermost last.
        stack: list[_Container] = [whole] if is_open else []
        while stack:
            container = stack[-1]
            value: Any = None
            is_open = False
            try:
                more, key = self.next_member(container)
                if more:
                    value, is_open = self.begin_value()
            except NotJson:
                more, key = False, ""
            if not more:
                stack.pop()
                self.skip_comma()
                continue
            if isinstance(container, list):
                container.append(value)
            elif key != "__proto__":
                container[key] = value
            if not is_open:
                self.skip_comma()
            elif len(stack) == MAX_VALUE_DEPTH:
                raise NotJson(f"it is nested deeper than {MAX_VALUE_DEPTH} levels")
            else:
                stack.append(value)
        return whole

    def begin_value(self) -> tuple[Any, bool]:
        """Read a string, number or literal, or the beginning of a container; return it, and whether it is open."""
        self.skip_blanks()
        text = self.text
        if self.at >= len(text):
            raise NotJson("the text ends")
        first = text[self.at]
        if first == '"':
            return self.string(), False
        if first == "{":
            self.at += 1
            self.skip_blanks()
            return {}, True
        if first == "[":
            self.at += 1
            return [], True
        for literal, value, least in _LITERALS:
            rest = len(text) - self.at
            if text.startswith(literal, self.at):
                self.at += len(literal)
                return value, False
            if least <= rest < len(literal) and literal.startswith(text[self.at :]):
                self.at = len(text)
                return value, False
        return self.number(), False

    def next_member(self, container: _Container) -> tuple[bool, str]:
        """Go to the container's next value: return whether there may be one, and its key in an object."""
        is_list = isinstance(container, list)
        if self.at < len(self.text) and self.text[self.at] == ("]" if is_list else "}"):
            self.at += 1
            return False, ""
        if is_list:
            return True, ""
        self.skip_blanks()
        if self.at >= len(self.text):
            return False, ""
        key = self.string()
        self.skip_blanks()
        self.at += 1
        return True, key

    def loads(self, text: str) -> Any:
        return loads(join_surrogates(text))

    def skip_blanks(self) -> None:
        text, length = self.text, len(self.text)
        while self.at < length and text[self.at] in " \n\r\t":
            self.at += 1

    def skip_comma(self) -> None:
        self.skip_blanks()
        if self.at < len(self.text) and self.text[self.at] == ",":
            self.at += 1

    def string(self) -> Any:
        """Read a string. The original does not check that it begins with a quote."""
        text, start = self.text, self.at
        escaped = False
        self.at += 1
        while self.at < len(text) and (text[self.at] != '"' or escaped):
            escaped = not escaped if text[self.at] == "\\" else False
            self.at += 1
        if self.at < len(text):
            self.at += 1
            return self.loads(text[start : self.at])
        end = self.at - (1 if escaped else 0)
        try:
            return self.loads(text[start:end] + '"')
        except NotJson:
            return self.loads(text[start : max(start, text.rfind("\\"))] + '"')

    def number(self) -> Any:
        """Read a number, or fail on whatever else stands here."""
        text, start = self.text, self.at
        if start == 0:
            if text == "-":
                raise NotJson("it is a sign alone")
            try:
                value = self.loads(text)
            except NotJson:
                value = self.loads(text[: max(0, text.rfind("e"))])
            self.at = len(text)
            return value
        while self.at < len(text) and text[self.at] not in ",]}":
            self.at += 1
        try:
            return self.loads(text[start : self.at])
        except NotJson:
            low, high = sorted((start, max(0, text.rfind("e"))))
            return self.loads(text[low:high])
