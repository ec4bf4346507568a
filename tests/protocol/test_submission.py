"""A submitted list as it is stored, and what readers make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resumable_chat.errors import BadRequest
from resumable_chat.protocol.chunks import decode
from resumable_chat.protocol.limits import MAX_BATCH_BYTES, check_limits
from resumable_chat.protocol.records import fence
from resumable_chat.protocol.submission import Digests, Form, Submission
from resumable_chat.protocol.turns import Turn, apply_turn, read_turn

from ..chats import assistant, user
from .logs import generation

Message = dict[str, Any]


def system(message_id: str, text: str = "be kind") -> Message:
    return {"id": message_id, "role": "system", "parts": [{"type": "text", "content": text}]}


U1, A1, U2, A2, U3 = user("u1"), assistant("a1", "one"), user("u2"), assistant("a2", "two"), user("u3")


def stored(
    listed: list[Message], *, cursor: int | None = 10, new: bool = False, known: Digests | None = None
) -> list[Turn]:
    """The turns that sending this list stores, as a reader gets them."""
    body = Submission(listed, "r", cursor).body(new_chat=new, known=known)
    check_limits([fence("x" * 36), *body.records])
    return [turn for record in body.records if (turn := read_turn(decode(record.body) or {})) is not None]


def sent(
    chat: list[Message], listed: list[Message], *, newest: int = 9, **options: Any
) -> tuple[list[tuple[str, str]], bool]:
    """The chat after this list was sent, as ids and texts, and whether anything in it changed."""
    messages, changed = list(chat), False
    for turn in stored(listed, **options):
        changed |= apply_turn(messages, turn, position=11, newest_data=newest)
    return told(messages), changed


def told(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message["id"], "".join(str(part.get("content", "")) for part in message["parts"])) for message in messages]


def known_of(listed: list[Message]) -> Digests:
    return Submission(listed, "r0", 1).digests


CHANGES = {
    "adds": ([U1, A1], [U1, A1, U2], [U1, A1, U2], False),
    "regenerates": ([U1, A1, U2, A2], [U1, A1, U2], [U1, A1, U2], True),
    "deletes an exchange": ([U1, A1, U2, A2], [U1, A1, U3], [U1, A1, U3], True),
    "deletes one message": ([U1, A1, U2, A2], [U1, A1, A2, U3], [U1, A1, A2, U3], True),
    "deletes an answer": ([U1, A1, U2, A2], [U1, U2, A2, U3], [U1, U2, A2, U3], True),
    "corrects an answer": (
        [U1, A1, U2, A2],
        [U1, assistant("a1", "uno"), U2, A2, U3],
        [U1, assistant("a1", "uno"), U2, A2, U3],
        True,
    ),
    "corrects the last answer": ([U1, A1], [U1, assistant("a1", "uno"), U2], [U1, assistant("a1", "uno"), U2], True),
    "corrects a question": (
        [U1, A1, U2, A2],
        [user("u1", "hello"), A1, U2, A2, U3],
        [user("u1", "hello"), A1, U2, A2, U3],
        True,
    ),
    "edits the last question": ([U1, A1, U2, A2], [U1, A1, user("u2", "again")], [U1, A1, user("u2", "again")], True),
    "edits the first question": ([U1, A1, U2, A2], [user("u1", "again")], [user("u1", "again")], True),
    "replaces the end": ([U1, A1, U2, A2], [U1, A1, user("n")], [U1, A1, user("n")], True),
    "inserts": ([U1, A1], [U1, system("s"), A1, U2], [U1, system("s"), A1, U2], True),
    "moves": ([U1, A1, U2, A2], [U1, U2, A2, A1, U3], [U1, U2, A2, A1, U3], True),
    "leaves a question pending": ([U1, A1], [U1, A1, U2, U3], [U1, A1, U2, U3], False),
    "puts a system message first": ([U1, A1], [system("s"), U1, A1, U2], [system("s"), U1, A1, U2], True),
    "continues an answer": (
        [U1, A1],
        [U1, {**A1, "parts": [{"type": "tool-call", "content": "done"}]}],
        [U1, {**A1, "parts": [{"type": "tool-call", "content": "done"}]}],
        False,
    ),
    "sends a part of the list": ([U1, A1, U2, A2], [U2, A2, U3], [U1, A1, U2, A2, U3], False),
    "sends a part and corrects it": (
        [U1, A1, U2, A2],
        [U2, assistant("a2", "dos"), U3],
        [U1, A1, U2, assistant("a2", "dos"), U3],
        True,
    ),
    "sends a part with a gap": ([U1, A1, U2, A2], [A1, U3], [U1, A1, U2, A2, U3], False),
    "sends the turn alone": ([U1, A1, U2, A2], [U3], [U1, A1, U2, A2, U3], False),
    "edits in a part of the list": ([U1, A1, U2, A2], [U2], [U1, A1, U2], True),
    "sends what the log lost": ([], [U1, A1, U2], [U1, A1, U2], False),
}


@pytest.mark.parametrize("knows", [False, True])
@pytest.mark.parametrize(("chat", "listed", "expected", "changes"), CHANGES.values(), ids=CHANGES)
def test_a_sender_that_saw_everything_is_taken_at_its_word(
    chat: list[Message], listed: list[Message], expected: list[Message], changes: bool, knows: bool
) -> None:
    """A list that starts with the chat's first message deletes and corrects; any other only adds, or edits by id."""
    known = known_of(chat[:-1]) if knows and chat else None
    shown, changed = sent(chat, listed, known=known)
    assert shown == told(expected)
    assert changed or not changes


