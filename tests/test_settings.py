"""The environment is read in one place, and a mistake in it names its variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resumable_chat import ConfigurationError
from resumable_chat.settings import Settings, source_from_environ
from resumable_chat.sources.demo import demo_source
from resumable_chat.sources.openai import OpenAISource


def test_without_settings_there_is_a_file_beside_the_project() -> None:
    """Nothing has to be set for a first run."""
    assert Settings.from_environ({}) == Settings(Path("chat.db"))


def test_what_is_set_is_taken() -> None:
    """A relative and an absolute path, the prefix and the lease."""
    environ = {"CHAT_LOG": "sqlite:////var/chat.db", "CHAT_STREAM_PREFIX": "prod-", "CHAT_LEASE_MS": "5000"}
    assert Settings.from_environ(environ) == Settings(Path("/var/chat.db"), "prod-", 5000)
    assert Settings.from_environ({"CHAT_LOG": "sqlite:///x.db"}).sqlite_path == Path("x.db")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"CHAT_LOG": "postgres://x"}, "CHAT_LOG"),
        ({"CHAT_LOG": "sqlite://"}, "CHAT_LOG"),
        ({"CHAT_LEASE_MS": "soon"}, "CHAT_LEASE_MS"),
        ({"CHAT_LEASE_MS": "10"}, "CHAT_LEASE_MS"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "f"}, "CHAT_LOG"),
    ],
)
def test_a_mistake_names_its_variable(environ: dict[str, str], names: str) -> None:
    """On Lambda a file is never chosen by default: it would be lost with the function."""
    with pytest.raises(ConfigurationError, match=names):
        Settings.from_environ(environ)


def test_the_source_is_the_named_one_else_openai_else_the_demo() -> None:
    """CHAT_SOURCE wins over OPENAI_*, and without either the demo needs no key."""
    assert source_from_environ({}) is demo_source
    assert isinstance(source_from_environ({"OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"}), OpenAISource)
    named: Any = source_from_environ({"CHAT_SOURCE": f"{__name__}:my_source", "OPENAI_API_KEY": "k"})
    assert named is my_source


@pytest.mark.parametrize("named", ["nothing", "no.such.module:x", "json:no_such_name"])
def test_a_source_that_cannot_be_imported_is_named(named: str) -> None:
    """The error repeats what was set."""
    with pytest.raises(ConfigurationError, match=named):
        source_from_environ({"CHAT_SOURCE": named})


async def my_source(messages: Any, context: Any) -> Any:
    yield {"type": "RUN_STARTED", "runId": context.run_id}
