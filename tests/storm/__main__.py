"""A storm: `make storm MINUTES=8`, or `python -m tests.storm --minutes 8 --engine sqlite`.

Two servers on one log answer three tabs and their users, while servers are killed, frozen and restarted, and the log's
own server is killed as well (S2 Lite). In the end, when all is well again, the checker judges the history.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import httpx

from .checker import check
from .logs import from_s2, from_sqlite
from .servers import Server, chat_server, s2_lite
from .tabs import Tab, snapshot

_CHAT = "storm"


class Storm:
    """One history: who does what, and what becomes of it."""

    def __init__(self, seed: int, engine: str, folder: Path) -> None:
        self.random = Random(seed)
        self.engine = engine
        self.folder = folder
        self.calls = folder / "calls.jsonl"
        self.calls.touch()
        self.lines: list[dict[str, Any]] = []
        self.counts: dict[str, int] = {}
        self.lite: Server | None = None
        environ = {"STORM_CALLS": str(self.calls)}
        if engine == "s2":
            (folder / "s2").mkdir()
            self.lite = s2_lite(os.environ["S2_LITE"], folder / "s2", folder / "s2.log")
            self.lite.start()
            endpoint = self.lite.url
            _make_basin(endpoint)
            environ |= {
                "S2_ACCESS_TOKEN": "none",
                "S2_BASIN": "storm-basin",
                "S2_ACCOUNT_ENDPOINT": endpoint,
                "S2_BASIN_ENDPOINT": endpoint,
                "CHAT_LOG": "",
            }
        else:
            environ |= {"CHAT_LOG": f"sqlite:///{folder}/chat.db"}
        self.servers = [chat_server(environ, folder / f"server{index}.log") for index in range(2)]
        self.tabs = [Tab(f"tab{index}", _CHAT, self.pick, Random(seed * 10 + index)) for index in range(3)]
        self._runs = 0
        self._calm = asyncio.Event()

    def pick(self) -> str:
        return self.random.choice(self.servers).url

    def note(self, op: str, **fields: Any) -> None:
        self.lines.append({"op": op, "at": time.time(), **fields})

    async def run(self, seconds: float) -> None:
        """Let the storm rage, then make all well again and write down what everybody sees."""
        for server in self.servers:
            await asyncio.to_thread(server.start)
        watching = [asyncio.create_task(tab.watch()) for tab in self.tabs]
        users = [asyncio.create_task(self.user(tab)) for tab in self.tabs]
        trouble = asyncio.create_task(self.trouble())
        await asyncio.sleep(seconds)
        self._calm.set()
        await trouble
        await asyncio.gather(*users)
        await self._quiet()
        for tab in self.tabs:
            self.note("view", who=tab.name, messages=tab.messages)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for server in self.servers:
            self.note("view", who=f"a new reader of {server.url}", messages=await snapshot(server.url, _CHAT))

    async def trouble(self) -> None:
        """Kill, freeze and restart until the calm; then leave everything running."""
        while not self._calm.is_set():
            await asyncio.sleep(self.random.expovariate(1 / 4))
            what = self.random.choice(["kill", "kill", "freeze", "restart", *(["log", "log"] if self.lite else [])])
            server = self.random.choice(self.servers)
            self.counts[what] = self.counts.get(what, 0) + 1
            if what == "log":
                assert self.lite is not None
                self.lite.kill()
                await asyncio.sleep(self.random.uniform(0.1, 4))
                await asyncio.to_thread(self.lite.start)
            elif what == "freeze":
                server.signal(signal.SIGSTOP)
                await asyncio.sleep(self.random.choice([0.5, 2.0, 5.0]))
                server.signal(signal.SIGCONT)
            else:
                await asyncio.to_thread(server.kill if what == "kill" else server.stop)
                await asyncio.sleep(self.random.uniform(0, 2))
                await asyncio.to_thread(server.start)

    async def user(self, tab: Tab) -> None:
        """Send, stop and reload, until the calm."""
        async with httpx.AsyncClient(timeout=20) as http:
            while not self._calm.is_set():
                await asyncio.sleep(self.random.expovariate(1 / 3))
                sending = asyncio.create_task(self.send(http, tab))
                if self.random.random() < 0.4:
                    await asyncio.sleep(self.random.uniform(0, 2))
                    await self.stop(http)
                await sending
                if self.random.random() < 0.1:
                    tab.reload()

    async def send(self, http: httpx.AsyncClient, tab: Tab) -> None:
        run = f"r{self._runs}"
        self._runs += 1
        message = {"id": f"u-{run}", "role": "user", "parts": [{"type": "text", "content": f"ask {run}"}]}
        before = [
            {"id": message_id, "role": role, "parts": [{"type": "text", "content": text}]}
            for message_id, (role, text) in tab.shown.items()
        ]
        body = {"id": _CHAT, "runId": run, "messages": [*before, message]}
        body |= {} if tab.cursor is None else {"from": tab.cursor}
        self.note("send", run=run, message=message["id"])
        for _ in range(self.random.randint(1, 6)):
            status = await self._asked(http, "POST", "/api/chat", json=body)
            self.note("sent", run=run, status=status)
            if status in (202, 409):
                break
            await asyncio.sleep(self.random.uniform(0.1, 2))

    async def stop(self, http: httpx.AsyncClient) -> None:
        run = f"r{self._runs - 1}"
        self.note("stop", run=run)
        status = await self._asked(http, "DELETE", "/api/chat", params={"id": _CHAT, "runId": run})
        self.note("stopped", run=run, status=status)

    async def _asked(self, http: httpx.AsyncClient, method: str, path: str, **request: Any) -> int:
        try:
            return (await http.request(method, self.pick() + path, **request)).status_code
        except httpx.HTTPError:
            return 0

    async def _quiet(self) -> None:
        """Wait until no generation runs and every tab has seen its end."""
        for _ in range(90):
            await asyncio.sleep(1)
            records = await asyncio.to_thread(self.records)
            fences = [record for record in records if record["kind"] == "fence"]
            ended = not fences or fences[-1]["token"].startswith(("end-", "error-"))
            last = max((record["seq"] for record in records if record["kind"] == "data"), default=-1)
            if ended and all(tab.cursor is not None and tab.cursor > last for tab in self.tabs):
                return
        self.lines.append({"op": "problem", "text": "the chat did not come to rest within 90 s"})

    def records(self) -> list[dict[str, Any]]:
        if self.lite is not None:
            return from_s2(self.lite.url, "storm-basin", _CHAT)
        return from_sqlite(self.folder / "chat.db", _CHAT)

    def close(self) -> None:
        for server in [*self.servers, *([self.lite] if self.lite else [])]:
            server.signal(signal.SIGCONT)
            server.kill()


def _make_basin(endpoint: str) -> None:
    config = {"create_stream_on_append": True, "create_stream_on_read": True}
    made = httpx.post(
        f"{endpoint}/v1/basins",
        json={"basin": "storm-basin", "config": config},
        headers={"authorization": "Bearer none"},
        timeout=10,
    )
    made.raise_for_status()


async def _history(storm: Storm, minutes: float, path: Path) -> list[str]:
    try:
        await storm.run(minutes * 60)
        records = storm.records()
        calls = [json.loads(line) for line in storm.calls.read_text().split("\n") if line]
        lines = [*storm.lines, *calls, *records]
    finally:
        storm.close()
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    problems = [problem for tab in storm.tabs for problem in tab.problems]
    problems += [line["text"] for line in storm.lines if line["op"] == "problem"]
    # The model's own failures are logged with their traceback, as they should be.
    logs = {log.name: log.read_text(errors="replace") for log in storm.folder.glob("server*.log")}
    tracebacks = [
        name for name, text in logs.items() if text.count("Traceback") > text.count("RuntimeError: the storm")
    ]
    return [*check(lines), *problems, *(f"a traceback in {name}" for name in tracebacks)]


def main() -> int:
    """Run one storm; the exit status is 1 if its history is bad."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--engine", choices=["sqlite", "s2"], default="sqlite")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=None, help="where to leave the history and the logs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chat-storm-", dir=options.keep))
    print(f"seed {options.seed}, {options.engine}, {options.minutes:g} minutes, in {folder}", flush=True)
    storm = Storm(options.seed, options.engine, folder)
    wrong = asyncio.run(_history(storm, options.minutes, folder / "history.jsonl"))
    statuses: dict[str, int] = {}
    for line in storm.lines:
        if line["op"] in ("sent", "stopped"):
            key = f"{line['op']} {line['status']}"
            statuses[key] = statuses.get(key, 0) + 1
    print(f"trouble: {storm.counts}; answers: {dict(sorted(statuses.items()))}")
    print("bad:" if wrong else f"good: {storm._runs} runs")
    for line in wrong:
        print(f"  {line}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
