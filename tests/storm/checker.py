"""Judges a history of a chat from what was written down about it. Shares no code with the library.

A history is a file of JSON lines, each with ``op``; times (``at``) are seconds since 1970:

* ``send`` ``{run, message}`` and ``sent`` ``{run, status}``: a request to answer a message, and what came of it (status
  0: no answer)
* ``stop`` ``{run}`` and ``stopped`` ``{run, status}``
* ``called`` ``{run}``: the model was asked for this run, by whichever process
* ``record`` ``{seq, ms, kind, token | chunk}``: one record of the log in the end; ``kind`` is data, fence, heartbeat,
  trim or other, ``ms`` the log's time in ms since 1970
* ``view`` ``{who, messages}``: what a reader shows in the end, as ``[[id, role, text], …]``

The model says the words ``<run>.0 ``, ``<run>.1 `` … so that a missing or doubled one is seen.

    python -m tests.storm.checker HISTORY…
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

Line = dict[str, Any]

_TERMINALS = ("RUN_FINISHED", "RUN_ERROR")


def read(path: Path) -> list[Line]:
    """Return the lines of a history."""
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def check(lines: Iterable[Line]) -> list[str]:
    """Return what does not hold, one sentence each; an empty list for a good history."""
    history = list(lines)
    by_op: defaultdict[str, list[Line]] = defaultdict(list)
    for line in history:
        by_op[line["op"]].append(line)
    generations = list(_generations(by_op["record"]))
    return [
        *_sequence(by_op["record"]),
        *_fences(by_op["record"]),
        *_whole(generations),
        *_stored(by_op["sent"], generations),
        *_once(by_op["called"], generations),
        *_words(generations),
        *_stops(by_op["stopped"], generations, by_op["called"]),
        *_views(by_op["view"], generations),
    ]


class Generation:
    """The records from an opening fence to the next fence."""

    def __init__(self, opening: Line) -> None:
        self.opening = opening
        self.records: list[Line] = []
        self.ending: Line | None = None

    @property
    def chunks(self) -> list[Line]:
        return [record["chunk"] for record in self.records if record["kind"] == "data" and record["chunk"]]

    @property
    def turns(self) -> list[Line]:
        found = [chunk["value"] for chunk in self.chunks if chunk.get("name") == "resumable.turn"]
        return [value for value in found if isinstance(value, dict)]

    @property
    def run(self) -> str | None:
        return next((turn["runId"] for turn in self.turns if turn.get("runId")), None)

    @property
    def words(self) -> list[tuple[int, str]]:
        """The model's text, with the ms at which each piece was stored."""
        asked = {turn["message"]["id"] for turn in self.turns}
        return [
            (record["ms"], record["chunk"]["delta"])
            for record in self.records
            if record["kind"] == "data"
            and record["chunk"]
            and record["chunk"].get("type") == "TEXT_MESSAGE_CONTENT"
            and record["chunk"].get("messageId") not in asked
        ]


def _generations(records: list[Line]) -> Iterator[Generation]:
    current: Generation | None = None
    for record in records:
        if record["kind"] == "fence":
            if current is not None:
                current.ending = record
                yield current
            current = None if _terminal(record["token"]) else Generation(record)
        elif current is not None:
            current.records.append(record)
    if current is not None:
        yield current


def _terminal(token: str) -> bool:
    return token.startswith(("end-", "error-"))


def _sequence(records: list[Line]) -> Iterator[str]:
    for before, after in pairwise(records):
        if after["seq"] != before["seq"] + 1:
            yield f"record {after['seq']} follows {before['seq']}"


def _fences(records: list[Line]) -> Iterator[str]:
    """Yield data outside a generation, and generations that open inside another."""
    token = ""
    for record in records:
        running = bool(token) and not _terminal(token)
        if record["kind"] == "fence":
            if running and not _terminal(record["token"]):
                yield f"fence {record['seq']} opens a generation inside another"
            if not running and _terminal(record["token"]) and "~" not in record["token"] and token:
                yield f"fence {record['seq']} ends what had ended"
            token = record["token"]
        elif record["kind"] == "data" and not running:
            yield f"record {record['seq']} stands in no generation"


