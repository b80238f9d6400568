"""A reply that is cancelled at any moment, by the tool or by the client taking its request back."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import MCPError

from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP, Progress
from tests.support.processes import PATIENCE_SECONDS
from tests.support.quick import first_quick
from tests.support.raw_client import raw_client
from tests.support.tiny_model import write_tiny_model

# Left alone, a reply fills this window, which takes the tiny model half a minute at its best.
WINDOW = 32768
# A cancel at the very last token may come too late.
LAST_TOKENS = 30
SENTENCE = "The quick brown fox jumps over the lazy dog."


@pytest.fixture
def endless(llama_mcp: LlamaMCP, tmp_path: Path) -> LlamaMCP:
    """Two slots, and room for replies that do not end while a test lasts."""
    model = write_tiny_model(tmp_path / "long.gguf", context_length=WINDOW)
    return llama_mcp.having(MODEL_PATH=str(model), CTX_SIZE=str(WINDOW), PARALLEL="2")


@pytest.fixture(params=first_quick("cancel_reply", "the client"))
def canceller(request: pytest.FixtureRequest) -> str:
    """Who cancels: the tool, or the client that takes its request back."""
    name: str = request.param
    return name


@dataclass
class Cancelling:
    """A session in which replies are cancelled."""

    connection: Connection
    canceller: str
    url: str
    session_id: str

    async def cancel_a_reply(
        self, progress: Progress, is_moment: Callable[[], Awaitable[bool]], **arguments: Any
    ) -> None:
        """Ask for a reply and cancel it as soon as the moment has come."""
        answered: list[dict[str, Any]] = []

        async def chat() -> None:
            reply = await self.connection.call(
                "chat", progress, message="Go on", session_id=self.session_id, **arguments
            )
            answered.append(reply)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat)
            await until_true(is_moment)
            if self.canceller == "the client":
                tasks.cancel_scope.cancel()
                return
            stopped = await self.connection.call("cancel_reply", session_id=self.session_id)
        # Whoever waited for the reply is told the same; a reply that was whole before is not told
        # again.
        assert stopped["status"] == answered[0]["status"]
        told_before = [""] if stopped["status"] == "complete" else []
        assert stopped["reply"] in [answered[0]["reply"], *told_before]

    async def go_on_at_once(self) -> dict[str, Any]:
        """Say something more, and return the turn that was cancelled before it."""
        more = await self.connection.call(
            "chat", message="And?", session_id=self.session_id, max_tokens=1
        )
        assert more["status"] == "complete"
        turns = await self.turns()
        assert turns[-1]["turn"] == more["turn"]
        return turns[-2]

    async def turns(self) -> list[dict[str, Any]]:
        page = await self.connection.call("read_session", session_id=self.session_id, limit=200)
        turns: list[dict[str, Any]] = page["turns"]
        return turns

    async def slots_are_free(self) -> None:
        """Wait until llama-server itself says that no slot is at work."""
        async with httpx2.AsyncClient(trust_env=False) as client:
            with anyio.fail_after(PATIENCE_SECONDS):
                while any(
                    slot["is_processing"] for slot in (await client.get(f"{self.url}/slots")).json()
                ):
                    await anyio.sleep(0.05)


@asynccontextmanager
async def cancelling(llama_mcp: LlamaMCP, era: str, canceller: str) -> AsyncIterator[Cancelling]:
    async with llama_mcp.connect(era) as connection:
        url = (await connection.call("start_llama_server"))["url"]
        first = await connection.call("chat", message="Hello", max_tokens=1)
        yield Cancelling(connection, canceller, url, first["session_id"])


async def until_true(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not await condition():
            await anyio.sleep(0.002)


@pytest.mark.slow
async def test_a_cancel_at_ten_random_moments_keeps_what_had_come_and_frees_the_slot(
    endless: LlamaMCP, era: str, canceller: str
) -> None:
    """Moments are counted in characters received; the tiny model says one a token."""
    moments = random.Random(f"{era} {canceller}").sample(range(1, 300), 7)
    async with cancelling(endless, era, canceller) as it:
        for characters in [0, *moments, LAST_TOKENS]:
            progress = Progress()
            turns = len(await it.turns())

            async def is_moment(
                progress: Progress = progress, characters: int = characters, turns: int = turns
            ) -> bool:
                if characters:
                    return len(progress.text) >= characters
                return len(await it.turns()) > turns

            limit = {"max_tokens": LAST_TOKENS} if characters == LAST_TOKENS else {}
            await it.cancel_a_reply(progress, is_moment, **limit)
            turn = await it.go_on_at_once()
            assert turn["status"] in (["cancelled", "complete"] if limit else ["cancelled"])
            assert turn["turn"] == turns + 1
            assert turn["reply"].startswith(progress.text)
            await it.slots_are_free()
        await cancel_in_the_queue(it)


async def cancel_in_the_queue(it: Cancelling) -> None:
    """The tenth moment: both slots are at work, and the reply has none yet."""
    others = [
        (await it.connection.call("chat", message="Go on", wait_seconds=0))["session_id"]
        for _ in range(2)
    ]
    progress = Progress()

    async def is_moment() -> bool:
        return "waiting for a slot, at place 1" in progress.text

    await it.cancel_a_reply(progress, is_moment, stream="status")
    assert "waiting_turns" not in await it.connection.call("status")
    for session_id in others:
        stopped = await it.connection.call("cancel_reply", session_id=session_id)
        assert stopped["status"] == "cancelled"
    turn = await it.go_on_at_once()
    assert (turn["status"], turn["reply"]) == ("cancelled", "")
    await it.slots_are_free()


async def test_a_cancel_while_the_prompt_is_read_frees_the_slot(
    llama_mcp: LlamaMCP, tmp_path: Path, canceller: str
) -> None:
    fake = install_fake(tmp_path / "fake")
    async with cancelling(llama_mcp.having(LLAMA_CPP_PATH=str(fake)), "auto", canceller) as it:
        set_faults(fake.parent, prompt_seconds=600)
        progress = Progress()

        async def is_moment() -> bool:
            return "reading the prompt" in progress.text

        await it.cancel_a_reply(progress, is_moment, stream="status")
        await it.slots_are_free()
        set_faults(fake.parent)
        turn = await it.go_on_at_once()
        assert (turn["status"], turn["reply"]) == ("cancelled", "")


async def test_a_clients_own_time_limit_is_a_cancel_that_keeps_what_had_come(
    llama_mcp: LlamaMCP, tmp_path: Path, era: str
) -> None:
    fake = install_fake(tmp_path / "fake")
    async with cancelling(llama_mcp.having(LLAMA_CPP_PATH=str(fake)), era, "the client") as it:
        set_faults(fake.parent, hang_at_token=4)
        ask, progress = {"message": "Go on", "session_id": it.session_id}, Progress()
        limit_seconds = 0.5
        while not progress.text:
            # Long enough for the first text, however slow the machine is.
            limit_seconds *= 2
            with pytest.raises(MCPError, match="(?i)time"):
                await it.connection.client.call_tool(
                    "chat", ask, read_timeout_seconds=limit_seconds, progress_callback=progress.take
                )
        set_faults(fake.parent)
        turn = await it.go_on_at_once()
        assert turn["status"] == "cancelled"
        assert turn["reply"].startswith(progress.text) and progress.text
        assert "The quick brown fox".startswith(turn["reply"])
        await it.slots_are_free()


async def test_a_cancel_of_one_reply_leaves_all_others_alone(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    fake = install_fake(tmp_path / "fake", hang_at_token=3)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        stuck = await connection.call("chat", message="x", wait_seconds=0)
        await connection.reply_until(SENTENCE[:15], stuck["session_id"])
        set_faults(fake.parent, hold_at_token=2)
        parts = [await connection.call("chat", message="x", wait_seconds=0) for _ in range(2)]
        stopped = await connection.call("cancel_reply", session_id=stuck["session_id"])
        assert stuck["reply"] + stopped["reply"] == SENTENCE[:15]
        set_faults(fake.parent)
        for part in parts:
            whole = await connection.rest_of_reply(part)
            assert (whole["status"], whole["reply"]) == ("complete", SENTENCE)


async def test_a_client_that_cancels_and_goes_on_in_one_breath_is_not_refused(
    endless: LlamaMCP,
) -> None:
    async with raw_client(endless) as client:
        await client.hello()
        await client.call("start_llama_server")
        first = await client.call("chat", message="Hello", max_tokens=1)
        ask = {"message": "Go on", "session_id": first["structuredContent"]["session_id"]}
        for turn in (2, 4, 6):
            request = await client.ask(
                "tools/call", name="chat", arguments=ask, _meta={"progressToken": turn}
            )
            while not (await client.next()).get("params", {}).get("message"):
                pass
            await client.notify("notifications/cancelled", requestId=request)
            more = await client.call("chat", max_tokens=1, **ask)
            assert not more.get("isError"), more["content"]
            assert more["structuredContent"]["turn"] == turn + 1
