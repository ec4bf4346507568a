"""A record of the connections to SQLite that the code under test opens, and of the statements that each has run."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest


class Recorder:
    """Records while the test runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connections: list[tuple[sqlite3.Connection, list[str]]] = []
        connect = sqlite3.connect

        def recorded(*args: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*args, **options)
            statements: list[str] = []
            connection.set_trace_callback(statements.append)
            self.connections.append((connection, statements))
            return connection

        monkeypatch.setattr(sqlite3, "connect", recorded)

    def with_statement(self, beginning: str) -> list[tuple[sqlite3.Connection, list[str]]]:
        """The connections that have run such a statement."""
        return [
            (connection, statements)
            for connection, statements in self.connections
            if any(statement.startswith(beginning) for statement in statements)
        ]

    def count(self, part: str) -> int:
        """How many statements with this text have run."""
        return sum(part in statement for _, statements in self.connections for statement in statements)