def _whole(generations: list[Generation]) -> Iterator[str]:
    for generation in generations:
        at = generation.opening["seq"]
        if generation.ending is None:
            yield f"the generation at {at} has no end"
        elif not any(chunk.get("type") in _TERMINALS for chunk in generation.chunks):
            yield f"the generation at {at} ends without a terminal chunk"


def _stored(sent: list[Line], generations: list[Generation]) -> Iterator[str]:
    """Yield acknowledged messages that are not in the log, or are there twice."""
    turns = Counter(turn["runId"] for generation in generations for turn in generation.turns if turn.get("runId"))
    for run in {line["run"] for line in sent if line["status"] == 202}:
        if not turns[run]:
            yield f"{run} was accepted, but its message is not in the log"
    answers: defaultdict[str, set[int]] = defaultdict(set)
    for line in sent:
        answers[line["run"]].add(line["status"])
    for run, statuses in answers.items():
        if turns[run] and statuses <= {400, 401, 403, 404, 409, 413, 422}:
            yield f"{run} was refused with {sorted(statuses)}, but its message is in the log"


def _once(called: list[Line], generations: list[Generation]) -> Iterator[str]:
    for run, times in Counter(line["run"] for line in called).items():
        if times > 1:
            yield f"the model was asked {times} times for {run}"
    answered = Counter(generation.run for generation in generations if generation.run and generation.words)
    for run, times in answered.items():
        if times > 1:
            yield f"{run} has {times} answers"


def _words(generations: list[Generation]) -> Iterator[str]:
    for generation in generations:
        text = "".join(delta for _, delta in generation.words)
        expected = "".join(f"{generation.run}.{index} " for index in range(text.count(" ")))
        if text != expected:
            yield f"the answer to {generation.run} in the log is {text[:80]!r}"


def _stops(stopped: list[Line], generations: list[Generation], called: list[Line]) -> Iterator[str]:
    """Yield runs that went on after somebody was told that they had been stopped."""
    for stop in stopped:
        if stop["status"] != 202:
            continue
        told = stop["at"] * 1000
        for generation in generations:
            if generation.run == stop["run"] and any(ms > told for ms, _ in generation.words):
                yield f"{stop['run']} went on after its stop was acknowledged"
        if any(line["run"] == stop["run"] and line["at"] * 1000 > told for line in called):
            yield f"the model was asked for {stop['run']} after its stop was acknowledged"


def _views(views: list[Line], generations: list[Generation]) -> Iterator[str]:
    if not views:
        return
    first = views[0]
    for view in views:
        if view["messages"] != first["messages"]:
            yield f"{view['who']} and {first['who']} show different messages: {_difference(view, first)}"
        ids = [message[0] for message in view["messages"]]
        if len(ids) != len({*ids}):
            yield f"{view['who']} shows a message twice"
    shown = {message[0]: message[2] for message in first["messages"]}
    last = next((generation for generation in reversed(generations) if generation.words), None)
    if last is not None and last is generations[-1]:
        text = "".join(delta for _, delta in last.words)
        if text not in shown.values():
            yield f"the newest answer, to {last.run}, is not shown as it is in the log"


def _difference(one: Line, other: Line) -> str:
    for index, (left, right) in enumerate(zip(one["messages"], other["messages"], strict=False)):
        if left != right:
            return f"message {index} is {left} and {right}"
    return f"{len(one['messages'])} and {len(other['messages'])} messages"


def main(paths: list[str]) -> int:
    """Judge these histories; the exit status is 1 if one is bad."""
    bad = 0
    for path in paths:
        wrong = check(read(Path(path)))
        bad += bool(wrong)
        print(f"{path}: {'bad' if wrong else 'good'}")
        for line in wrong:
            print(f"  {line}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
