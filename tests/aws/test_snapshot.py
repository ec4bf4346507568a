"""What a snapshot of a function must not hold, and what a restored one has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resumable_chat.aws import secret_store
from resumable_chat.aws.service import Service
from resumable_chat.errors import ConfigurationError


class Model:
    """A source with a connection."""

    def __init__(self) -> None:
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A started service with a model of its own in each process."""
    monkeypatch.setenv("CHAT_LOG", f"sqlite:///{tmp_path / 'chat.db'}")
    monkeypatch.setattr("resumable_chat.settings.source_from_environ", lambda environ: Model())
    started = Service()
    _ = started.chat, started.source
    return started


async def test_connections_and_secrets_are_made_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the snapshot the model's connection is closed; the restored chat, settings and model are others."""
    before: Any = service.chat, service.settings, service.source
    await service.release()
    assert before[2].closed
    monkeypatch.setenv("CHAT_STREAM_PREFIX", "rotated/")
    service.renew()
    after: Any = service.chat, service.settings, service.source
    assert all(new is not old for new, old in zip(after, before, strict=True))
    assert service.settings.stream_prefix == "rotated/"
    await service.chat.close()


async def test_a_setting_that_is_wrong_by_then_fails_the_restore(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the old configuration is used in its place."""
    await service.release()
    monkeypatch.setenv("CHAT_LOG", "postgres://x")
    with pytest.raises(ConfigurationError, match="CHAT_LOG"):
        service.renew()


async def test_a_function_without_a_model_loads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replay and stop have no key for a model, and a restore does not ask for one."""
    monkeypatch.setenv("CHAT_LOG", f"sqlite:///{tmp_path / 'chat.db'}")
    monkeypatch.setattr("resumable_chat.settings.source_from_environ", lambda environ: pytest.fail("loaded"))
    service = Service()
    _ = service.chat
    await service.release()
    service.renew()
    await service.chat.close()


def test_secrets_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that was read before the snapshot may have been rotated since."""
    values = iter(["old", "new"])

    class Provider:
        def __init__(self, **_: Any) -> None:
            self._kept: dict[str, str] = {}

        def get(self, place: str, **_: Any) -> str:
            return self._kept.setdefault(place, next(values) if place not in self._kept else "")

    monkeypatch.setattr("aws_lambda_powertools.utilities.parameters.SecretsProvider", Provider)
    secret_store.forget()
    assert [secret_store.fetch("SECRET", "X", "arn") for _ in range(2)] == ["old", "old"]
    secret_store.forget()
    assert secret_store.fetch("SECRET", "X", "arn") == "new"
    secret_store.forget()
