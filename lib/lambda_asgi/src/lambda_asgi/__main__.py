"""``python -m lambda_asgi``: what the exec wrapper starts in place of the managed runtime's own loop."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import sys

from . import logs
from .errors import InitError
from .exchange import App
from .runtime import Runtime, load
from .runtime_api import RuntimeApi
from .settings import Settings, runtime_api


def main() -> int:
    """Run the app that the environment names; the exit status."""
    gc.disable()  # what is imported does not become garbage, and looking for it takes a tenth of a start
    try:
        address = runtime_api(os.environ)
    except InitError as error:
        sys.exit(str(error))
    try:
        settings = Settings.from_environ(os.environ)
    except InitError as error:
        asyncio.run(_report(address, error))
        sys.exit(str(error))
    root = os.environ.get("LAMBDA_TASK_ROOT")
    if root and root not in sys.path:
        sys.path.insert(0, root)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what the app prints is not held back by a freeze
    logs.configure(settings.log_format, settings.log_level)
    return asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    return await Runtime(settings).run(lambda: _load(settings.app))


def _load(named: str) -> App:
    app = load(named)
    gc.freeze()
    gc.enable()
    return app


async def _report(address: tuple[str, int], error: InitError) -> None:
    api = RuntimeApi(address)
    await api.init_error(error)
    await api.close()


if __name__ == "__main__":
    sys.exit(main())
