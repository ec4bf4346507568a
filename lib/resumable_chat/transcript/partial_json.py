"""The value that an unfinished JSON text stands for so far, with every kind of value allowed to be unfinished.

The results are those of the npm package partial-json 0.1.7, which the browser uses for structured output.
"""

from __future__ import annotations

from typing import Any, Final

from .js import WHITESPACE, NotJson, parse_json

_LITERALS: Final = (
    ("null", None, 1),
    ("true", True, 1),
    ("false", False, 1),
    ("Infinity", None, 1),
    ("-Infinity", None, 2),
    ("NaN", None, 1),
)
"""Text, value (what JSON has no word for becomes null), and how many characters of it are enough at the end."""

_DEPTH: Final = 500


def parse_partial(text: str) -> Any:
    """The value so far. Raises NotJson when there is none."""
    trimmed = text.strip(WHITESPACE)
    if not trimmed:
        raise NotJson("empty")
    return _Parser(trimmed).value(0)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def value(self, depth: int) -> Any:
        self.skip()
        text = self.text
        if self.at >= len(text) or depth > _DEPTH:
            raise NotJson("unexpected end")
        first = text[self.at]
        if first == '"':
            return self.string()
        if first == "{":
            return self.object(depth)
        if first == "[":
            return self.array(depth)
        for literal, value, least in _LITERALS:
            rest = len(text) - self.at
            if text.startswith(literal, self.at):
                self.at += len(literal)
                return value
            if least <= rest < len(literal) and literal.startswith(text[self.at :]):
                self.at = len(text)
                return value
        return self.number()

    def skip(self) -> None:
        text, length = self.text, len(self.text)
        while self.at < length and text[self.at] in " \n\r\t":
            self.at += 1

    def string(self) -> Any:
        text, start = self.text, self.at
        escaped = False
        self.at += 1
        while self.at < len(text) and (text[self.at] != '"' or escaped):
            escaped = not escaped if text[self.at] == "\\" else False
            self.at += 1
        if self.at < len(text):
            self.at += 1
            return parse_json(text[start : self.at])
        end = self.at - (1 if escaped else 0)
        try:
            return parse_json(text[start:end] + '"')
        except NotJson:
            return parse_json(text[start : max(start, text.rfind("\\"))] + '"')

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.at += 1
        self.skip()
        try:
            while self.at >= len(self.text) or self.text[self.at] != "}":
                self.skip()
                if self.at >= len(self.text):
                    return found
                key = self.string()
                self.skip()
                self.at += 1
                try:
                    value = self.value(depth + 1)
                except NotJson:
                    return found
                if key != "__proto__":
                    found[key] = value
                self.skip()
                if self.at < len(self.text) and self.text[self.at] == ",":
                    self.at += 1
        except NotJson:
            return found
        self.at += 1
        return found

    def array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        try:
            while self.at >= len(self.text) or self.text[self.at] != "]":
                found.append(self.value(depth + 1))
                self.skip()
                if self.at < len(self.text) and self.text[self.at] == ",":
                    self.at += 1
        except NotJson:
            return found
        self.at += 1
        return found

    def number(self) -> Any:
        text, start = self.text, self.at
        if start == 0:
            if text == "-":
                raise NotJson("a sign alone")
            try:
                value = parse_json(text)
            except NotJson:
                value = parse_json(text[: max(0, text.rfind("e"))])
            self.at = len(text)
            return value
        while self.at < len(text) and text[self.at] not in ",]}":
            self.at += 1
        try:
            return parse_json(text[start : self.at])
        except NotJson:
            low, high = sorted((start, max(0, text.rfind("e"))))
            return parse_json(text[low:high])