@pytest.mark.parametrize("cursor", [5, None])
@pytest.mark.parametrize(
    ("chat", "listed"), [case[:2] for case in CHANGES.values() if case[0]], ids=[n for n, c in CHANGES.items() if c[0]]
)
def test_of_a_sender_that_was_behind_only_the_turn_counts(
    chat: list[Message], listed: list[Message], cursor: int | None
) -> None:
    """What it did not see it cannot have meant to replace, and what others deleted it must not bring back."""
    shown, _ = sent(chat, listed, cursor=cursor)
    turns = {turn.message["id"] for turn in stored(listed, cursor=cursor)}
    kept = [message["id"] for message in chat if message["id"] not in turns]
    if cursor is not None:
        assert [message_id for message_id, _ in shown if message_id not in turns] == kept
    assert {message_id for message_id, _ in shown} - {message["id"] for message in chat} <= turns


LISTS = {
    "initial messages": [assistant("hello", "How can I help?"), U1],
    "a system message first": [system("s"), U1],
    "a history": [system("s"), U1, A1, U2, A2, U3],
    "the turn alone": [U1],
    "two questions": [A1, U1, U2],
}


@pytest.mark.parametrize("cursor", [None, 0])
@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
def test_a_new_chat_stores_the_whole_list(listed: list[Message], cursor: int | None) -> None:
    """With a cursor or without one."""
    assert sent([], listed, cursor=cursor, new=True, newest=-1)[0] == told(listed)


def test_a_list_for_a_new_chat_does_nothing_to_another() -> None:
    """A stop in a chat with messages makes it look new to a sender; without a cursor, only the turn counts."""
    assert sent([U1, A1], [assistant("hello", "Hi"), U2], cursor=None, new=True)[0] == told([U1, A1, U2])


def test_of_a_huge_new_chat_the_oldest_messages_are_dropped() -> None:
    """The system message and the newest are kept, as many as fit one append."""
    history = [
        message
        for index in range(100)
        for message in (user(f"u{index}", "x" * 10_000), assistant(f"a{index}", "y" * 10_000))
    ]
    listed = [system("s"), *history, user("last")]
    body = Submission(listed, "r").body(new_chat=True, known=None)
    check_limits([fence("x" * 36), *body.records])
    messages: list[Message] = []
    turns = [turn for record in body.records if (turn := read_turn(decode(record.body) or {}))]
    for turn in turns:
        apply_turn(messages, turn, position=0, newest_data=-1)
    kept = len(messages) - 2
    assert [message["id"] for message in messages] == ["s", *(m["id"] for m in history[-kept:]), "last"]
    assert body.dropped == 200 - kept and 90 < kept < 105


