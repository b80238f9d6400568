"""Replies that outlast a call: waited for, stopped, taken back."""

from typing import Any

import anyio
import pytest

from tests.client_process import Connection, LlamaMCP, Progress
from tests.processes import until


async def test_a_reply_that_outlasts_the_wait_goes_on_and_loses_no_token(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.having(CTX_SIZE="4096").connect() as connection:
        await connection.call("start_llama_server")
        pieces = [Progress()]
        part = await connection.call(
            "chat", pieces[0], message="Go on", max_tokens=3000, wait_seconds=0.5
        )
        assert part["status"] == "in_progress"
        assert part["reply"].startswith(pieces[0].text)
        session_id = part["session_id"]
        refusal = await connection.refusal("chat", message="More", session_id=session_id)
        assert "wait_for_reply" in refusal and "cancel_reply" in refusal
        while part["status"] == "in_progress":
            pieces.append(Progress())
            arguments = {"session_id": session_id, "wait_seconds": 0.5}
            part = await connection.call("wait_for_reply", pieces[-1], **arguments)
        assert part["status"] == "complete"
        assert part["usage"]["completion_tokens"] == 3000
        assert "".join(piece.text for piece in pieces) == part["reply"]
        assert all(piece.rises for piece in pieces)
        # Asked again, the last reply is given from the archive.
        again = await connection.call("wait_for_reply", session_id=session_id)
        assert again["reply"] == part["reply"]


async def test_a_cancelled_reply_frees_its_slot_and_keeps_what_had_come(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.having(CTX_SIZE="4096").connect() as connection:
        await connection.call("start_llama_server")
        part = await connection.call("chat", message="Go on", wait_seconds=0.3)
        stopped = await connection.call("cancel_reply", session_id=part["session_id"])
        assert stopped["status"] == "cancelled"
        assert stopped["reply"].startswith(part["reply"])
        await until_idle(connection)
        session = {"session_id": part["session_id"]}
        assert (await connection.call("cancel_reply", **session))["status"] == "cancelled"
        after = await connection.call("chat", message="And?", max_tokens=3, **session)
        assert after["turn"] == 2


async def test_a_clients_own_cancel_stops_generation_and_keeps_the_partial_reply(
    llama_mcp: LlamaMCP, era: str
) -> None:
    async with llama_mcp.having(CTX_SIZE="4096").connect(era) as connection:
        await connection.call("start_llama_server")
        streaming = Progress()
        async with anyio.create_task_group() as tasks:

            async def chat() -> None:
                await connection.result("chat", streaming, message="Go on")

            tasks.start_soon(chat)
            await until(lambda: len(streaming.text) > 20, "the reply begins")
            tasks.cancel_scope.cancel()
        await until_idle(connection)


async def test_a_session_without_a_turn_or_that_is_unknown_has_nothing_to_wait_for(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        for tool in ("wait_for_reply", "cancel_reply"):
            assert "There is no session" in await connection.refusal(tool, session_id="x")


@pytest.mark.parametrize("temperature", [0.0])
async def test_the_same_seed_gives_the_same_reply(llama_mcp: LlamaMCP, temperature: float) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        ask: dict[str, Any] = {
            "message": "Hello",
            "max_tokens": 30,
            "seed": 7,
            "temperature": temperature,
        }
        replies = [(await connection.call("chat", **ask))["reply"] for _ in range(2)]
        assert replies[0] == replies[1]


async def test_a_schema_is_kept_to_and_the_data_is_parsed(llama_mcp: LlamaMCP) -> None:
    # The tiny model's vocabulary is too poor for llama.cpp's grammars.
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"]}
    async with llama_mcp.having(MODEL_PATH="").connect() as connection:
        await connection.call("start_llama_server")
        reply = await connection.call("chat", message="1 or 2?", json_schema=schema, temperature=0)
        assert reply["parsed"]["n"] in (1, 2)


async def until_idle(connection: Connection) -> None:
    with anyio.fail_after(10):
        while (await connection.call("status"))["slots"]["busy"]:
            await anyio.sleep(0.05)
