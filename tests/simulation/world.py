"""One seed's history: what happens to whom and when, and what must hold in the end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from lambda_asgi import Background
from resumable_chat import ResumableChat
from resumable_chat.engine import steps
from resumable_chat.protocol import tokens
from resumable_chat.protocol.chunks import decode
from resumable_chat.protocol.records import Kind, Record, fence_token, kind
from resumable_chat.transcript.snapshot import read_snapshot

from .loop import CURRENT, Process, Stalled, VirtualLoop
from .network import EPOCH_MS, NetworkLog, Server, Weather
from .tab import Broken, Connection, Handle, Tab

LEASE_MS = 4000
STREAM = "chat"
SECRET = "the-password-is-swordfish"


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass
class Instance:
    """One process of the service."""

    process: Process
    log: NetworkLog
    chat: ResumableChat
    skew: float
    background: Background = field(default_factory=Background)


@dataclass
class History:
    """What happened, line by line, and what was wrong with it."""

    seed: int
    lines: list[str]
    violations: list[str]
    seconds: float
    counts: Counter[str]


def simulate(seed: int, *, flaw: str = "") -> History:
    """The history of one seed: the same for the same seed, always."""
    loop = VirtualLoop()
    world = World(loop, seed, flaw)
    seeded = SimpleNamespace(token_hex=lambda length: f"{world.nonces.getrandbits(8 * length):0{2 * length}x}")
    clock = SimpleNamespace(time_ns=world.clock_ns)
    silenced = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    loop.set_exception_handler(lambda _, context: world.unhandled.append(str(context.get("exception", context))))
    try:
        with mock.patch.object(tokens, "secrets", seeded), mock.patch.object(steps, "time", clock):
            try:
                loop.run_until_complete(world.run())
            except Stalled:
                world.violations.append("everything waits for something that never comes")
            finally:
                loop.run_until_complete(world.bury())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        logging.disable(silenced)
    world.violations += [f"unhandled: {error}" for error in world.unhandled]
    return History(seed, world.lines, world.violations, world.ended, world.counts)


class World:
    def __init__(self, loop: VirtualLoop, seed: int, flaw: str) -> None:
        self.loop = loop
        self.seed = seed
        self.random = Random(seed)
        self.nonces = Random(seed + 1)
        self.lines: list[str] = []
        self.violations: list[str] = []
        self.unhandled: list[str] = []
        self.counts: Counter[str] = Counter()
        self.ended = 0.0
        self.server = Server(loop, flaw)
        self.server.appended = self._appended
        self.instances: list[Instance] = []
        self.buried: list[Instance] = []
        self.calls: Counter[str] = Counter()
        self.finished: set[str] = set()
        """Runs whose source came to its end."""
        self.accepted: set[str] = set()
        self.stopped: dict[str, int] = {}
        """Runs that a stop named and was answered for, and the tail at that time."""
        self._runs = 0
        self.openings = 0
        random = self.random
        self.weather = Weather(
            delay=random.choice([0.001, 0.01, 0.08]),
            spike=random.choice([0.0, 0.02]),
            lost_request=random.choice([0.0, 0.0, 0.03]),
            late_request=random.choice([0.0, 0.02]),
            lost_answer=random.choice([0.0, 0.03]),
            repeated=random.choice([0.0, 0.05]),
        )

    def clock_ns(self) -> int:
        process = CURRENT.get()
        skew = next((instance.skew for instance in self.instances if instance.process is process), 0.0)
        return int((EPOCH_MS / 1000 + self.loop.time() + skew) * 1e9)

    def note(self, line: str) -> None:
        self.lines.append(f"{self.loop.time():9.3f} {line}")

    def _appended(self, stream: str, records: list[Record]) -> None:
        for record in records:
            if kind(record) is not Kind.HEARTBEAT:
                body = record.body.decode("utf-8", "replace")
                if tokens.parse(fence_token(record) or "").running:
                    self.openings += 1
                self.note(f"log {record.seq_num} {kind(record).value} {body[:90]}")

    # --- What happens ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        random = self.random
        for _ in range(random.randint(1, 3)):
            self.start_instance()
        tabs = [
            Tab(f"tab{index}", self.loop, Random(random.getrandbits(64)), self.note)
            for index in range(random.randint(1, 3))
        ]
        watching = [self.loop.create_task(tab.watch(self._replay)) for tab in tabs]
        trouble = self.loop.create_task(self.trouble(tabs))
        users = [self.loop.create_task(self.user(tab)) for tab in tabs]
        await asyncio.gather(*users)
        trouble.cancel()
        await asyncio.wait({trouble})
        await self.heal(tabs)
        await asyncio.sleep(3 * LEASE_MS / 1000 + 25)
        await self.check(tabs)
        for task in watching:
            if task.done() and task.exception() is not None:
                self.violations.append(f"a tab failed: {task.exception()!r}")
            task.cancel()
        await asyncio.wait(watching)
        self.ended = self.loop.time()

    def start_instance(self) -> Instance:
        name = f"p{len(self.instances) + len(self.buried)}"
        process = Process(self.loop, name)
        log = NetworkLog(self.server, process, self.weather, Random(self.random.getrandbits(64)))
        chat = ResumableChat(log, lease_duration_ms=LEASE_MS, response_lease=self.random.choice([None, None, 7.0]))
        # A clock that is ahead takes over early, which the protocol must bear as well.
        instance = Instance(process, log, chat, self.random.choice([0.0, 0.0, self.random.uniform(-30, 30)]))
        self.instances.append(instance)
        self.note(f"{name} starts, its clock {instance.skew:+.1f} s off")
        return instance

    async def trouble(self, tabs: list[Tab]) -> None:
        """Kill, freeze and cut off processes, and tabs' connections."""
        random = self.random
        while True:
            await asyncio.sleep(random.expovariate(1 / 4))
            instance = random.choice(self.instances)
            match random.choice(["kill", "freeze", "freeze", "cut", "cut", "drop", "drop", "drop", "offline", "clock"]):
                case "kill":
                    self.kill(instance)
                    self.start_instance()
                case "freeze" if not instance.process.frozen:
                    seconds = random.choice([0.5, 3.0, 6.0, 20.0])
                    self.note(f"{instance.process.name} freezes for {seconds} s")
                    self.counts["frozen"] += 1
                    instance.process.freeze()
                    self.loop.call_later(seconds, instance.process.thaw)
                case "cut" if not instance.log.cut:
                    seconds = random.choice([0.3, 2.0, 8.0])
                    self.note(f"{instance.process.name} is cut off for {seconds} s")
                    self.counts["cut off"] += 1
                    instance.log.cut = True
                    self.loop.call_later(seconds, setattr, instance.log, "cut", False)
                case "clock":
                    instance.skew = random.choice([0.0, random.uniform(-30, 30), -7200.0, 7200.0])
                    self.counts["clock jumped"] += 1
                    self.note(f"{instance.process.name}'s clock jumps to {instance.skew:+.1f} s off")
                case "drop":
                    tab = random.choice(tabs)
                    self.counts["dropped"] += 1
                    tab.drop(noticed=random.random() < 0.7)
                case "offline":
                    tab = random.choice(tabs)
                    tab.online = False
                    tab.drop(noticed=random.random() < 0.5)
                    self.loop.call_later(random.uniform(0.5, 10), setattr, tab, "online", True)

    def kill(self, instance: Instance) -> None:
        self.note(f"{instance.process.name} is killed")
        self.counts["killed"] += 1
        instance.process.kill()
        self.instances.remove(instance)
        self.buried.append(instance)

    async def heal(self, tabs: list[Tab]) -> None:
        self.note("all is well again")
        for instance in self.instances:
            instance.process.thaw()
            instance.log.cut = False
        for tab in tabs:
            tab.online = True
            tab.drop(noticed=True)  # Those who read from the dead would wait for ever.
        self.weather = Weather(0.005, 0, 0, 0, 0, 0)
        for instance in self.instances:
            instance.log._weather = self.weather

    async def bury(self) -> None:
        for instance in self.instances:
            instance.process.kill()
        for instance in self.buried + self.instances:
            instance.process.bury()
        for _ in range(50):
            left = [task for i in self.buried + self.instances for task in self.loop.tasks_of(i.process)]
            left += [task for task in self.loop.tasks_of(None) if task is not asyncio.current_task()]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=100)
        self.violations.append("some tasks cannot be ended")

    # --- Users ----------------------------------------------------------------------------------------------

    def pick(self) -> Instance:
        return self.random.choice(self.instances)

    def _replay(self, cursor: int | None) -> tuple[Process, Handle]:
        instance = self.pick()
        return instance.process, lambda: instance.chat.replay(STREAM, from_seq_num=cursor)

    async def user(self, tab: Tab) -> None:
        random = self.random
        for _ in range(random.randint(2, 5)):
            await asyncio.sleep(random.expovariate(1 / 5))
            if random.random() < 0.1:
                await self.stop(tab, f"run{self._runs + random.randint(0, 2)}")
            sent = self.loop.create_task(self.send(tab))
            if random.random() < 0.4:
                await asyncio.sleep(random.uniform(0, 3))
                run_id = f"run{self._runs - 1}" if self._runs and random.random() < 0.7 else None
                await self.stop(tab, run_id)
            await sent

    async def request(self, instance: Instance, handle: Handle) -> int:
        connection = Connection(self.loop, instance.process)
        await connection.open(handle)
        return connection.status

    def compose(self, before: list[dict[str, Any]], run_id: str) -> tuple[str, list[dict[str, Any]]]:
        """What a user does to the list that a tab shows, and the list that is sent."""
        random = self.random
        text = [{"type": "text", "content": f"ask {run_id}"}]
        ask = {"id": f"u-{run_id}", "role": "user", "parts": text}
        users = [index for index, message in enumerate(before) if message["role"] == "user"]
        answers = [index for index, message in enumerate(before) if message["role"] == "assistant"]
        deed = random.choice(
            ["asks", "asks", "asks", "asks", "regenerates", "edits", "deletes", "corrects", "prefaces"]
        )
        if deed == "regenerates" and users:
            return deed, before[: users[-1] + 1]
        if deed == "edits" and users:
            at = random.choice(users)
            return deed, [*before[:at], {**before[at], "parts": text}]
        if deed == "deletes" and len(before) > 2:
            at = random.randrange(1, len(before) - 1)
            return deed, [*before[:at], *before[at + random.randint(1, 2) :], ask]
        if deed == "corrects" and answers:
            at = random.choice(answers)
            corrected = {**before[at], "parts": [{"type": "text", "content": f"no, {run_id}"}]}
            return deed, [*before[:at], corrected, *before[at + 1 :], ask]
        if deed == "prefaces":
            return deed, [{"id": f"s-{run_id}", "role": "system", "parts": text}, *before, ask]
        return "asks", [*before, ask]

    async def send(self, tab: Tab) -> None:
        run_id = f"run{self._runs}"
        self._runs += 1
        deed, messages = self.compose(tab.messages, run_id)
        tab.show(json.loads(json.dumps(messages)))
        seen = tab.cursor
        self.counts[deed] += 1
        self.note(f"{tab.name} {deed} with {run_id}, {messages[-1]['id']}, seen={seen}")
        for _ in range(self.random.randint(1, 6)):
            instance = self.pick()
            try:
                status = await self.request(
                    instance,
                    lambda instance=instance: instance.chat.make_session_response(  # type: ignore[misc]
                        STREAM,
                        messages=messages,
                        source=self.source(instance),
                        wait_until=instance.background.wait_until,
                        run_id=run_id,
                        seen=seen,
                    ),
                )
            except Broken:
                self.note(f"{run_id}: no answer from {instance.process.name}")
                await asyncio.sleep(self.random.uniform(0.1, 3))
                continue
            self.note(f"{run_id}: {status} from {instance.process.name}")
            self.counts[f"send {status}"] += 1
            if status == 202:
                self.accepted.add(run_id)
                if run_id not in self._turns():
                    self.violations.append(f"202 for {run_id}, but its message is not in the log")
                return
            if status == 409:
                break
            if status != 503:
                self.violations.append(f"{run_id} got {status}")
            await asyncio.sleep(self.random.uniform(0.1, 3))
        tab.reload()  # What it shows is not what is stored; its page keeps the text in the input.

    async def stop(self, tab: Tab, run_id: str | None) -> None:
        instance = self.pick()
        self.note(f"{tab.name} stops {run_id or 'whatever runs'} at {instance.process.name}")
        try:
            status = await self.request(instance, lambda: instance.chat.stop_session(STREAM, run_id=run_id))
        except Broken:
            return
        self.note(f"stop {run_id}: {status}")
        self.counts[f"stop {status}"] += 1
        if status not in (202, 204, 503):
            self.violations.append(f"a stop got {status}")
        if run_id is not None and status in (202, 204):
            self.stopped.setdefault(run_id, len(self.server.stream(STREAM).records))

    def source(self, instance: Instance) -> Any:
        async def answer(messages: Any, context: Any) -> AsyncIterator[dict[str, Any]]:
            run_id, message_id = context.run_id, context.message_id
            if not instance.process.dead:
                self.calls[run_id] += 1
            random = Random(f"{self.seed}/{run_id}")
            if random.random() < 0.5:
                yield {"type": "RUN_STARTED", "runId": run_id, "threadId": STREAM}
            if random.random() < 0.3:
                yield {"type": "REASONING_MESSAGE_START", "messageId": f"think-{run_id}", "role": "reasoning"}
                for index in range(3):
                    yield {"type": "REASONING_MESSAGE_CONTENT", "messageId": f"think-{run_id}", "delta": f"{index}?"}
                yield {"type": "REASONING_MESSAGE_END", "messageId": f"think-{run_id}"}
            if random.random() < 0.3:
                call = f"call-{run_id}"
                start = {"type": "TOOL_CALL_START", "toolCallId": call, "toolCallName": "look"}
                yield {**start, "parentMessageId": message_id}
                for piece in ('{"a"', ":1", "}"):
                    yield {"type": "TOOL_CALL_ARGS", "toolCallId": call, "delta": piece}
                    await asyncio.sleep(random.uniform(0, 0.2))
                yield {"type": "TOOL_CALL_END", "toolCallId": call}
            yield {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"}
            pause = random.choice([0.0, 0.01, 0.2])
            for index in range(random.randint(0, 40)):
                yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": f"{run_id}.{index} "}
                if pause:
                    await asyncio.sleep(random.expovariate(1 / pause))
                if random.random() < 0.02:
                    await asyncio.sleep(random.uniform(1, 8))
            if random.random() < 0.1:
                raise RuntimeError(SECRET)
            yield {"type": "TEXT_MESSAGE_END", "messageId": message_id}
            if random.random() < 0.5:
                yield {"type": "RUN_FINISHED", "runId": run_id, "finishReason": "stop"}
            self.finished.add(run_id)

        return answer

    # --- What must hold -------------------------------------------------------------------------------------

    def _chunks(self) -> list[tuple[Record, dict[str, Any] | None]]:
        return [
            (record, decode(record.body) if kind(record) is Kind.DATA else None)
            for record in self.server.stream(STREAM).records
        ]

    def _turns(self) -> set[str]:
        return {
            chunk["value"]["runId"]
            for _, chunk in self._chunks()
            if chunk is not None and chunk.get("name") == "resumable.turn"
        }

    async def check(self, tabs: list[Tab]) -> None:
        wrong = self.violations.append
        self._check_log(wrong)
        for run_id, calls in self.calls.items():
            if calls > 1:
                wrong(f"{run_id} ran {calls} times")
        if SECRET in b"".join(r.body for r in self.server.stream(STREAM).records).decode():
            wrong("the text of an exception is in the log")
        fresh = await self._fresh()
        for tab in tabs:
            self.violations += tab.problems
            if (shown := _essence(tab.messages)) != fresh:
                wrong(f"{tab.name} and a fresh load differ: {_difference(shown, fresh)}")

    async def _fresh(self) -> Any:
        tab = Tab("fresh", self.loop, Random(1), self.note)
        instance = self.start_instance()
        watching = self.loop.create_task(
            tab.watch(lambda cursor: (instance.process, lambda: instance.chat.replay(STREAM, from_seq_num=cursor)))
        )
        await asyncio.sleep(8)
        watching.cancel()
        await asyncio.wait({watching})
        return _essence(tab.messages)

    def _check_log(self, wrong: Callable[[str], None]) -> None:
        token = ""
        run_id: str | None = None
        texts: dict[str, str] = {}
        terminals: list[dict[str, Any]] = []
        for record, chunk in self._chunks():
            where = f"record {record.seq_num}"
            if kind(record) is Kind.FENCE:
                before, token = token, fence_token(record) or ""
                if tokens.parse(before).running:
                    if not tokens.is_terminal(token):
                        wrong(f"{where} opens a generation in a running one")
                    elif len(terminals) != 1 and not _insisted(terminals, token):
                        wrong(f"{where} ends a generation with {len(terminals)} terminal chunks")
                if tokens.parse(token).running:
                    run_id, terminals = None, []
                continue
            if chunk is None:
                continue
            if not tokens.parse(token).running:
                wrong(f"{where}, {chunk['type']}, stands in no generation")
            if chunk.get("name") == "resumable.turn":
                run_id = chunk["value"]["runId"]
            elif chunk["type"] in ("RUN_FINISHED", "RUN_ERROR"):
                terminals.append(chunk)
            elif chunk["type"] == "TEXT_MESSAGE_CONTENT" and not chunk["messageId"].startswith("u-"):
                texts[run_id or ""] = texts.get(run_id or "", "") + chunk["delta"]
                if run_id in self.stopped and record.seq_num >= self.stopped[run_id]:
                    wrong(f"{where} is of {run_id}, which was stopped before {self.stopped[run_id]}")
        if tokens.parse(token).running:
            wrong(f"the last generation, {run_id}, never ended")
        for run, text in texts.items():
            if text != "".join(f"{run}.{index} " for index in range(text.count(" "))):
                wrong(f"the text of {run} in the log is {text!r}")


def _insisted(terminals: list[dict[str, Any]], token: str) -> bool:
    """Whether a stop that was refused too often came just after the writer's own terminal, and repeated it."""
    return len(terminals) == 2 and terminals[0] == terminals[1] and token.startswith("end-")


def _essence(messages: list[dict[str, Any]]) -> Any:
    """What two tabs must agree on.

    A snapshot joins an assistant message that is reasoning alone with the assistant message after it; a tab that saw
    both come shows two until its next snapshot.
    """
    joined = read_snapshot(messages, [], str)
    return [(message["id"], message["role"], message["parts"], message.get("metadata")) for message in joined]


def _difference(shown: list[Any], fresh: list[Any]) -> str:
    """Where two lists of messages part."""
    at = next((i for i, (a, b) in enumerate(zip(shown, fresh, strict=False)) if a != b), min(len(shown), len(fresh)))
    return f"from message {at} on\n    {shown[at:]}\n    {fresh[at:]}"
