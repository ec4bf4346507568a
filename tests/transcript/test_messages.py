"""The list of messages keeps its indexes, whatever is done to it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from resumable_chat.transcript.messages import MessageList

IDS = st.sampled_from(["a", "b", "c", "d", "e"])


def message(message_id: str, *calls: Any) -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": [{"type": "tool-call", "id": call} for call in calls]}


MESSAGES = st.builds(message, IDS, st.sampled_from(["x", "y", None, {}]))

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), MESSAGES),
        st.tuples(st.just("insert_after"), st.none() | IDS, MESSAGES),
        st.tuples(st.just("replace"), MESSAGES),
        st.tuples(st.just("cut_after"), st.none() | IDS),
        st.tuples(st.just("remove"), IDS),
        st.tuples(st.just("rename"), IDS, IDS),
    ),
    max_size=20,
)


def place(model: list[dict[str, Any]], message_id: str | None) -> int | None:
    if message_id is None:
        return 0
    return next((at + 1 for at, known in enumerate(model) if known["id"] == message_id), None)


def apply(model: list[dict[str, Any]], name: str, *given: Any) -> Any:
    """Do to a plain list what the operation says; return what it returns."""
    if name == "append":
        model.append(given[0])
    elif name == "remove":
        model[:] = [known for known in model if known["id"] != given[0]]
    elif name == "rename":
        for known in model:
            if known["id"] == given[0]:
                known["id"] = given[1]
    else:
        at = place(model, given[0]["id"] if name == "replace" else given[0])
        if at is None:
            return False
        if name == "insert_after":
            model.insert(at, given[1])
        elif name == "replace":
            model[at - 1] = given[0]
        else:
            cut = len(model) > at
            del model[at:]
            return cut
        return True
    return None


@given(OPERATIONS)
def test_the_list_and_its_indexes_agree(operations: list[Any]) -> None:
    """After each operation, every message is found by its id and by its calls, in the order of the list."""
    model: list[dict[str, Any]] = []
    messages = MessageList()
    for name, *arguments in operations:
        copies = [dict(each) if isinstance(each, dict) else each for each in arguments]
        assert getattr(messages, name)(*copies) == apply(model, name, *copies)
        assert messages.as_list == model and len(messages) == len(model)
        for message_id in "abcde":
            assert list(messages.named(message_id)) == [known for known in model if known["id"] == message_id]
        for call in ("x", "y", None):
            assert list(messages.holders(call)) == [
                known for known in model if any(part["id"] == call for part in known["parts"])
            ]


def test_a_call_added_later_is_found_in_order() -> None:
    """Also when a later message had the call before."""
    messages = MessageList([message("a"), message("b", "x")])
    first = messages.as_list[0]
    first["parts"].append({"type": "tool-call", "id": "x"})
    messages.holds(first, "x")
    assert [held["id"] for held in messages.holders("x")] == ["a", "b"]


def test_parts_without_a_shape_cost_only_themselves() -> None:
    """A log from before they were refused may hold them."""
    odd = MessageList([{"id": "a", "role": "user", "parts": ["x", None, {"type": "text"}]}, {"id": "b", "parts": {}}])
    assert [known["parts"] for known in odd] == [[{"type": "text"}], []]
