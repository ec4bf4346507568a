"""An ASGI app with state that must not be the same in two environments restored from one snapshot."""

import asyncio
import json
import os
import random
import secrets
import time

from lambda_asgi import after_restore, before_snapshot, wait_until

HOST, PORT = os.environ["PEER"].rsplit(":", 1)
random.seed(1)  # as in every copy of one image
state = {"order": []}


async def connect():
    state["peer"] = await asyncio.open_connection(HOST, int(PORT))


@before_snapshot
def first_registered():
    state["order"].append("before 1")


@before_snapshot
async def disconnect():
    state["order"].append("before 2")
    state["snapshot_at"] = time.time()
    _, writer = state.pop("peer")
    writer.close()
    await writer.wait_closed()
    if os.environ.get("FAIL") == "before":
        raise ValueError("not now")


@after_restore
async def reconnect():
    state["order"].append("after 1")
    if os.environ.get("FAIL") == "after":
        raise ValueError("not again")
    await connect()
    state["token"] = secrets.token_hex(8)
    state["jitter"] = random.random()


@after_restore
def last_registered():
    state["order"].append("after 2")


async def work():
    await asyncio.sleep(0.05)
    state["order"].append("work")


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await connect()
        wait_until(work())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    reader, writer = state["peer"]
    writer.write(b"hello\n")
    said = {
        **{name: state[name] for name in ("order", "token", "jitter")},
        "peer": (await reader.readline()).decode().strip(),
        "age": time.time() - state["snapshot_at"],
        "pid": os.getpid(),
    }
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


handler = None
