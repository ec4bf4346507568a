"""An ASGI app without a framework: each path shows one thing that functions do."""

import asyncio
import gc
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from lambda_asgi import BrokenOff, invocation, wait_until

SHARED = Path(os.environ["SHARED_FILE"])
_PLAIN = [
    (b"content-type", b"text/plain"),
    (b"set-cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
    (b"x-twice", b"1"),
    (b"x-twice", b"2"),
]


def note(text):
    """Leave a line where the test finds it, whatever becomes of this process."""
    with SHARED.open("a") as file:
        file.write(f"{text}\n")


async def gate(name):
    """Wait until the test opens this gate: a file beside the notes."""
    while not SHARED.with_name(f"gate-{name}").exists():
        await asyncio.sleep(0.02)


async def work(name, waiting):
    try:
        await waiting
        note(f"{name} done")
    except asyncio.CancelledError:
        note(f"{name} cancelled")
        raise


async def tick():
    while True:
        note(f"tick {time.monotonic()}")
        await asyncio.sleep(0.05)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
        return
    path = scope["path"]
    message = await receive()
    query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&") if pair)
    head = {"type": "http.response.start", "status": 200, "headers": _PLAIN}
    if path == "/echo":
        called = invocation(scope)
        loop = asyncio.get_running_loop()
        answer = {
            "method": scope["method"],
            "body": message["body"].decode(),
            "query": scope["query_string"].decode(),
            "state": scope["state"].get("started"),
            "streaming": called.streaming,
            "left": called.deadline - loop.time(),
            "remaining": scope["aws.context"].get_remaining_time_in_millis() / 1000,
            "claims": scope["aws.event"]["requestContext"].get("authorizer"),
            "pid": os.getpid(),
            "collects": gc.isenabled(),
        }
        await send({**head, "status": 201})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
    elif path == "/work":
        waiting = gate(query["gate"]) if "gate" in query else asyncio.sleep(float(query["seconds"]))
        wait_until(work(query["name"], waiting))
        await send({**head, "status": 202})
        await send({"type": "http.response.body"})
    elif path == "/parts":
        await send(head)
        for index in range(int(query["n"])):
            if "gates" in query:
                await gate(index)
            await send({"type": "http.response.body", "body": f"part {index}\n".encode(), "more_body": True})
            await asyncio.sleep(float(query.get("pause", 0)))
        if "fail" in query:
            raise {"off": BrokenOff("on purpose"), "bug": ValueError("secret")}[query["fail"]]
        if "short" not in query:
            await send({"type": "http.response.body"})
    elif path == "/large":
        await send(head)
        for _ in range(int(query["mb"])):
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        await send({"type": "http.response.body"})
    elif path == "/zeros":
        await send({**head, "headers": [(b"content-type", b"application/octet-stream")]})
        await send({"type": "http.response.body", "body": bytes(int(query["mb"]) * 1_000_000)})
    elif path == "/letters":
        await send(head)
        await send({"type": "http.response.body", "body": "ж".encode() * int(query["n"])})
    elif path == "/deaf":
        until = asyncio.get_running_loop().time() + float(query["seconds"])
        while (left := until - asyncio.get_running_loop().time()) > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(left)
    elif path == "/binary":
        await send({**head, "headers": [(b"content-type", b"image/png")]})
        await send({"type": "http.response.body", "body": bytes(range(256))})
    elif path == "/raise":
        raise ValueError("secret")
    elif path == "/nothing":
        return
    elif path == "/cancelled":
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task
    elif path == "/print":
        print("printed by the app")  # noqa: T201 - apps do
        await send(head)
        await send({"type": "http.response.body"})
    elif path == "/names":
        await send(
            {**head, "headers": [(b"content-type", b"text/plain"), (b"x-name", "Gr\xfc\xdfe".encode("latin-1"))]}
        )
        await send({"type": "http.response.body", "body": b"x"})
    elif path == "/no-content":
        await send({**head, "status": 204, "headers": []})
        await send({"type": "http.response.body"})
    elif path == "/sleep":
        await (gate(query["gate"]) if "gate" in query else asyncio.sleep(float(query["seconds"])))
        await send(head)
        await send({"type": "http.response.body", "body": b"slept"})
    elif path == "/block":
        time.sleep(float(query["seconds"]))  # noqa: ASYNC251 - this is what it shows
    elif path == "/exit":
        os._exit(3)
    elif path == "/tick":
        asyncio.get_running_loop().ticking = asyncio.create_task(tick())  # not handed to wait_until
        await send(head)
        await send({"type": "http.response.body"})
    elif path == "/wait-for-disconnect":
        await send(head)
        await send({"type": "http.response.body", "body": b"here", "more_body": True})
        note((await receive())["type"])


async def lifespan(scope, receive, send):
    await receive()
    if os.environ.get("FAIL_AT_START"):
        await send({"type": "lifespan.startup.failed", "message": os.environ["FAIL_AT_START"]})
        return
    if os.environ.get("HANG_AT_START"):
        note("starting")
        await asyncio.sleep(60)
    if os.environ.get("WORK_AT_START"):
        wait_until(work("start", gate("start")))
    scope["state"]["started"] = True
    await send({"type": "lifespan.startup.complete"})
    await receive()
    note("app ended")
    await send({"type": "lifespan.shutdown.complete"})


async def no_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


handler = None
