"""Hostile requests at a real server over HTTP: only refusals, nothing of others, and it serves on.

There are 300 of them; LLAMA_MCP_TEST_HOSTILE_REQUESTS names another number.
"""

import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from tests.fake_llama_server.install import install_fake
from tests.hostile.http_requests import HostileRequest, Target, hostile_requests
from tests.support.client_process import LlamaMCP
from tests.support.http_process import HttpServer, RawCaller, serving
from tests.support.processes import PATIENCE_SECONDS

COUNT = int(os.environ.get("LLAMA_MCP_TEST_HOSTILE_REQUESTS", "300"))
AT_ONCE = 8
SECRET = "the words of bob that nobody else may read"
# Beyond what it has after the first hundred. Bodies of 16 MiB are never read for who sends them so.
MAX_GROWTH_MIB = 40


@dataclass
class Attack:
    """Requests sent, and what came back."""

    server: HttpServer
    target: Target
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    async def make(self, requests: list[HostileRequest]) -> None:
        """Send all of them, several at once."""
        waiting = iter(requests)

        async def send_some() -> None:
            for request in waiting:
                self.kinds[request.kind] += 1
                self.judge(request, await self.send(request))

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(send_some)

    async def send(self, request: HostileRequest) -> bytes:
        """Return all that comes back until the server closes the connection."""
        port = int(self.server.url.rpartition(":")[2])
        answer = b""
        async with await anyio.connect_tcp("127.0.0.1", port) as wire:
            try:
                await wire.send(request.data)
                with anyio.fail_after(PATIENCE_SECONDS):
                    while not request.is_cut:
                        answer += await wire.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
        return answer

    def judge(self, request: HostileRequest, answer: bytes) -> None:
        """Note what is not a refusal, or tells something."""
        if fault := self._fault(answer):
            self.faults.append(f"{fault}: {request.kind} {request.data[:1000]!r} {answer[:400]!r}")

    def _fault(self, answer: bytes) -> str | None:
        head, _, body = answer.partition(b"\r\n\r\n")
        for what in (SECRET.encode(), self.target.token.encode(), b"Traceback", b"root:"):
            if what in answer:
                return "it tells too much"
        status = int(head.split(b" ")[1]) if head else 0
        self.outcomes[f"{status}" if status else "closed"] += 1
        if status != 200:
            return None if not status or (400 <= status < 600 and status != 500) else "a status"
        message = _message_in(body)
        is_refused = "error" in message or message["result"].get("isError")
        return None if is_refused else "it is served"


def _message_in(body: bytes) -> dict[str, Any]:
    """Return the answer in a body, which is one message, whole or the last of a stream."""
    begin = body.rfind(b'{"jsonrpc"')
    message, _ = json.JSONDecoder().raw_decode(body[begin:].decode())
    assert isinstance(message, dict)
    return message


@pytest.fixture
async def attacked(llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path) -> AsyncIterator[Attack]:
    fake = install_fake(fake_folder)
    llama_mcp = llama_mcp.having(LLAMA_CPP_PATH=str(fake))
    async with serving(llama_mcp, tmp_path / "http", scope="chat") as server:
        async with server.connect("bob") as bob:
            session_id = (await bob.call("chat", message=SECRET))["session_id"]
        caller = RawCaller(server, "bob", "legacy")
        await caller.hello()
        host = server.url.removeprefix("http://")
        target = Target(host, server.tokens["ann"], session_id, str(caller.session_id))
        yield Attack(server, target)


async def test_hostile_requests_are_refused_and_good_ones_are_served_all_the_while(
    attacked: Attack,
) -> None:
    process = psutil.Process(attacked.server.process.pid)
    requests = hostile_requests(attacked.target, COUNT, seed=1)
    before = 0.0
    for begin in range(0, COUNT, 100):
        await attacked.make(requests[begin : begin + 100])
        async with attacked.server.connect("ann") as ann:
            assert "state" in await ann.call("status")
            sessions = await ann.call("list_sessions")
            assert SECRET not in json.dumps(sessions)
        assert attacked.faults == []
        memory = process.memory_info().rss / 2**20
        before = before or memory
        assert memory < before + MAX_GROWTH_MIB
    async with attacked.server.connect("bob") as bob:
        page = await bob.call("read_session", session_id=attacked.target.another_session)
    assert SECRET in json.dumps(page)
    assert "Traceback" not in attacked.server.told()
    print(dict(attacked.outcomes), f"{before:.1f} -> {process.memory_info().rss / 2**20:.1f} MiB")