def test_of_a_huge_change_the_newest_corrections_are_kept() -> None:
    """What does not fit counts as stored."""
    chat = [assistant(f"a{index}", "y" * 20_000) for index in range(100)]
    listed = [*(assistant(message["id"], "z" * 20_000) for message in chat), U1]
    shown, changed = sent(chat, listed, known=known_of(chat))
    corrected = [text[0] == "z" for _, text in shown[:-1]]
    dropped = Submission(listed, "r", 10).body(new_chat=False, known=known_of(chat)).dropped
    assert dropped == corrected.count(False)
    assert changed and corrected == sorted(corrected) and 45 < sum(corrected) < 53 and shown[-1][0] == "u1"


def test_a_long_chat_is_not_repeated_with_every_turn() -> None:
    """With the last list known, a turn repeats its answer alone; without it, 32 KiB of messages and 500 ids at most."""
    chat = [
        message
        for index in range(1_000)
        for message in (user(f"u{index}", "x" * 500), assistant(f"a{index}", "y" * 500))
    ]
    listed = [*chat, user("last")]
    [turn] = stored(listed, known=known_of(chat[:-1]))
    assert turn.listing is not None and (turn.listing.after, turn.listing.items) == ("u999", (chat[-1],))
    [turn] = stored(listed)
    assert turn.listing is not None and len(turn.listing.items) == 500 and turn.listing.after == "a749"
    assert 32_000 < sum(len(json.dumps(item)) for item in turn.listing.items) < 32 * 1024 + 10_000
    shown, changed = sent(chat, [message for message in listed if message["id"] != "a800"])
    assert changed and len(shown) == 2_000 and "a800" not in dict(shown)


def test_rows_of_other_clients_are_stored_as_messages() -> None:
    """A row's ``content`` is in its parts already; a row without parts is none."""
    tool = {"id": "t", "role": "tool", "toolCallId": "c", "content": "1", "parts": []}
    rows = [{**U1, "content": "hi"}, {**A1, "content": "one", "toolCalls": []}, tool, {**U2, "content": "hi"}]
    assert sent([], rows, new=True)[0] == told([U1, A1, U2])
    chat = [U1, assistant("a1", "one, and a call"), A2]
    assert sent(chat, rows) == (told([*chat, U2]), False)
    assert sent(chat, [{**U1, "content": "hi"}])[0] == told([U1])


def test_clients_cannot_forge_how_a_run_ended() -> None:
    """A message that they correct keeps our metadata, and takes theirs."""
    ours = {"resumable": {"run": {"outcome": "failed"}}}
    forged = {"resumable": {"run": {"outcome": "finished"}}, "mine": 1}
    [turn] = stored([{**A1, "metadata": forged}, U1], known=())
    messages = [{**assistant("a1", "old"), "metadata": ours}]
    apply_turn(messages, turn, position=11, newest_data=9)
    assert told(messages) == told([A1, U1]) and messages[0]["metadata"] == {"mine": 1, **ours}


def test_results_of_client_tools_are_stored_in_place_of_a_turn() -> None:
    """As TOOL_CALL_RESULTs; a repeated request is recognised by them."""
    row = {"id": "t", "role": "tool", "toolCallId": "c", "content": "1", "parts": []}
    submission = Submission([U1, row], "r", 3)
    [record] = submission.body(new_chat=False, known=None).records
    chunk = decode(record.body)
    assert chunk == {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "messageId": "t", "content": "1"}
    two = Submission([U1, row, {**row, "id": "t2", "toolCallId": "d"}], "r").body(new_chat=True, known=None)
    assert [(decode(record.body) or {})["toolCallId"] for record in two.records] == ["c", "d"]
    token = "session-00000000"
    assert submission.repeats(generation(token, chunk)) and submission.repeats(generation(token))
    assert not submission.repeats(generation(token, {**chunk, "content": "2"}))
    assert not submission.repeats(generation(token, Turn(U1, None, None, "r").chunk()))


