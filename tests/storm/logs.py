"""Reads a stream out of the log without the library: from SQLite's tables, or over S2's HTTP API."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

Line = dict[str, Any]


def from_sqlite(path: Path, stream: str) -> list[Line]:
    """Return a stream's records as lines of a history."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = connection.execute(
            "SELECT seq, timestamp, body, headers FROM records "
            "WHERE stream = (SELECT id FROM streams WHERE name = ?) ORDER BY seq",
            (stream,),
        ).fetchall()
    finally:
        connection.close()
    return [
        _line(
            seq, ms, body, [(bytes.fromhex(name), bytes.fromhex(value)) for name, value in json.loads(headers or "[]")]
        )
        for seq, ms, body, headers in rows
    ]


def from_s2(endpoint: str, basin: str, stream: str) -> list[Line]:
    """Return a stream's records as lines of a history, read over HTTP in base64 (https://s2.dev/docs/rest)."""
    return list(_pages(endpoint, basin, stream))


def _pages(endpoint: str, basin: str, stream: str) -> Iterator[Line]:
    seq = 0
    headers = {"s2-basin": basin, "authorization": "Bearer none", "s2-format": "base64"}
    with httpx.Client(timeout=30, headers=headers) as http:
        while True:
            page = http.get(
                f"{endpoint}/v1/streams/{stream}/records", params={"seq_num": seq, "count": 1000, "clamp": "true"}
            )
            if page.status_code == 416:
                return
            page.raise_for_status()
            records = page.json().get("records", [])
            if not records:
                return
            for record in records:
                pairs = [(base64.b64decode(name), base64.b64decode(value)) for name, value in record.get("headers", [])]
                yield _line(record["seq_num"], record["timestamp"], base64.b64decode(record.get("body", "")), pairs)
            seq = records[-1]["seq_num"] + 1


def _line(seq: int, ms: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> Line:
    line: Line = {"op": "record", "seq": seq, "ms": ms}
    if headers == [(b"", b"fence")]:
        return {**line, "kind": "fence", "token": body.decode()}
    if headers:
        return {**line, "kind": "trim" if headers == [(b"", b"trim")] else "other"}
    if not body:
        return {**line, "kind": "heartbeat"}
    try:
        return {**line, "kind": "data", "chunk": json.loads(body)}
    except ValueError:
        return {**line, "kind": "data", "chunk": None}
