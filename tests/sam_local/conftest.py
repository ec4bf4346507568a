"""SAM's command line, and the S2 Lite on this machine that events/env.json points the functions to."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from s2_sdk import S2, BasinConfig, Endpoints

from ..servers import Lite
from ..template.artefact import SAM
from ..template.cloudformation import REGION, ROOT
from .base_image import ARCHITECTURE

VARIABLES = json.loads((ROOT / "events" / "env.json").read_text())["Parameters"]
NO_ENGINE = os.environ.get("NO_ENGINE", "needs a container engine: run `make test-sam-local`")


@pytest.fixture(scope="session", autouse=True)
def needs_an_engine() -> None:
    """Skip everything where no engine was found."""
    if "CONTAINER_ENGINE" not in os.environ:
        pytest.skip(NO_ENGINE)


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty basin on S2 Lite, at the port that the functions' variables name."""
    port = urlsplit(VARIABLES["S2_BASIN_ENDPOINT"]).port
    assert port is not None
    with socket.socket() as tried:
        if tried.connect_ex(("127.0.0.1", port)) == 0:
            pytest.skip(f"port {port}, where events/env.json expects S2 Lite, is taken")
    server = Lite(tmp_path_factory.mktemp("s2"), port)

    async def start() -> None:
        await server.start()
        async with S2(VARIABLES["S2_ACCESS_TOKEN"], endpoints=Endpoints(server.endpoint, server.endpoint)) as s2:
            config = BasinConfig(create_stream_on_append=True, create_stream_on_read=True)
            await s2.create_basin(VARIABLES["S2_BASIN"], config=config)

    try:
        asyncio.run(start())
        yield
    finally:
        server.kill()


def sam_local(command: str, *options: str) -> list[str]:
    """Return the command line of docs/local.md for this machine."""
    environment = [] if ARCHITECTURE == "x86_64" else ["--config-env", ARCHITECTURE]
    return [str(SAM / "sam"), "local", command, *environment, *options]


def sam_environ() -> dict[str, str]:
    """Return what SAM needs to know: no telemetry, a region, and that the base image is there."""
    return {
        **os.environ,
        "SAM_CLI_TELEMETRY": "0",
        "SAM_SKIP_PULL_IMAGE": "true",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "unused",
        "AWS_SECRET_ACCESS_KEY": "unused",
    }
