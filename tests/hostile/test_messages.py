"""Ten thousand messages that no client should send, in each era: every one that can be is answered.

A process serves all of them, with good requests in between, and serves on.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from llama_mcp.surface.stdio.descriptors import MAX_MESSAGE_BYTES
from tests.hostile.corpus import CORPUS
from tests.hostile.messages import ENVELOPE, LINES, hostile_lines, readable_id
from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS
from tests.support.quick import first_quick
from tests.support.raw_client import INITIALIZE, RawClient, raw_client

Era = Literal["legacy", "modern"]
BATCH_LINES = 250
# Of JSON-RPC and MCP; -32603, an internal error, would be a bug of ours.
ALLOWED_CODES = {-32700, -32600, -32601, -32602, -32022}
GOOD_REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("tools/list", {}),
    ("tools/call", {"name": "status", "arguments": {}}),
    ("resources/read", {"uri": "llama://server/status"}),
    ("resources/templates/list", {}),
]


class HostileClient:
    """Sends lines without waiting for answers, and reads all that comes back meanwhile."""

    def __init__(self, client: RawClient, era: Era) -> None:
        self.client = client
        self.answered: set[str | int] = set()
        self.unreadable = 0
        self._era = era
        self._news = anyio.Event()

    async def read(self) -> None:
        """Take what comes, for ever; every frame is checked against the specification."""
        while True:
            frame = await self.client.next()
            assert "Traceback" not in json.dumps(frame)
            if "error" in frame:
                assert frame["error"]["code"] in ALLOWED_CODES, frame
            if "method" not in frame and frame["id"] is not None:
                self.answered.add(frame["id"])
            self.unreadable += frame.get("id", "") is None
            self._news.set()

    async def send(self, lines: Iterable[bytes]) -> set[str | int]:
        """Send lines at once; return the ids that are owed an answer."""
        single = [line for joined in lines for line in joined.split(b"\n")]
        for line in single:
            self.client.wire.sent(_json(line))
        await self.client.write(b"\n".join(single))
        return {owed for line in single if (owed := readable_id(line)) is not None}

    async def until_answered(self, owed: set[str | int]) -> None:
        with anyio.move_on_after(PATIENCE_SECONDS):
            while owed - self.answered:
                self._news = anyio.Event()
                await self._news.wait()
        assert not owed - self.answered, f"unanswered: {list(owed - self.answered)[:20]}"

    async def ask(self, method: str, params: dict[str, Any], name: str) -> None:
        """Send a good request and wait for its result."""
        meta = {"_meta": ENVELOPE} if self._era == "modern" else {}
        good = {"jsonrpc": "2.0", "id": name, "method": method, "params": params | meta}
        await self.until_answered(await self.send([json.dumps(good).encode()]))


def _json(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError):
        return None


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(lines, BATCH_LINES)):
        yield batch


@asynccontextmanager
async def hostile_client(llama_mcp: LlamaMCP, era: Era) -> AsyncIterator[HostileClient]:
    async with raw_client(llama_mcp) as client, anyio.create_task_group() as tasks:
        hostile = HostileClient(client, era)
        if era == "legacy":
            await client.hello()
        tasks.start_soon(hostile.read)
        # The first request of a connection decides which era it is of.
        await hostile.ask("tools/list", {}, "first")
        yield hostile
        tasks.cancel_scope.cancel()


@pytest.fixture
def no_engine(llama_mcp: LlamaMCP, tmp_path: Path) -> LlamaMCP:
    """Settings with which nothing that a message says can start anything."""
    return llama_mcp.having(LLAMA_CPP_PATH=str(tmp_path / "nowhere"))


@pytest.mark.slow
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_ten_thousand_hostile_messages_are_answered_and_the_next_good_one_works(
    no_engine: LlamaMCP, era: Era, capfd: pytest.CaptureFixture[str]
) -> None:
    sent = 0
    async with hostile_client(no_engine, era) as hostile:
        for number, batch in enumerate(_batches(hostile_lines(era))):
            owed = await hostile.send(batch)
            method, params = GOOD_REQUESTS[number % len(GOOD_REQUESTS)]
            await hostile.ask(method, params, f"good {number}")
            await hostile.until_answered(owed)
            sent += len(batch)
        assert hostile.client.process.returncode is None
    assert sent == LINES
    assert hostile.unreadable > LINES / 20
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("era", first_quick("legacy", "modern"))
async def test_each_line_of_the_corpus_is_survived_and_those_with_an_id_are_answered(
    no_engine: LlamaMCP, era: Era, capfd: pytest.CaptureFixture[str]
) -> None:
    async with hostile_client(no_engine, era) as hostile:
        for number, line in enumerate(CORPUS):
            owed = await hostile.send([line])
            await hostile.ask("tools/list", {}, f"good {number}")
            await hostile.until_answered(owed)
    assert "Traceback" not in capfd.readouterr().err


async def test_what_comes_before_the_handshake_does_not_spoil_it(no_engine: LlamaMCP) -> None:
    before = [line for line in CORPUS if b"initialize" not in line]
    async with raw_client(no_engine) as client, anyio.create_task_group() as tasks:
        hostile = HostileClient(client, "legacy")
        tasks.start_soon(hostile.read)
        await hostile.until_answered(await hostile.send(before))
        await hostile.ask("initialize", INITIALIZE, "handshake")
        await hostile.ask("tools/call", {"name": "status"}, "good")
        tasks.cancel_scope.cancel()


async def test_a_subscription_without_an_id_is_passed_over_in_silence(
    no_engine: LlamaMCP, capfd: pytest.CaptureFixture[str]
) -> None:
    async with hostile_client(no_engine, "legacy") as hostile:
        await hostile.send([b'{"jsonrpc":"2.0","method":"resources/subscribe","params":{}}'])
        await hostile.ask("ping", {}, "good")
    assert "Traceback" not in capfd.readouterr().err


async def test_a_line_beyond_the_largest_message_is_refused_once_and_dropped(
    no_engine: LlamaMCP,
) -> None:
    huge = b'{"jsonrpc":"2.0","id":"huge","method":"' + b"x" * MAX_MESSAGE_BYTES + b'"}'
    async with hostile_client(no_engine, "legacy") as hostile:
        await hostile.client.write(huge)
        await hostile.ask("ping", {}, "good")
        assert hostile.unreadable == 1
        assert "huge" not in hostile.answered
        await hostile.ask("tools/call", {"name": "status"}, "better")
