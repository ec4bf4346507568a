"""The environment is read in one place, and a mistake in it names its variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resumable_chat import ConfigurationError, S2Log, SqliteLog, create_resumable_chat
from resumable_chat.settings import S2Settings, Settings, open_log


def test_without_settings_there_is_a_file_beside_the_project() -> None:
    """Nothing has to be set for a first run."""
    assert Settings.from_environ({}) == Settings(Path("chat.db"))


def test_what_is_set_is_taken() -> None:
    """A relative and an absolute path, the prefix, the lease, the mode and how it delivers."""
    environ = {"CHAT_LOG": "sqlite:////var/chat.db", "CHAT_STREAM_PREFIX": "prod-", "CHAT_LEASE_MS": "5000"}
    assert Settings.from_environ(environ) == Settings(Path("/var/chat.db"), "prod-", 5000)
    assert Settings.from_environ({"CHAT_FOREIGN_LEASE_MS": "3000"}).foreign_lease_ms == 3000
    settings = Settings.from_environ({"CHAT_MODE": "shared", "CHAT_DELIVERY": "replay"})
    assert (settings.mode, settings.delivery) == ("shared", "replay")
    assert Settings.from_environ({"CHAT_LOG": "sqlite:///x.db"}).log == Path("x.db")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"CHAT_LOG": "postgres://x"}, "CHAT_LOG"),
        ({"CHAT_LOG": "sqlite://"}, "CHAT_LOG"),
        ({"CHAT_LEASE_MS": "soon"}, "CHAT_LEASE_MS"),
        ({"CHAT_LEASE_MS": "10"}, "CHAT_LEASE_MS"),
        ({"CHAT_LEASE_MS": "9" * 5000}, "CHAT_LEASE_MS"),
        ({"CHAT_FOREIGN_LEASE_MS": "2999"}, "CHAT_FOREIGN_LEASE_MS"),
        ({"CHAT_FOREIGN_LEASE_MS": "１００００"}, "CHAT_FOREIGN_LEASE_MS"),
        ({"CHAT_MODE": "all"}, "CHAT_MODE"),
        ({"CHAT_DELIVERY": "pigeon"}, "CHAT_DELIVERY"),
        ({"CHAT_AUTH": "some"}, "CHAT_AUTH"),
        ({"CHAT_STREAM_PREFIX": "p" * 257}, "CHAT_STREAM_PREFIX"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "f"}, "S2_BASIN"),
        ({"S2_BASIN": "my-basin"}, "S2_ACCESS_TOKEN"),
        ({"S2_ACCESS_TOKEN": "t"}, "S2_BASIN"),
        ({"S2_ACCESS_TOKEN": "t", "S2_BASIN": "b", "S2_BASIN_ENDPOINT": "http://x"}, "S2_ACCOUNT_ENDPOINT"),
        ({"S2_ACCESS_TOKEN": "t", "S2_BASIN": "b", "CHAT_LOG": "sqlite:///x.db"}, "CHAT_LOG"),
    ],
)
def test_a_mistake_names_its_variable(environ: dict[str, str], names: str) -> None:
    """On Lambda a file is never chosen by default: it would be lost with the function."""
    with pytest.raises(ConfigurationError, match=names):
        Settings.from_environ(environ)


def test_s2_is_the_log_when_it_is_set() -> None:
    """Token and basin suffice; neither the token nor the key shows in a log line."""
    environ = {"S2_ACCESS_TOKEN": "secret", "S2_BASIN": "my-basin", "S2_ENCRYPTION_KEY": "c2VjcmV0"}
    settings = Settings.from_environ({**environ, "AWS_LAMBDA_FUNCTION_NAME": "f"})
    assert settings.log == S2Settings("secret", "my-basin", None, "c2VjcmV0")
    assert "secret" not in repr(settings) and "c2Vj" not in repr(settings)


@pytest.mark.parametrize(
    "fields", [{"basin": "NOT a basin"}, {"encryption_key": "not base64!"}, {"endpoints": ("http://a", "https://b")}]
)
def test_s2_settings_that_cannot_be_right_are_refused(fields: dict[str, Any]) -> None:
    """A malformed name or key is an error at the start, not at the first request."""
    with pytest.raises(ConfigurationError, match="S2 settings"):
        open_log(S2Settings(**{"access_token": "t", "basin": "my-basin", **fields}))


async def test_options_win_over_the_environment(tmp_path: Path) -> None:
    """A log or a basin given in code is taken as it is; half a basin, or both, is refused."""
    environ = {"CHAT_LOG": f"sqlite:///{tmp_path}/chat.db", "CHAT_MODE": "shared"}
    assert create_resumable_chat(environ=environ)._mode == "shared"
    assert create_resumable_chat(environ=environ, mode="single-use")._mode == "single-use"
    given: dict[str, Any] = {"access_token": "t", "basin": "my-basin"}
    assert isinstance(create_resumable_chat(**given, environ=environ)._chat._log, S2Log)
    for wrong in ({"basin": "my-basin"}, {"access_token": "t"}, {**given, "log": SqliteLog(tmp_path / "x.db")}):
        with pytest.raises(ConfigurationError, match="access_token and basin"):
            create_resumable_chat(**wrong, environ=environ)
