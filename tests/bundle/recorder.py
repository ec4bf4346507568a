"""Passes a runtime's bytes on to the Runtime API and back, and keeps a copy: ``recorder.py COPY COMMAND…``.

The command sees the recorder as AWS_LAMBDA_RUNTIME_API. Lines of the copy begin with ``>`` (to the API) or ``<``.
"""

import asyncio
import os
import sys
from pathlib import Path


async def main(copy: Path, command: list[str]) -> int:
    api_host, _, api_port = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: bytes) -> None:
        while data := await reader.read(1 << 16):
            with copy.open("ab") as file:
                file.write(b"".join(b"%s %s\n" % (direction, line) for line in data.splitlines()))
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        api_reader, api_writer = await asyncio.open_connection(api_host, int(api_port))
        await asyncio.gather(relay(reader, api_writer, b">"), relay(api_reader, writer, b"<"))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        environ = {**os.environ, "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}"}
        runtime = await asyncio.create_subprocess_exec(*command, env=environ)
        return await runtime.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2:])))
