"""JSON is read and written as JavaScript does, whatever the value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.protocol.json_text import (
    MAX_DEPTH,
    NotJson,
    deeper_than,
    dumps,
    join_surrogates,
    loads,
    number,
    stringify,
    well_formed,
)

from ..values import ANY, JSON, nested


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5.0, "5"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (-123.456, "-123.456"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (-1.5e-10, "-1.5e-10"),
        (5e-324, "5e-324"),
        (1e16, "10000000000000000"),
        (1.2345678901234568e20, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (2**53 + 1, "9007199254740992"),
        (2**64, "18446744073709552000"),
        (10**400, "null"),
        (float("inf"), "null"),
        (float("nan"), "null"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(value: float, text: str) -> None:
    """Whole doubles have no point, exponents begin where JavaScript's do, and what is not finite is null."""
    assert number(value) == text


def test_keys_are_in_the_order_of_javascript() -> None:
    """Keys that are array indices come first, in ascending order; the others keep theirs."""
    value = {"a": 5.0, "b": 1e-7, "2": 1, "01": 2, "10": 3, "-1": 4, "4294967294": 5, "4294967295": 6}
    assert stringify(value) == '{"2":1,"10":3,"4294967294":5,"a":5,"b":1e-7,"01":2,"-1":4,"4294967295":6}'


def test_strings_are_written_as_javascript_writes_them() -> None:
    """Control characters have the short escapes, half a character is escaped, and halves that meet are one."""
    assert stringify('\b\x1f"\\\x7fé\u2028') == '"\\b\\u001f\\"\\\\\x7fé\u2028"'
    assert stringify("a\ud83d") == '"a\\ud83d"'
    assert stringify("\ud83d\ude00") == '"😀"'


@given(ANY)
def test_any_json_value_can_be_written_and_read(value: Any) -> None:
    """Writing never fails, the text is strict UTF-8, and reading it gives what writes the same text again."""
    body = dumps(value)
    assert body.decode("utf-8")
    if deeper_than(MAX_DEPTH, value):
        with pytest.raises(NotJson):
            loads(body)
    else:
        assert stringify(loads(body)) == stringify(value)


@given(JSON)
def test_both_ways_of_writing_say_the_same(value: Any) -> None:
    """What orjson writes has the value of what the slow way writes."""
    assert stringify(loads(dumps(value))) == stringify(loads(stringify(value)))


@pytest.mark.parametrize("value", [{1, 2}, object(), [b"x"], {(1,): 2}])
def test_what_is_not_json_is_refused(value: object) -> None:
    """A value of another type is an error of the caller."""
    with pytest.raises(TypeError):
        dumps(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    """Writing it would never end."""
    value: list[Any] = []
    value.append([value])
    with pytest.raises(ValueError, match="itself"):
        dumps(value)


@pytest.mark.parametrize(
    "text", ["", " ", "NaN", "[Infinity]", "-Infinity", "{", "[1,]", "'a'", "\ufeff1", "1 2", "],["]
)
def test_what_javascript_cannot_parse_is_refused(text: str) -> None:
    """As text and as bytes, small and large."""
    for padding in ("", " " * 100_000):
        with pytest.raises(NotJson):
            loads(text + padding)
        with pytest.raises(NotJson):
            loads((text + padding).encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1e999,-1e999]", [None, None]),
        ("18446744073709551615", 2**64 - 1),
        ("[18446744073709551616,1e999]", [2.0**64, None]),
        ("1" * 5000, None),
        ('"\\ud83d"', "\ud83d"),
        ('"\\ud83d\\ude00"', "😀"),
        ('{"a":1,"a":2}', {"a": 2}),
        (" [1.5]\n", [1.5]),
    ],
)
def test_what_javascript_can_parse_is_read(text: str, value: Any) -> None:
    """Huge numbers become doubles, or null where they are infinite; half a character stays half a character."""
    assert loads(text) == value
    assert loads(text.encode()) == value


@pytest.mark.parametrize("padding", ["", '"' + "x" * 100_000 + '",', '"\\ud83d",'])
@pytest.mark.parametrize("limit", [3, 180, 200])
def test_nesting_is_read_up_to_the_limit(padding: str, limit: int) -> None:
    """The limit is exact in small texts, in large ones, and in those that orjson cannot read."""
    text = f"[{padding}{'[' * (limit - 1)}{']' * limit}"
    assert isinstance(loads(text, limit), list)
    for deeper in (f"[{text}]", f"[{'[' * 100_000}{text}{']' * 100_001}"):
        with pytest.raises(NotJson, match="nested"):
            loads(deeper, limit)


@pytest.mark.parametrize("levels", [1, 2, 50])
def test_depth_is_counted_in_lists_and_objects(levels: int) -> None:
    """A list without content is one level."""
    assert not deeper_than(levels, nested(levels))
    assert deeper_than(levels - 1, {"a": nested(levels)}["a"])
    assert not deeper_than(0, "text")


@given(st.text(st.characters(exclude_categories=())))
def test_joined_halves_are_those_of_javascript(text: str) -> None:
    """Joining changes no UTF-16 unit, and leaves no pair apart."""
    joined = join_surrogates(text)
    assert joined.encode("utf-16-le", "surrogatepass") == text.encode("utf-16-le", "surrogatepass")
    assert join_surrogates(joined) == joined


@given(ANY.filter(lambda value: not deeper_than(300, value)))
def test_what_leaves_for_a_model_can_be_encoded(value: Any) -> None:
    """Every client library can send it as UTF-8; whole characters stay as they are."""
    json.dumps(well_formed(value), ensure_ascii=False).encode("utf-8")
    assert well_formed({"😀": ["half \ud83d", "\ude00"]}) == {"😀": ["half \ufffd", "\ufffd"]}
