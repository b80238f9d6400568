"""A relay that passes bytes on late: a slow network where the kernel has no netem, or a tunnel."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_PIECE_BYTES = 1 << 16


@asynccontextmanager
async def relay(host: str, port: int, delay_seconds: float) -> AsyncIterator[str]:
    """Give an address of this machine that leads to another, so much later each way."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            far_in, far_out = await asyncio.open_connection(host, port)
        except OSError:  # as a tunnel whose far end is not there
            near_out.close()
            return
        for reader, writer in ((near_in, far_out), (far_in, near_out)):
            task = asyncio.create_task(_pass_on(reader, writer, delay_seconds))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_seconds: float
) -> None:
    """Pass bytes on, each piece late; pieces do not wait for each other."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES):
            loop.call_later(delay_seconds, _write, writer, piece)
    loop.call_later(delay_seconds, writer.close)


def _write(writer: asyncio.StreamWriter, piece: bytes) -> None:
    if not writer.is_closing():
        writer.write(piece)
