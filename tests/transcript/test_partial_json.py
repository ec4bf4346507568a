"""Unfinished JSON has the value that partial-json gives it, and no text exhausts the stack."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.protocol.json_text import MAX_VALUE_DEPTH, NotJson, deeper_than, dumps, loads
from resumable_chat.transcript.partial_json import parse_partial

from ..values import JSON


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a', {}),
        ('{"a":', {}),
        ('{"a":1', {"a": 1}),
        ('{"a":tru', {"a": True}),
        ('{"a":"b\\', {"a": "b"}),
        ('{"a":"b\\u00', {"a": "b"}),
        ("[1,2.5,-", [1, 2.5]),
        ("[1,[2,{}", [1, [2, {}]]),
        ('["x', ["x"]),
        ('{"a":[1}', {"a": [1]}),
        ('{"a":1} and more', {"a": 1}),
        ('{"__proto__":1,"b":2', {"b": 2}),
        ("nu", None),
        ("12", 12),
        ('{"a"😀1}', {}),  # Half of the character is taken for the colon, and the other half is no value.
        (" \ufeff[1", [1]),
    ],
)
def test_the_value_so_far(text: str, value: Any) -> None:
    """Every kind of value may be unfinished."""
    assert parse_partial(text) == value


@pytest.mark.parametrize("text", ["", " ", "-", "x", "}"])
def test_some_texts_have_no_value(text: str) -> None:
    """The value before them stays."""
    with pytest.raises(NotJson):
        parse_partial(text)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_nesting_is_bounded(opening: str) -> None:
    """Up to the limit there is a value, beyond it none, however long the text."""
    levels = opening.count("[") + opening.count("{")
    assert not deeper_than(MAX_VALUE_DEPTH, parse_partial(opening * (MAX_VALUE_DEPTH // levels)))
    for times in (MAX_VALUE_DEPTH // levels + 1, 100_000):
        with pytest.raises(NotJson, match="nested"):
            parse_partial(opening * times)


@given(JSON)
def test_whole_json_has_its_value(value: Any) -> None:
    """As long as no number stands alone, which partial-json reads to the end of the text."""
    text = dumps([value]).decode()
    assert dumps(parse_partial(text)) == dumps(loads(text))


@given(st.text('[]{}",:\\ 1e-tnINu\ud83d😀', max_size=40))
def test_any_text_has_a_value_or_none(text: str) -> None:
    """Nothing but NotJson is raised."""
    try:
        dumps(parse_partial(text))
    except NotJson:
        pass
