"""A connection that was opened ahead of a reply, when something happens before the reply."""

from typing import Any

import anyio
import psutil
import pytest

from llama_mcp.llama_server.errors import LlamaServerLostError
from llama_mcp.llama_server.ready_run import ReadyRun
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.status import ServerState
from tests.llama_server.conftest import Process, start
from tests.support.processes import PATIENCE_SECONDS

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}


async def chunks_from(server: ReadyRun) -> int:
    async with server.stream_chat(BODY) as chunks:
        return len([chunk async for chunk in chunks])


async def test_a_reply_comes_over_the_connection_that_was_opened_ahead(first: Process) -> None:
    await start(first.supervisor)
    server = await first.supervisor.ready_server()
    for _ in range(3):
        await server.open_ahead()
        assert await chunks_from(server)


async def test_after_a_restart_on_the_same_port_the_old_connection_is_not_used(
    first: Process,
) -> None:
    port = ports.find_free()
    await start(first.supervisor, port=port)
    old = await first.supervisor.ready_server()
    await old.open_ahead()
    await first.supervisor.stop(force=True)
    await start(first.supervisor, port=port)
    with pytest.raises(LlamaServerLostError):
        await chunks_from(old)
    await old.open_ahead()
    new = await first.supervisor.ready_server()
    await new.open_ahead()
    assert await chunks_from(new)


async def test_a_connection_to_one_that_was_killed_is_not_used_for_its_successor(
    first: Process, second: Process
) -> None:
    port = ports.find_free()
    status = await start(first.supervisor, port=port)
    await (await first.supervisor.ready_server()).open_ahead()
    psutil.Process(status.pid).kill()
    with anyio.fail_after(PATIENCE_SECONDS):
        while (await second.supervisor.status()).state is not ServerState.CRASHED:
            await anyio.sleep(0.01)
    await start(second.supervisor, port=port)
    successor = await first.supervisor.ready_server()
    await successor.open_ahead()
    assert await chunks_from(successor)
    await first.supervisor.stop(force=True)