@pytest.mark.parametrize(
    ("message", "same"),
    [(U1, True), ({**U1, "createdAt": "2020"}, True), (user("u1", "other"), False), (user("other"), False)],
)
def test_a_repeated_message_is_recognised(message: Message, same: bool) -> None:
    """By its id, role and parts."""
    submission = Submission([A1, message], "r", 3)
    there = Turn(U1, "a1", 99, "r")
    assert submission.repeats(generation("session-00000000", there.chunk())) is same
    assert submission.differs(there) is not same


def test_a_repeated_message_is_recognised_after_its_way_through_the_log() -> None:
    """Half an emoji and numbers that JSON writes in another way do not make it another message."""
    odd = {"id": "u", "role": "user", "parts": [{"type": "x", "content": "half \ud83d", "n": 10**30, "f": 1e400}]}
    odd["parts"][0].pop("f")  # type: ignore[index]
    submission = Submission([odd], "r")
    [record] = submission.body(new_chat=True, known=None).records[:1]
    assert submission.repeats(generation("session-00000000", decode(record.body)))


def test_a_message_over_one_append_is_413() -> None:
    """What is before it never makes it too large."""
    room = MAX_BATCH_BYTES - 4096
    whole = user("u", "x" * (room - 400))
    assert (
        len(stored([system("s", "y" * 2_000), *[assistant(f"a{i}", "z" * 9_000) for i in range(300)], whole], new=True))
        == 1
    )
    with pytest.raises(BadRequest, match=r"takes 1,04\d,\d+ bytes; 1,044,480 fit") as refused:
        stored([user("u", "x" * room)])
    assert refused.value.status == 413


# --- Whatever is submitted or stored ------------------------------------------------------------------------

_IDS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
_PARTS = st.lists(st.sampled_from([{"type": "text", "content": text} for text in "xyz"]), max_size=2)
_MESSAGES = st.builds(
    lambda message_id, role, parts: {"id": message_id, "role": role, "parts": parts},
    _IDS,
    st.sampled_from(["user", "assistant", "system"]),
    _PARTS,
)
_LISTS = st.lists(_MESSAGES, max_size=7, unique_by=lambda message: message["id"])


@settings(deadline=None)
@given(chat=_LISTS, listed=_LISTS.filter(bool), knows=st.integers(0, 7))
def test_a_whole_list_from_a_sender_that_saw_everything_is_the_chat(
    chat: list[Message], listed: list[Message], knows: int
) -> None:
    """Whatever was known, the chat is then what was submitted, but a pending message is not edited."""
    if chat and listed[0]["id"] != chat[0]["id"]:
        listed = [chat[0], *(message for message in listed if message["id"] != chat[0]["id"])]
    shown, _ = sent(chat, listed, known=known_of(chat[:knows]) if knows < 7 else None)
    assert [message_id for message_id, _ in shown] == [message["id"] for message in listed]
    pending = {turn.message["id"] for turn in stored(listed) if turn.pending}
    assert [entry for entry in shown if entry[0] not in pending] == [e for e in told(listed) if e[0] not in pending]


@settings(deadline=None)
@given(chat=_LISTS, listed=_LISTS.filter(bool))
def test_any_other_list_deletes_nothing(chat: list[Message], listed: list[Message]) -> None:
    """Unless it sends a message again that the chat has: then the answers to it go."""
    if chat and chat[0]["id"] in {message["id"] for message in listed}:
        listed = [message for message in listed if message["id"] != chat[0]["id"]] or [user("new")]
    shown, _ = sent(chat, listed)
    before, after = {message["id"] for message in chat}, {message_id for message_id, _ in shown}
    assert listed[-1]["id"] in after
    if listed[-1]["id"] not in before:
        assert before | {message["id"] for message in listed} <= after


def test_an_answer_put_together_from_rows_replaces_none_that_is_stored() -> None:
    """A run that answers interrupts submits it last. A user's message in its place is answered once more, as ever."""
    whole = {**assistant("a", "all of it"), "metadata": {"k": 1}}
    chat = [user("u"), whole]
    for listed, expected in (
        ([user("u"), assistant("a", "less")], chat),
        ([user("u")], [user("u")]),
    ):
        messages = list(chat)
        apply_turn(messages, Submission(listed, "r", form=Form.ROWS).turn, position=9, newest_data=8)
        assert messages == expected
