"""CPU that the OpenAI-compatible source takes to read an answer: ``python -m benchmarks.sources``.

A server in another process sends the deltas one by one, over a socket, as fast as it can. To compare two versions, run
this once with each of them on PYTHONPATH.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import time
from typing import Final

from resumable_chat.sources.openai import OpenAISource
from resumable_chat.sources.port import SourceContext, iterate

from .table import show

DELTAS: Final = 1_000
_RUNS: Final = 7
_IMPORT: Final = (
    "import resumable_chat, resumable_chat.chat, time; t = time.process_time(); "
    "import resumable_chat.sources.openai; print(time.process_time() - t)"
)


def serve(listener: socket.socket, deltas: int) -> None:
    """Answer each connection with one stream, each event in a chunk of its own."""
    events = [
        json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": f" word{n}"}}]}) for n in range(deltas)
    ]
    events += [json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}), "[DONE]"]
    frames = [f"data: {event}\n\n".encode() for event in events]
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for frame in frames:
            connection.sendall(b"%x\r\n%s\r\n" % (len(frame), frame))
        connection.sendall(b"0\r\n\r\n")
        connection.close()


async def read(base_url: str, runs: int) -> list[float]:
    """Return the CPU time in ms that each answer took, without the first: it makes the client."""
    source = OpenAISource(model="m", base_url=base_url)
    context = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")
    taken = []
    for _ in range(runs + 1):
        began = time.process_time()
        count = 0
        async for chunk in iterate(source, [{"role": "user", "content": "hi"}], context):
            count += chunk["type"] == "TEXT_MESSAGE_CONTENT"
        taken.append((time.process_time() - began) * 1000)
        assert count == DELTAS, count
    await source.aclose()
    return taken[1:]


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.Process(target=serve, args=(listener, DELTAS), daemon=True)
    server.start()
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    taken = asyncio.run(read(base_url, _RUNS))
    imported = [
        float(subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True).stdout) * 1000
        for _ in range(5)
    ]
    server.terminate()
    show(
        f"The OpenAI-compatible source, {DELTAS:,} deltas",
        ("", "median ms of CPU", "best"),
        [
            ("reading", f"{statistics.median(taken):.1f}", f"{min(taken):.1f}"),
            ("import, on top of the app", f"{statistics.median(imported):.1f}", f"{min(imported):.1f}"),
        ],
    )


if __name__ == "__main__":
    main()
