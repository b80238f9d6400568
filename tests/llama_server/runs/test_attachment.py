"""What a process has of runs while several of its turns come at once."""

import anyio

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.runs import ports
from llama_mcp.llama_server.runs.attachment import Attachment
from llama_mcp.llama_server.runs.start_lock import StartLock
from tests.llama_server.runs.launches import launch_of, launched
from tests.support.processes import PATIENCE_SECONDS

SERVER = """
import http.server as h
h.SimpleHTTPRequestHandler.protocol_version = "HTTP/1.1"
h.ThreadingHTTPServer(("127.0.0.1", {port}), h.SimpleHTTPRequestHandler).serve_forever()
"""


async def test_turns_that_come_at_once_to_a_run_that_has_come_back_share_one_connection(
    lock: StartLock, attachment: Attachment
) -> None:
    port = ports.find_free()
    before = await launched(lock, launch_of(SERVER.format(port=port), port=port))
    old = await attachment.connect(before)
    with anyio.fail_after(PATIENCE_SECONDS):
        while (await old.look("/"))[0] == 0:  # then a connection is open, which takes its time
            await anyio.sleep(0.02)
    run = await launched(lock, launch_of())
    clients: list[LlamaServerClient] = []

    async def connect() -> None:
        clients.append(await attachment.connect(run))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(connect)
    assert len({*map(id, clients)}) == 1 and clients[0] is not old
    assert await attachment.connect(run) is clients[0]
