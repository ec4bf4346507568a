"""The calls of the Docker Engine API that the tests need (https://docs.docker.com/reference/api/engine/)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx


class EngineError(Exception):
    """The engine refused a call, or cannot be reached."""


class Engine:
    """A container engine at an address as DOCKER_HOST has it: ``unix://`` or ``tcp://``."""

    def __init__(self, address: str) -> None:
        scheme, _, rest = address.partition("://")
        if scheme == "unix":
            transport, base = httpx.HTTPTransport(uds=rest), "http://engine"
        elif scheme in ("tcp", "http"):
            transport, base = httpx.HTTPTransport(), f"http://{rest}"
        else:
            raise EngineError(f"{address} is neither a unix:// nor a tcp:// address")
        self.address = address
        self._client = httpx.Client(transport=transport, base_url=base, timeout=20)

    def answers(self, seconds: float = 0.0) -> bool:
        """Return whether the engine answers, waiting up to ``seconds`` for it."""
        until = time.monotonic() + seconds
        while True:
            try:
                return self._client.get("/_ping").status_code == 200
            except httpx.HTTPError:
                if time.monotonic() > until:
                    return False
            time.sleep(0.2)

    def has(self, image: str) -> bool:
        """Return whether an image is there."""
        return self._client.get(f"/images/{image}/json").status_code == 200

    def images(self) -> set[str]:
        """Return the ids of all images."""
        return {found["Id"] for found in self._checked(self._client.get("/images/json", params={"all": True})).json()}

    def pull(self, image: str, seconds: float = 600.0) -> None:
        """Pull an image. Raises EngineError, also when nothing comes for ``seconds``."""
        name, _, tag = image.rpartition(":")
        self._create({"fromImage": name, "tag": tag}, b"", seconds)

    def make(self, image: str, root: Path, changes: list[str]) -> None:
        """Make an image of a tar archive of its root folder and instructions of a Dockerfile. Raises EngineError."""
        name, _, tag = image.rpartition(":")
        with root.open("rb") as archive:
            chunks = iter(lambda: archive.read(1 << 20), b"")
            self._create({"fromSrc": "-", "repo": name, "tag": tag, "changes": changes}, chunks, 120.0)

    def remove(self, image: str) -> None:
        """Remove an image and every container made of it."""
        filters = json.dumps({"ancestor": [image]})
        for found in self._client.get("/containers/json", params={"all": True, "filters": filters}).json():
            self._client.delete(f"/containers/{found['Id']}", params={"force": True})
        self._client.delete(f"/images/{image}", params={"force": True})

    def _create(self, query: dict[str, Any], content: bytes | Iterator[bytes], seconds: float) -> None:
        try:
            response = self._client.post("/images/create", params=query, content=content, timeout=seconds)
        except httpx.HTTPError as error:
            raise EngineError(f"the image did not come: {error!r}") from error
        # An error that comes after the first progress report is the last line of a 200.
        for line in self._checked(response).text.splitlines():
            if "error" in (said := json.loads(line)):
                raise EngineError(said["error"])

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_error:
            raise EngineError(f"{response.status_code} {response.text.strip()}")
        return response


def running() -> Engine | None:
    """Return the engine that SAM would find here: DOCKER_HOST's, Docker's, Finch's or Podman's."""
    for address in _addresses():
        try:
            engine = Engine(address)
        except EngineError:
            continue
        if engine.answers():
            return engine
    return None


def _addresses() -> Iterator[str]:
    if named := os.environ.get("DOCKER_HOST"):
        yield named
        return
    yield _said("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    yield "unix:///var/run/docker.sock"
    yield "unix:///var/run/finch.sock"
    yield "unix:///Applications/Finch/lima/data/finch/sock/finch.sock"
    yield "unix://" + _said("podman", "info", "--format", "{{.Host.RemoteSocket.Path}}").removeprefix("unix://")


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
